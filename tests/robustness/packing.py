"""msgpack by hand, so that it can be wrong in a chosen place. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that stand for a value as they are."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map whose keys may repeat and be of any type."""

    pairs: tuple[tuple[Any, Any], ...]


def pack(value: Any) -> bytes:
    """The value, with maps (dict, Pairs), lists and Raw inside."""
    match value:
        case Raw():
            return value.encoded
        case None | bool():
            return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
        case int():
            return struct.pack(">BQ", 0xCF, value) if value >= 0 else struct.pack(">Bq", 0xD3, value)
        case float():
            return struct.pack(">Bd", 0xCB, value)
        case str():
            encoded = value.encode("utf-8", "surrogatepass")
            return struct.pack(">BI", 0xDB, len(encoded)) + encoded
        case bytes():
            return struct.pack(">BI", 0xC6, len(value)) + value
        case list() | tuple():
            return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
        case dict():
            return pack(Pairs(tuple(value.items())))
        case Pairs():
            packed = b"".join(pack(key) + pack(item) for key, item in value.pairs)
            return struct.pack(">BI", 0xDF, len(value.pairs)) + packed
        case _:
            raise TypeError(f"no msgpack for {type(value).__name__}")
