from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from typha.convert.calico.text import ports
from typha.convert.converter import ConversionError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1, 1),
        (65535, 65535),
        ("80", 80),
        ("00080", 80),
        ("80:90", "80:90"),
        ("080:0090", "80:90"),
        ("1:65535", "1:65535"),
        ("80:80", 80),
        ("http", "http"),
        ("a" * 128, "a" * 128),
        ("-5", "-5"),
        ("A_b.c-1", "A_b.c-1"),
    ],
)
def test_ports(written: int | str, read: int | str) -> None:
    assert ports.port(written, "f") == read


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (0, "out of 1..65535"),
        (65536, "out of 1..65535"),
        (-1, "out of 1..65535"),
        (10**30, "out of 1..65535"),
        ("0", "out of 1..65535"),
        ("65536", "out of 1..65535"),
        ("0:80", "out of 1..65535"),
        ("80:65536", "out of 1..65535"),
        ("90:80", "ends before it starts"),
        ("100000", "above 65535"),
        ("80:100000", "above 65535"),
        ("9" * 10_000, "above 65535"),
        ("", "a port is a number, a range"),
        ("80:", "a port is a number, a range"),
        (":80", "a port is a number, a range"),
        ("80-90", None),
        ("http:90", "a port is a number, a range"),
        ("a b", "a port is a number, a range"),
        ("80\n", "a port is a number, a range"),
        ("\u0661\u0662", "a port is a number, a range"),
        ("a" * 129, "a port is a number, a range"),
    ],
)
def test_what_is_no_port(written: int | str, reason: str | None) -> None:
    if reason is None:  # a name, strange as it looks: Calico takes it
        assert ports.port(written, "f") == written
        return
    with pytest.raises(ConversionError, match=rf"^f: .*{reason}"):
        ports.port(written, "f")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("TCP", "tcp"),
        ("ICMPv6", "icmpv6"),
        ("UDPLite", "udplite"),
        ("6", 6),
        ("006", 6),
        ("255", 255),
        ("256", "256"),
        ("0", 0),
        (0, 0),
        (255, 255),
        ("", ""),
        ("1000", "1000"),
    ],
)
def test_protocols(written: int | str, read: int | str) -> None:
    assert ports.protocol(written, "f") == read


@pytest.mark.parametrize("written", [-1, 256, 10**30])
def test_what_is_no_protocol(written: int) -> None:
    with pytest.raises(ConversionError, match=r"^f: a protocol number is out of 0\.\.255$"):
        ports.protocol(written, "f")


@pytest.mark.parametrize(
    ("written", "merged"),
    [
        ([], []),
        ([82, 80], [80, 82]),
        ([80, "81:82", "a", 84], ["a", "80:82", 84]),
        (["80:90", "a"], ["a", "80:90"]),
        ([80, "a"], [80, "a"]),
    ],
)
def test_simplified(written: list[int | str], merged: list[int | str]) -> None:
    assert ports.simplified(written) == merged


def test_by_protocol() -> None:
    written: list[tuple[str, int | str | None]] = [("udp", 53), ("tcp", 2), ("tcp", 1), ("udp", None), ("udp", 54)]
    assert ports.by_protocol(written) == [("tcp", ["1:2"]), ("udp", None)]
    assert ports.by_protocol([]) == []


_numbers = st.integers(1, 40)
_ranges = st.tuples(_numbers, _numbers).map(lambda pair: ports.port_range(min(pair), max(pair), "f"))
_written = st.lists(st.one_of(_ranges, st.sampled_from(["a", "b"])), max_size=6)


def _members(written: list[int | str]) -> set[int | str]:
    found: set[int | str] = set()
    for each in written:
        low, colon, high = str(each).partition(":")
        found |= set(range(int(low), int(high) + 1)) if colon else {each}
    return found


@given(_written)
def test_simplified_holds_the_same_ports_in_separate_ranges(written: list[int | str]) -> None:
    found = ports.simplified(written)
    assert _members(found) == _members(written)
    assert [each for each in found if each in {"a", "b"}] == [each for each in written if each in {"a", "b"}]
    assert ports.simplified(found) == found or len(_members(found) - {"a", "b"}) <= 1


@given(_written.filter(lambda written: sum(isinstance(each, int) or ":" in each for each in written) > 1))
def test_simplified_ranges_are_sorted_and_apart(written: list[int | str]) -> None:
    found = ports.simplified(written)
    bounds = [tuple(map(int, str(each).split(":"))) for each in found if each not in {"a", "b"}]
    for before, after in pairwise(bounds):
        assert before[-1] + 1 < after[0]
