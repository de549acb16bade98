"""Kubernetes objects that Calico hands on whole: a Service or an EndpointSlice without its kind.

Place: `service` and `endpoint_slice` decode with `read_object` and send what `metadata_of` leaves.

Invariants
1. `kind`, `apiVersion`, `metadata.managedFields` and `metadata.resourceVersion` are gone (Calico sends the last two).
2. Everything else is as the API server wrote it, fields of newer servers too: agents ignore what they do not know.
3. `metadata.labels` is a map of texts or not there: filters read it from the value.

Road not taken: Calico's structs. They are Kubernetes' own, of one version, with some hundred fields that change
nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from typha.convert.converter import ConversionError

__all__ = ["read_object"]

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_NOT_SENT: Final = ("managedFields", "resourceVersion")


def read_object(raw: bytes) -> dict[str, Any]:
    """The object's fields that are sent; `metadata` is a map. Raises ConversionError."""
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConversionError(f"does not decode: {error}") from None
    value.pop("kind", None)
    value.pop("apiVersion", None)
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise ConversionError("metadata: not a map")
    for name in _NOT_SENT:
        metadata.pop(name, None)
    labels = metadata.get("labels")
    if labels is not None and not (
        isinstance(labels, dict) and all(isinstance(label, str) for label in labels.values())
    ):
        raise ConversionError("metadata.labels: not a map of texts")
    return value
