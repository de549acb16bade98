"""What a reader accepts, each number with its reason. One set for a server that reads agents, one for the other way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of one reader; beyond any of them it raises and is done."""

    message_bytes: int
    """One gob message, checked before a byte of it is buffered."""
    definitions: int
    """Types that one stream may define: Calico's agents define 6, real Typha 9."""
    fields: int
    """Fields of one struct type: the widest message has 8."""
    name_bytes: int
    """A name of a type, a field or a concrete type: the longest there is has 62 bytes. (Go's reader: 1,024.)"""
    text_bytes: int
    """One string value."""
    elements: int
    """Elements of one slice that is read."""
    skipped_values: int
    """Values skipped in one envelope because this side does not know their field: bounds time, not memory."""
    nesting: int
    """Levels of types within types in what is skipped."""


# Real Typha refuses inbound messages above 1 MiB. A hello of an honest agent has below 400 bytes and one slice with
# one element; host names end at 253 bytes and Info at some 100. All definitions at their limits are 0.3 MB.
FROM_AGENT: Final = Limits(
    message_bytes=1024 * 1024,
    definitions=32,
    fields=32,
    name_bytes=128,
    text_bytes=4096,
    elements=64,
    skipped_values=1024,
    nesting=16,
)

# Calico's client was seen to accept a message of 60 MB; Typha itself sends 100 KVs a message, or 1,000 before snappy.
FROM_SERVER: Final = Limits(
    message_bytes=64 * 1024 * 1024,
    definitions=64,
    fields=64,
    name_bytes=256,
    text_bytes=64 * 1024 * 1024,
    elements=1_000_000,
    skipped_values=1_000_000,
    nesting=16,
)
