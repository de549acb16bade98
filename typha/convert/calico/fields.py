"""Fields that objects of many kinds have: whole numbers of Go's widths, and texts in canonical form.

Place: between the parsers of `text`, which know no field, and the converters, whose errors name one.

Road not taken: parsers that take the field's name. Half of their callers ask whether a text parses, and show no error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from typha.convert.calico.text import timestamp
from typha.convert.converter import ConversionError

__all__ = ["Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "canonical_time", "parsed"]

T = TypeVar("T")

UInt8 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 8) - 1)]
UInt16 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 16) - 1)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
# No upper bound: msgspec knows none above 63 bits, and what msgpack cannot hold is an error when it is encoded.
UInt64 = Annotated[int, msgspec.Meta(ge=0)]
Int32 = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


def parsed(parse: Callable[[str], T], text: str, field: str) -> T:
    """What `parse` makes of the text. Its ValueError becomes a ConversionError that names the field."""
    try:
        return parse(text)
    except ValueError as error:
        raise ConversionError(f"{field}: {error}") from None


def canonical_time(text: str | None, field: str) -> str | None:
    """As Kubernetes writes it: in UTC, whole seconds. None stays None. Raises ConversionError."""
    return None if text is None else parsed(timestamp.canonical, text, field)
