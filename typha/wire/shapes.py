"""Typed access to decoded msgpack: every accessor raises BadPayloadError that names the field.

Numbers on the wire are checked for range here, so that no stage behind it meets a negative cursor or a NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgpack

from typha.wire.errors import BadPayloadError

MAX_U64: Final = 2**64 - 1


class Shape:
    """A decoded value with the frame type it came from."""

    __slots__ = ("frame_type",)

    def __init__(self, frame_type: int) -> None:
        self.frame_type = frame_type

    def fail(self, where: str, wanted: str, value: object) -> BadPayloadError:
        """The error to raise; the peer's value is named by type only, it may be large or secret."""
        return BadPayloadError(self.frame_type, f"{where} is {type(value).__name__}, expected {wanted}")

    def unpack(self, payload: bytes, *, max_array: int, max_map: int) -> Any:
        """msgpack -> Python with every limit set. Five bytes can claim an array of 4 Gi items."""
        try:
            return msgpack.unpackb(
                payload,
                max_str_len=len(payload),
                max_bin_len=len(payload),
                max_array_len=max_array,
                max_map_len=max_map,
                max_ext_len=0,
            )
        except Exception as error:  # noqa: BLE001 - msgpack raises ValueError, TypeError, RecursionError and its own
            raise BadPayloadError(self.frame_type, f"not one msgpack value within limits ({error})") from None

    def integer(self, value: Any, where: str, low: int = 0, high: int = MAX_U64) -> int:
        """An int (never a bool) in [low, high]."""
        if type(value) is not int or not low <= value <= high:
            raise self.fail(where, f"an integer from {low} to {high}", value)
        return value

    def optional_integer(self, value: Any, where: str) -> int | None:
        """An u64 or nil."""
        return None if value is None else self.integer(value, where)

    def number(self, value: Any, where: str) -> float:
        """A finite number that is not negative."""
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise self.fail(where, "a number from 0", value)
        return float(value)

    def text(self, value: Any, where: str, max_length: int) -> str:
        """A string of at most ``max_length`` characters."""
        if type(value) is not str:
            raise self.fail(where, "a string", value)
        if len(value) > max_length:
            raise BadPayloadError(self.frame_type, f"{where} has {len(value)} characters, at most {max_length}")
        return value

    def binary(self, value: Any, where: str, length: int | None = None) -> bytes:
        """Bytes, of exactly ``length`` where given."""
        if type(value) is not bytes or (length is not None and len(value) != length):
            raise self.fail(where, f"binary of {length} bytes" if length is not None else "binary", value)
        return value

    def array(self, value: Any, where: str, length: int | None = None) -> list[Any]:
        """A list, of exactly ``length`` items where given."""
        if type(value) is not list:
            raise self.fail(where, "an array", value)
        if length is not None and len(value) != length:
            raise BadPayloadError(self.frame_type, f"{where} has {len(value)} items, expected {length}")
        return value

    def texts(self, value: Any, where: str, max_length: int) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(self.text(item, where, max_length) for item in self.array(value, where))

    def map(self, value: Any, where: str) -> Mapping[str, Any]:
        """A map with string keys."""
        if type(value) is not dict:
            raise self.fail(where, "a map", value)
        if not all(type(key) is str for key in value):
            raise BadPayloadError(self.frame_type, f"{where} has a key that is not a string")
        return value


class FlatReader:
    """A payload read item by item: long flat lists, in which nothing may nest.

    ``unpack`` of a list of lists claims each level's stated size at once; here a list is its header and scalars.
    Every method raises BadPayloadError.
    """

    __slots__ = ("_frame_type", "_size", "_unpacker")

    def __init__(self, frame_type: int, payload: bytes) -> None:
        self._frame_type = frame_type
        self._size = len(payload)
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=self._size or 1, max_array_len=0, max_map_len=0, max_ext_len=0
        )
        self._unpacker.feed(payload)

    def array_header(self, where: str, length: int | None = None) -> int:
        """The number of items that follow; exactly ``length`` where given."""
        try:
            count = int(self._unpacker.read_array_header())
        except (ValueError, msgpack.UnpackException) as error:
            raise BadPayloadError(self._frame_type, f"{where} is not an array ({error})") from None
        if count > self._size or (length is not None and count != length):
            raise BadPayloadError(self._frame_type, f"{where} claims {count} items in {self._size} bytes")
        return count

    def scalar(self) -> Any:
        """The next number, string, bool or nil."""
        try:
            return self._unpacker.unpack()
        except (ValueError, msgpack.UnpackException) as error:
            raise BadPayloadError(self._frame_type, f"expected a number or a string ({error})") from None

    @property
    def position(self) -> int:
        """Bytes read."""
        return int(self._unpacker.tell())

    def end(self) -> None:
        """Nothing may follow."""
        if self.position != self._size:
            raise BadPayloadError(self._frame_type, "trailing bytes")
