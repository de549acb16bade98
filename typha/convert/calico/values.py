"""How values of Calico's model become bytes, and how objects of the API server are read into typed structs.

Rules of Go's encoder that every struct here follows, because Calico's agents see the difference
1. A field marked `omitempty` in Calico is left out when it is zero: the struct has `omit_defaults=True` and the zero
   as its default. A field without it is always written; a nil slice or map is `null`, not `[]`.
2. Numbers that are whole are written as integers, also where Go has a float (`order: 1000`).
3. Maps that do not come from the API server are written in sorted order: equal objects have equal bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from typha.convert.converter import ConversionError

__all__ = ["decoder_of", "encode", "labels_of", "whole"]

T = TypeVar("T")


class _Labelled(msgspec.Struct, gc=False):
    labels: dict[str, str] | None = None


_decode_labels: Final = msgspec.msgpack.Decoder(_Labelled).decode
encode: Final = msgspec.msgpack.Encoder().encode
"""A struct, dict or text as msgpack."""


def decoder_of(kind: type[T]) -> Callable[[bytes], T]:
    """A decoder of JSON objects into `kind`. It raises ConversionError, which names the field and the types."""
    decode = msgspec.json.Decoder(kind).decode

    def read(raw: bytes) -> T:
        try:
            return decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConversionError(f"does not decode: {error}") from None

    return read


def labels_of(value: bytes) -> Mapping[str, str]:
    """The labels that stand at the top of a v1 value, for filters."""
    return _decode_labels(value).labels or {}


def whole(number: float | None) -> Any:
    """Rule 2: 1000.0 is 1000. None stays None."""
    if number is None or number != int(number):
        return number
    return int(number)
