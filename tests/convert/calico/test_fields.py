from __future__ import annotations

from typing import Any

import msgspec
import pytest

from typha.convert.calico.fields import Int32, Int64, UInt8, UInt16, UInt32, UInt64, canonical_time, parsed
from typha.convert.calico.text import cidr
from typha.convert.converter import ConversionError


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (UInt8, 0, 255),
        (UInt16, 0, 65_535),
        (UInt32, 0, 4_294_967_295),
        (Int32, -2_147_483_648, 2_147_483_647),
        (Int64, -9_223_372_036_854_775_808, 9_223_372_036_854_775_807),
    ],
)
def test_widths_are_those_of_go(kind: Any, low: int, high: int) -> None:
    for number in (low, high):
        assert msgspec.json.decode(str(number), type=kind) == number
    for number in (low - 1, high + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(str(number), type=kind)


def test_64_bits_without_a_sign() -> None:
    assert msgspec.json.decode("18446744073709551615", type=UInt64) == 18_446_744_073_709_551_615
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode("-1", type=UInt64)


def test_what_does_not_parse_names_its_field() -> None:
    assert parsed(cidr.parse_address, "::ffff:10.0.0.1", "spec.x").text == "10.0.0.1"
    with pytest.raises(ConversionError) as caught:
        parsed(cidr.parse_address, "10.0.0.01", "spec.x")
    assert caught.value.reason == "spec.x: not an IP address"
    assert caught.value.__suppress_context__


def test_times_are_those_of_kubernetes() -> None:
    assert canonical_time(None, "spec.at") is None
    assert canonical_time("2026-01-01T02:00:00.5+02:00", "spec.at") == "2026-01-01T00:00:00Z"
    for text in ("", "now"):
        with pytest.raises(ConversionError, match=r"^spec\.at: a time "):
            canonical_time(text, "spec.at")
