"""Kubernetes quantities (`10M`, `1500m`, `4Gi`, `1e6`) as whole numbers, rounded as Kubernetes' `Quantity.Value` does.

Place: `qos` reads annotations of pods with it. Source: apimachinery `pkg/api/resource`, its parser included: a missing
number before a suffix is zero (`k`), so is a lone sign; a point needs no digits on either side.

Invariants
1. Never a float: the result is exact, and what is lost to rounding goes away from zero.
2. The work is bounded by the length of the text: no power is raised that its digits do not need.

Road not taken: `decimal`; its context would round, its exponents overflow, and the rule is a dozen lines of text.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX", "QuantityError", "parse_whole"]

MAX: Final = 2**63 - 1
"""What does not fit an int64 counts as this much, with its sign. Kubernetes leaves the overflow undefined."""

# Digits of the largest int64, before the point or in an exponent.
_MAX_DIGITS: Final = 19
# A multiple of 1/2**60 (one byte under the largest binary suffix) has at most 60 decimals; what follows can only say
# whether anything follows.
_BINARY_DECIMALS: Final = 60

_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
# Possessive: no text takes longer than its length.
_QUANTITY: Final = re.compile(r"([+-]?)([0-9]*+)(?:\.([0-9]*+))?([eEinumkKMGTP]*+[+-]?[0-9]*+)")
_EXPONENT: Final = re.compile(r"[eE]([+-]?)0*+([0-9]*+)")


class QuantityError(ValueError):
    """The text is no quantity."""


def parse_whole(text: str) -> int:
    """The quantity as a whole number between -MAX and MAX. Raises QuantityError."""
    matched = _QUANTITY.fullmatch(text)
    if not text or matched is None:
        raise QuantityError("a quantity is a number and a suffix like k, M, Ki, m or e3")
    sign, whole, decimals, suffix = matched[1], matched[2].lstrip("0"), (matched[3] or "").rstrip("0"), matched[4]
    if suffix in _BINARY:
        magnitude = _times_power_of_two(whole, decimals, _BINARY[suffix])
    else:
        magnitude = _times_power_of_ten(whole, decimals, _decimal_exponent(suffix))
    magnitude = min(magnitude, MAX)
    return -magnitude if sign == "-" else magnitude


def _decimal_exponent(suffix: str) -> int:
    if suffix in _DECIMAL:
        return _DECIMAL[suffix]
    matched = _EXPONENT.fullmatch(suffix)
    if matched is None or not suffix[-1].isdigit() or len(matched[2]) > _MAX_DIGITS:
        raise QuantityError("the suffix is none of n u m k M G T P E Ki Mi Gi Ti Pi Ei, e3 or E3")
    exponent = int(matched[2] or "0")
    return -exponent if matched[1] == "-" else exponent


def _times_power_of_ten(whole: str, decimals: str, exponent: int) -> int:
    digits = (whole + decimals).lstrip("0")
    if not digits:
        return 0
    point = len(digits) - len(decimals) + exponent
    if point > _MAX_DIGITS:
        return MAX
    if point <= 0:
        return 1
    # Without trailing zeros any digit behind the point is something to round up.
    kept, lost = digits[:point].ljust(point, "0"), digits[point:].strip("0")
    return int(kept) + bool(lost)


def _times_power_of_two(whole: str, decimals: str, exponent: int) -> int:
    if len(whole) > _MAX_DIGITS:
        return MAX
    kept, lost = decimals[:_BINARY_DECIMALS], decimals[_BINARY_DECIMALS:]
    scale: int = 10 ** len(kept)
    product = int(whole + kept or "0") << exponent
    # What was cut off is less than one multiple of 1/2**60: it can only round up what was exact.
    return -(-product // scale) + (bool(lost) and product % scale == 0)
