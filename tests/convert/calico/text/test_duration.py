"""Durations: what Go's `time` and `fmt` said of the same texts, and what holds for every duration."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.text.duration import canonical, canonical_text, milliseconds_text, parse, seconds_text

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)

# text, nanoseconds, String(), %v of Seconds(), %v of milliseconds
GO = [
    ("0", 0, "0s", "0", "0"),
    ("-0", 0, "0s", "0", "0"),
    ("+0s", 0, "0s", "0", "0"),
    ("5s", 5_000_000_000, "5s", "5", "5000"),
    ("+5s", 5_000_000_000, "5s", "5", "5000"),
    ("3m", 180_000_000_000, "3m0s", "180", "180000"),
    ("1h30m", 5_400_000_000_000, "1h30m0s", "5400", "5.4e+06"),
    ("30m1h", 5_400_000_000_000, "1h30m0s", "5400", "5.4e+06"),
    ("1.5h", 5_400_000_000_000, "1h30m0s", "5400", "5.4e+06"),
    ("-1.5s", -1_500_000_000, "-1.5s", "-1.5", "-1500"),
    (".5s", 500_000_000, "500ms", "0.5", "500"),
    ("1.s", 1_000_000_000, "1s", "1", "1000"),
    ("250ms", 250_000_000, "250ms", "0.25", "250"),
    ("54.321ms", 54_321_000, "54.321ms", "0.054321", "54.321"),
    ("1us", 1_000, "1\u00b5s", "1e-06", "0.001"),
    ("1\u00b5s", 1_000, "1\u00b5s", "1e-06", "0.001"),
    ("1\u03bcs", 1_000, "1\u00b5s", "1e-06", "0.001"),
    ("1ns", 1, "1ns", "1e-09", "1e-06"),
    ("0.9ns", 0, "0s", "0", "0"),
    ("1.1us", 1_100, "1.1\u00b5s", "1.1e-06", "0.0011"),
    ("100us", 100_000, "100\u00b5s", "0.0001", "0.1"),
    ("1h0.000000001s", 3_600_000_000_001, "1h0m0.000000001s", "3600.000000001", "3.600000000001e+06"),
    ("999999s", 999_999_000_000_000, "277h46m39s", "999999", "9.99999e+08"),
    ("1000000s", 1_000_000_000_000_000, "277h46m40s", "1e+06", "1e+09"),
    ("300h", 1_080_000_000_000_000, "300h0m0s", "1.08e+06", "1.08e+09"),
    ("737962.877s", 737_962_877_000_000, "204h59m22.877s", "737962.877", "7.37962877e+08"),
    ("0.3333333333333333333h", 1_200_000_000_000, "20m0s", "1200", "1.2e+06"),
    ("0.100000000000000000000h", 360_000_000_000, "6m0s", "360", "360000"),
    ("0.9223372036854775807h", 3_320_413_933_267, "55m20.413933267s", "3320.413933267", "3.320413933267e+06"),
    ("0.92233720368547758079h", 3_320_413_933_267, "55m20.413933267s", "3320.413933267", "3.320413933267e+06"),
    (
        "9223372036854775807ns",
        9_223_372_036_854_775_807,
        "2562047h47m16.854775807s",
        "9.223372036854776e+09",
        "9.223372036854775e+12",
    ),
    (
        "-9223372036854775808ns",
        -9_223_372_036_854_775_808,
        "-2562047h47m16.854775808s",
        "-9.223372036854776e+09",
        "-9.223372036854775e+12",
    ),
    ("000000000000000000000000005s", 5_000_000_000, "5s", "5", "5000"),
]


@pytest.mark.parametrize(("text", "nanoseconds", "written", "seconds", "milliseconds"), GO)
def test_what_go_says(text: str, nanoseconds: int, written: str, seconds: str, milliseconds: str) -> None:
    assert parse(text) == nanoseconds
    assert canonical_text(nanoseconds) == canonical(text) == written
    assert seconds_text(nanoseconds) == seconds
    assert milliseconds_text(nanoseconds) == milliseconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a duration is empty"),
        ("-", "a duration is empty"),
        ("+", "a duration is empty"),
        ("3", "a duration has a number without a unit"),
        ("-3", "a duration has a number without a unit"),
        ("1h2", "a duration has a number without a unit"),
        ("1.2.3s", "a duration has a number without a unit"),
        ("00", "a duration has a number without a unit"),
        ("s", "a duration has no digits where a number is due"),
        (".s", "a duration has no digits where a number is due"),
        (".", "a duration has no digits where a number is due"),
        ("--1s", "a duration has no digits where a number is due"),
        ("\u0663s", "a duration has no digits where a number is due"),
        (" 1s", "a duration has no digits where a number is due"),
        ("1s ", "a duration has an unknown unit (known are ns, us, ms, s, m, h)"),
        ("1d", "a duration has an unknown unit (known are ns, us, ms, s, m, h)"),
        ("1S", "a duration has an unknown unit (known are ns, us, ms, s, m, h)"),
        ("1_0s", "a duration has an unknown unit (known are ns, us, ms, s, m, h)"),
        ("9223372036854775808ns", "a duration is longer than 64 bits of nanoseconds"),
        ("-9223372036854775809ns", "a duration is longer than 64 bits of nanoseconds"),
        ("9223372036854775.808us", "a duration is longer than 64 bits of nanoseconds"),
        ("9223372036854775807ns1ns", "a duration is longer than 64 bits of nanoseconds"),
        ("2562048h", "a duration is longer than 64 bits of nanoseconds"),
        ("1" * 5000 + "s", "a duration is longer than 64 bits of nanoseconds"),
    ],
)
def test_what_go_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="a duration") as caught:
        parse(text)
    assert str(caught.value) == reason


@given(INT64)
def test_canonical_text_reads_back(nanoseconds: int) -> None:
    assert parse(canonical_text(nanoseconds)) == nanoseconds
    assert canonical(canonical_text(nanoseconds)) == canonical_text(nanoseconds)


@given(INT64)
def test_texts_for_keys_are_numbers_close_to_the_duration(nanoseconds: int) -> None:
    assert float(seconds_text(nanoseconds)) == pytest.approx(nanoseconds / 1e9, rel=1e-12)
    assert float(milliseconds_text(nanoseconds)) == pytest.approx(nanoseconds / 1e6, rel=1e-12)


@given(st.text(st.sampled_from("0123456789.+-nmush\u00b5 x"), max_size=30))
def test_any_text_is_a_duration_of_64_bits_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert -(1 << 63) <= found < 1 << 63


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)
