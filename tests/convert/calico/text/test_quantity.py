"""Kubernetes quantities as whole numbers."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from typha.convert.calico.text.quantity import MAX, QuantityError, parse_whole

FACTORS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
    "e3": Fraction(10**3),
    "E3": Fraction(10**3),
    "e+3": Fraction(10**3),
    "e-3": Fraction(1, 10**3),
    "E-30": Fraction(1, 10**30),
    "e0": Fraction(1),
    "e007": Fraction(10**7),
}


@pytest.mark.parametrize("suffix", FACTORS)
def test_suffixes(suffix: str) -> None:
    assert parse_whole(f"3{suffix}") == math.ceil(3 * FACTORS[suffix])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("1.", 1),
        (".5", 1),
        ("1.000", 1),
        ("1.0001", 2),
        ("-1.5", -2),
        ("-1500m", -2),
        ("1n", 1),
        ("0.9n", 1),
        ("0n", 0),
        ("1e-400", 1),
        ("0e400", 0),
        ("1.5Ki", 1536),
        ("0.0001Ki", 1),
        ("1.00000000000000000000000000000000000000000000000000000000000000000000001Ki", 1025),
        ("0." + "9" * 5000 + "Ki", 1024),
        ("0" * 30 + "1Ki", 1024),
        ("0." + "0" * 20 + "1e25", 10_000),
        ("+5", 5),
        # As Kubernetes' parser reads them: a number that is missing is zero.
        ("k", 0),
        ("-", 0),
        (".", 0),
        ("+Mi", 0),
    ],
)
def test_rounding_goes_away_from_zero(text: str, number: int) -> None:
    assert parse_whole(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *(str(MAX), str(MAX + 1), "8Ei", "9Ei", "100E"),
        *("1e30", "1e999999999999999999", "1e9999999999999999999", "9" * 9000, "9" * 30 + "Ei"),
    ],
)
def test_what_does_not_fit_is_the_most(text: str) -> None:
    assert parse_whole(text) == MAX
    assert parse_whole(f"-{text}") == -MAX


def test_just_below_the_most() -> None:
    assert parse_whole(str(MAX - 1)) == MAX - 1
    assert parse_whole("7Ei") == 7 * 2**60
    assert parse_whole("9223372036854775806500m") == MAX


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "--1", "1-", "1.2.3", "1,5", "1_000", "0x1", "NaN", "Inf", "lots"),
        *("K", "1K", "1ki", "1i", "1kk", "1Mk", "Kik", "1b"),
        *("e", "1e", "1e+", "1e3.5", "1e3k", "1ke3", "1e99999999999999999999"),
        *("\u0661", "1e\u0661"),
    ],
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError, match=r"quantity|suffix"):
        parse_whole(text)


def test_reasons_name_the_suffixes() -> None:
    for text, reason in (
        ("", "a quantity is a number and a suffix like k, M, Ki, m or e3"),
        ("1kk", "the suffix is none of n u m k M G T P E Ki Mi Gi Ti Pi Ei, e3 or E3"),
    ):
        with pytest.raises(QuantityError) as caught:
            parse_whole(text)
        assert str(caught.value) == reason


def test_hostile_lengths_are_read_in_no_time() -> None:
    """A text of a megabyte, refused at its last character: quadratic work would take hours."""
    with pytest.raises(QuantityError):
        parse_whole("1" * 1_000_000 + "!")


@given(
    st.integers(0, 10**25), st.text("0123456789", max_size=70), st.sampled_from(sorted(FACTORS)), st.sampled_from("+-")
)
@example(0, "5" + "0" * 60, "Ei", "+")
def test_against_fractions(whole: int, decimals: str, suffix: str, sign: str) -> None:
    exact = (whole + Fraction(int(decimals or "0"), 10 ** len(decimals))) * FACTORS[suffix]
    expected = min(math.ceil(exact), MAX)
    assert parse_whole(f"{sign}{whole}.{decimals}{suffix}") == (-expected if sign == "-" else expected)


@given(st.text("0123456789.eEinumkKMGTP+- "))
def test_never_another_error(text: str) -> None:
    with contextlib.suppress(QuantityError):
        assert -MAX <= parse_whole(text) <= MAX
