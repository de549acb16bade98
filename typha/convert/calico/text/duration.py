"""Durations as Go writes and reads them: `1h30m`, `1m0.5s`, `250ms`.

Place: shared by the kinds whose fields are durations: v3 objects carry them in canonical form, configuration keys as
seconds or milliseconds (rules 4.8 and 4.9). Source: Go's package `time` (ParseDuration, Duration.String, Seconds) and
package `fmt` (`%v` of a float).

Invariants
1. A duration is a count of nanoseconds, a signed 64-bit integer; what does not fit is refused, as in Go.
2. `parse(canonical_text(ns)) == ns` for every duration.
3. Rounding is Go's to the last nanosecond: fractions go through floats where Go's do.

Road not taken: `fractions.Fraction`, which is exact where Go is not.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["canonical", "canonical_text", "milliseconds_text", "parse", "seconds_text"]

_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000

_UNITS: Final = {
    "ns": 1,
    "us": _MICROSECOND,
    "\u00b5s": _MICROSECOND,  # the micro sign
    "\u03bcs": _MICROSECOND,  # the Greek letter, which looks the same
    "ms": _MILLISECOND,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}

_EXPONENT_FROM: Final = 1e6  # Python's own is 1e16

_LIMIT: Final = 1 << 63  # the magnitude of the smallest int64; one more than the largest
_LAST: Final = _LIMIT - 1

# A number with at least one digit before or after its point, then everything up to the next number.
_PART: Final = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?([^.0-9]*)")
# No duration has more than 19 digits before the point; int() itself refuses very long texts.
_MOST_DIGITS: Final = 20


def parse(text: str) -> int:
    """Nanoseconds. ValueError says what Go refuses: no unit, an unknown one, no digits, more than 292 years."""
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError("a duration is empty")
    total = at = 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            raise ValueError("a duration has no digits where a number is due")
        whole, fraction, unit = part.groups()
        if not unit:
            raise ValueError("a duration has a number without a unit")
        if unit not in _UNITS:
            raise ValueError("a duration has an unknown unit (known are ns, us, ms, s, m, h)")
        total += _in_nanoseconds(whole, fraction or "", _UNITS[unit])
        if total > _LIMIT:
            raise ValueError("a duration is longer than 64 bits of nanoseconds")
        at = part.end()
    if total > _LAST and not negative:
        raise ValueError("a duration is longer than 64 bits of nanoseconds")
    return -total if negative else total


def _in_nanoseconds(whole: str, fraction: str, unit: int) -> int:
    value = int(whole.lstrip("0")[:_MOST_DIGITS] or "0") * unit
    # Go takes as many digits of a fraction as fit, and ignores the others.
    digits = scale = 0
    for digit in fraction:
        longer = digits * 10 + int(digit)
        if longer > _LIMIT:
            break
        digits, scale = longer, scale + 1
    if digits:
        value += int(float(digits) * (float(unit) / 10.0**scale))
    return value


def canonical_text(nanoseconds: int) -> str:
    """As Go prints it: `3m0s`, `1.5s`, `250ms`, `0s`."""
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left == 0:
        return "0s"
    if left < _MICROSECOND:
        return f"{sign}{left}ns"
    if left < _MILLISECOND:
        return f"{sign}{_decimal(left, _MICROSECOND)}\u00b5s"
    if left < _SECOND:
        return f"{sign}{_decimal(left, _MILLISECOND)}ms"
    minutes, rest = divmod(left, 60 * _SECOND)
    text = f"{_decimal(rest, _SECOND)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return sign + text


def canonical(text: str) -> str:
    """The canonical text of a duration written in any way. ValueError as `parse`."""
    return canonical_text(parse(text))


def seconds_text(nanoseconds: int) -> str:
    """As configuration keys hold it: `90`, `0.25`, `1e-09`, `1.08e+06`."""
    return _float_text(_ratio(nanoseconds, _SECOND))


def milliseconds_text(nanoseconds: int) -> str:
    """The same in milliseconds, for the few keys that count them: `50`, `0.5`."""
    return _float_text(_ratio(nanoseconds, _MILLISECOND))


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")


def _ratio(nanoseconds: int, unit: int) -> float:
    # Whole and rest are divided apart, both towards zero.
    whole, rest = divmod(abs(nanoseconds), unit)
    ratio = float(whole) + float(rest) / float(unit)
    return -ratio if nanoseconds < 0 else ratio


def _float_text(number: float) -> str:
    # Both languages print the shortest digits that read back, but Go's `%v` takes an exponent from a million up.
    text = repr(number).removesuffix(".0")
    if abs(number) < _EXPONENT_FROM:
        return text
    digits = text.strip("-0").replace(".", "")
    return f"{number:.{len(digits) - 1}e}"
