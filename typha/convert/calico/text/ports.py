"""Ports and protocols of rules: a number or a name, as Calico's API writes and reads both.

Place: used by `rules` and by the converters of policies.

Invariants (source: Calico's `api/pkg/lib/numorstring`)
1. A port is a number, a range `"80:90"` (low below high) or a name; a text of digits is a number, a range of one port
   is that number. Port 0 is no port: Calico's validation filter drops what holds it.
2. A protocol is a number of 0..255 or a lower-case name; a text of digits is a number. Which names exist is the
   validation's business, not decided here.
3. No text that a port or protocol cannot be reaches `int()`: hostile digits are not read by the thousand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from typha.convert.converter import ConversionError

__all__ = ["HIGHEST_PORT", "by_protocol", "port", "port_range", "protocol", "simplified"]

HIGHEST_PORT: Final = 65535
_HIGHEST_PROTOCOL: Final = 255
# Five digits hold every port; zeros before them change nothing.
_NUMBER: Final = re.compile(r"0*([0-9]{1,5})")
_RANGE: Final = re.compile(r"0*([0-9]{1,5}):0*([0-9]{1,5})")
_DIGITS: Final = re.compile(r"[0-9]+(:[0-9]+)?")
_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_PROTOCOL_NUMBER: Final = re.compile(r"0*([0-9]{1,3})")


def port(written: int | str, field: str) -> int | str:
    """The v1 form of a port that a user wrote. Raises ConversionError, which names `field`."""
    if isinstance(written, int):
        return port_range(written, written, field)
    if found := _NUMBER.fullmatch(written):
        return port_range(int(found[1]), int(found[1]), field)
    if found := _RANGE.fullmatch(written):
        return port_range(int(found[1]), int(found[2]), field)
    if _DIGITS.fullmatch(written):
        raise ConversionError(f"{field}: a port is above {HIGHEST_PORT}")
    if _NAME.fullmatch(written):
        return written
    raise ConversionError(
        f"{field}: a port is a number, a range like 80:90, or a name of letters, digits, `_`, `.`, `-`"
    )


def port_range(low: int, high: int, field: str) -> int | str:
    """The v1 form of the ports `low` to `high`. Raises ConversionError, which names `field`."""
    if not 1 <= low <= HIGHEST_PORT or not 1 <= high <= HIGHEST_PORT:
        raise ConversionError(f"{field}: a port is out of 1..{HIGHEST_PORT}")
    if low > high:
        raise ConversionError(f"{field}: a range of ports ends before it starts")
    return low if low == high else f"{low}:{high}"


def protocol(written: int | str, field: str) -> int | str:
    """The v1 form of a protocol. Raises ConversionError, which names `field`."""
    if isinstance(written, str):
        found = _PROTOCOL_NUMBER.fullmatch(written)
        if found is None or int(found[1]) > _HIGHEST_PROTOCOL:
            return written.lower()
        return int(found[1])
    if not 0 <= written <= _HIGHEST_PROTOCOL:
        raise ConversionError(f"{field}: a protocol number is out of 0..{_HIGHEST_PROTOCOL}")
    return written


def simplified(ports: Sequence[int | str]) -> list[int | str]:
    """`ports` (v1 forms) with the numeric ones merged into as few ranges as hold them, after the named ones.

    As Calico does it, a list with fewer than two numeric ports stays as it is.
    """
    names: list[int | str] = []
    ranges: list[tuple[int, int]] = []
    for each in ports:
        bounds = _bounds(each)
        if bounds is None:
            names.append(each)
        else:
            ranges.append(bounds)
    if not ranges or (len(ranges) == 1 and ranges[0][0] == ranges[0][1]):
        return list(ports)
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return names + [low if low == high else f"{low}:{high}" for low, high in merged]


def by_protocol(written: Iterable[tuple[str, int | str | None]]) -> list[tuple[str, list[int | str] | None]]:
    """Ports (v1 forms) by protocol, protocols sorted, ports simplified. A port None stands for every one, and so does
    the result's None: beside it the protocol's other ports say nothing."""
    found: dict[str, list[int | str] | None] = {}
    for name, each in written:
        if each is None:
            found[name] = None
        elif (so_far := found.setdefault(name, [])) is not None:
            so_far.append(each)
    return [(name, None if each is None else simplified(each)) for name, each in sorted(found.items())]


def _bounds(each: int | str) -> tuple[int, int] | None:
    if isinstance(each, int):
        return each, each
    low, colon, high = each.partition(":")
    return (int(low), int(high)) if colon else None
