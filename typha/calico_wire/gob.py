"""Gob's building blocks: unsigned and signed numbers, and a cursor that reads them from one message.

Source: the documentation of Go's package encoding/gob ("Encoding Details").

Invariants
1. Whatever the bytes, a Cursor raises BadGobError (or TooLargeError) and nothing else; it never reads past its end.
2. Nothing is copied but what ``take`` and ``text`` return, and their length is checked against what is there first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from typha.calico_wire.errors import BadGobError, TooLargeError

# Type ids that every gob stream knows without a definition.
BOOL: Final = 1
INT: Final = 2
UINT: Final = 3
FLOAT: Final = 4
BYTES: Final = 5
STRING: Final = 6
COMPLEX: Final = 7
INTERFACE: Final = 8
# Below it are gob's own; a sender's definitions start here.
FIRST_USER_ID: Final = 64
# Ids are Go int32.
MAX_ID: Final = 2**31 - 1

_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(128))


def encode_uint(number: int) -> bytes:
    """Below 128 one byte; else one byte ``256 - k`` and k bytes, big endian, without leading zeros."""
    if number < 128:
        return _ONE_BYTE[number]
    length = (number.bit_length() + 7) >> 3
    return bytes((256 - length,)) + number.to_bytes(length, "big")


def encode_int(number: int) -> bytes:
    """The sign in the lowest bit, the rest complemented where it is set."""
    return encode_uint(number << 1 if number >= 0 else (~number << 1) | 1)


def encode_text(text: bytes) -> bytes:
    """A string or []byte: its length and itself."""
    return encode_uint(len(text)) + text


def encode_fields(fields: Iterable[bytes]) -> bytes:
    """A struct of encoded fields in their order; an empty one has the zero value, which gob omits."""
    parts, delta = [], 1
    for field in fields:
        if field:
            parts += [encode_uint(delta), field]
            delta = 1
        else:
            delta += 1
    return b"".join((*parts, b"\x00"))


class Cursor:
    """A place in the payload of one gob message."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._end - self._position

    def unsigned(self) -> int:
        """The next unsigned number."""
        position = self._position
        if position >= self._end:
            raise BadGobError("the message ends inside a value")
        first = self._data[position]
        if first < 128:
            self._position = position + 1
            return first
        length = 256 - first
        if length > 8:
            raise BadGobError(f"a number of {length} bytes; gob has at most 8")
        after = position + 1 + length
        if after > self._end:
            raise BadGobError("the message ends inside a number")
        self._position = after
        return int.from_bytes(self._data[position + 1 : after], "big")

    def signed(self) -> int:
        """The next signed number."""
        number = self.unsigned()
        return ~(number >> 1) if number & 1 else number >> 1

    def length(self) -> int:
        """The next unsigned number, as a count of bytes or values that are still to come: each has a byte or more."""
        length = self.unsigned()
        if length > self._end - self._position:
            raise BadGobError(f"{length} announced where the message has {self.remaining} bytes left")
        return length

    def skip(self, length: int) -> None:
        """Pass over ``length`` bytes, which ``length()`` gave."""
        self._position += length

    def take(self) -> bytes:
        """The next []byte."""
        length = self.length()
        start = self._position
        self._position = start + length
        return self._data[start : start + length]

    def text(self, limit_bytes: int, what: str) -> str:
        """The next string, at most ``limit_bytes`` long. Go's may hold any bytes; here they have to be UTF-8."""
        length = self.length()
        if length > limit_bytes:
            raise TooLargeError(what, length, limit_bytes)
        start = self._position
        self._position = start + length
        try:
            return self._data[start : start + length].decode()
        except UnicodeDecodeError:
            raise BadGobError(f"{what} is not UTF-8") from None
