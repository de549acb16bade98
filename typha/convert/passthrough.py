"""The converter of custom topics: an object as it is, or its chosen fields.

Place: made by `feeds` for every topic of the configuration file, once discovery has told `kind` and `apiVersion`.

Invariants
1. One object gives one entry; its key is the object's name (`namespace/name`, or `name`).
2. `apiVersion` and `kind` come first in every value, from discovery: list items lack them, watched objects have them.
3. `metadata.managedFields` never leaves the server: bookkeeping of writers, half of many objects' bytes.

Road not taken: sending the API server's JSON on. Agents decode msgpack anyway, and equal objects must have equal bytes
however the API server ordered `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from typha.convert.converter import Attribute, ConversionError, Converted, form_of
from typha.convert.projection import Projection, encode_msgpack

__all__ = ["VERSION", "Passthrough", "form_of_passthrough"]

# Raised when the same object and settings give other bytes than before; part of `form`.
VERSION: Final = 1

_encode_json = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Passthrough:
    """The whole object without managedFields, or its `fields` (dotted paths, see `field_paths`).

    `filters` maps attribute names to field paths. `selection` is whatever else decides which objects are in the topic
    (resource, namespace, selectors): it only enters `form`. Raises FieldPathError.
    """

    def __init__(
        self,
        kind: str,
        api_version: str,
        fields: Sequence[str] | None = None,
        filters: Mapping[str, str] | None = None,
        selection: Mapping[str, Any] | None = None,
    ) -> None:
        filters = dict(filters or {})
        self.standing: Sequence[Converted] = ()
        self.attributes = tuple(filters)
        self.form = form_of_passthrough(api_version, fields, filters, selection)
        self._constants = {"apiVersion": api_version, "kind": kind}
        self._value: Callable[[bytes], bytes] = self._whole
        if fields is not None:
            self._value = Projection(fields, self._constants).convert
        self._filters = Projection(filters.values())
        self._accessors = tuple((name, self._filters.accessor(path)) for name, path in filters.items())

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where a field has another type than its path needs."""
        value = self._value(raw)
        if not self._accessors:
            return (Converted(object_name, value, ()),)
        node = self._filters.decode(raw)
        return (Converted(object_name, value, tuple(_attribute(name, read(node)) for name, read in self._accessors)),)

    def _whole(self, raw: bytes) -> bytes:
        try:
            decoded = _decode_object(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConversionError(str(error)) from None
        metadata = decoded.get("metadata")
        if isinstance(metadata, dict):
            metadata.pop("managedFields", None)
        decoded.pop("apiVersion", None)
        decoded.pop("kind", None)
        return encode_msgpack({**self._constants, **decoded})


def form_of_passthrough(
    api_version: str,
    fields: Sequence[str] | None = None,
    filters: Mapping[str, str] | None = None,
    selection: Mapping[str, Any] | None = None,
) -> str:
    """The `form` of such a converter, also before discovery has told the kind (which follows from the resource)."""
    return form_of(
        converter="passthrough",
        version=VERSION,
        api_version=api_version,
        fields=None if fields is None else sorted(fields),
        filters=sorted((filters or {}).items()),
        selection=dict(selection or {}),
    )


def _attribute(name: str, value: Any) -> Attribute:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        if all(isinstance(each, str) for each in value.values()):
            return value
        raise ConversionError(f"filter {name}: the field is a map of other values than text")
    if isinstance(value, list):
        raise ConversionError(f"filter {name}: the field is a list; a filter needs text, a number, true/false or a map")
    return _encode_json(value).decode()  # numbers and booleans as JSON writes them
