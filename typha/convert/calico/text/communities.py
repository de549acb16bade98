"""BGP communities: `aa:nn` (16 bits each) and `aa:nn:mm` (32 bits each). Source: libcalico-go `validator/v3`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_community", "is_in_range"]

_COMMUNITY: Final = re.compile(r"[0-9]+:[0-9]+(:[0-9]+)?", re.ASCII)
_UINT16: Final = 0xFFFF
_UINT32: Final = 0xFFFFFFFF
# More digits than 32 bits have, unless they are zeros.
_DIGITS: Final = 10


def is_community(text: str) -> bool:
    """Whether it is written as one, whatever its numbers."""
    return _COMMUNITY.fullmatch(text) is not None


def is_in_range(community: str) -> bool:
    """Whether the numbers of what `is_community` says yes to fit."""
    numbers = [each.lstrip("0") for each in community.split(":")]
    largest = _UINT32 if len(numbers) == 3 else _UINT16
    return all(len(each) <= _DIGITS and int(each or "0") <= largest for each in numbers)
