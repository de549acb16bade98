"""Objects of the API server read as Go reads them: `null` is as good as not given.

Place: the kinds whose custom resources have many optional fields. Calico's schemas let a `null` through only here and
there, and an API server with open schemas everywhere; Go's decoder leaves a field alone where it meets one.

Road not taken: `| None` on every field of every struct. Each reader of a field would then have to think of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from typha.convert.converter import ConversionError

__all__ = ["reader_of"]

T = TypeVar("T")


def reader_of(kind: type[T]) -> Callable[[bytes], T]:
    """A reader of JSON objects into `kind`. It raises ConversionError, which names the field and the types."""
    decode = msgspec.json.Decoder(kind).decode
    decode_any = msgspec.json.Decoder().decode

    def read(raw: bytes) -> T:
        try:
            try:
                return decode(raw)
            except msgspec.ValidationError:
                return msgspec.convert(_without_nulls(decode_any(raw)), kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConversionError(f"does not decode: {error}") from None

    return read


def _without_nulls(value: Any) -> Any:
    # Those in lists stay: a list's nulls have places.
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
