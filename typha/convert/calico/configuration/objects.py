"""Configuration objects of Calico: one key per field, or the whole object, as its name says.

Place: `felix_configuration` and `cluster_information` are this with their own tables. Rules 4.8 and 4.9
(ClusterInformation, FelixConfiguration).

Invariants
1. `default` is the configuration of all nodes, `node.NAME` that of one node: each field that is set is one key whose
   value is text. Any other name is the whole v3 object under its v3 key, for agents to choose by `nodeSelector`.
2. A key has a non-empty text or is not there. Calico sends the key of an empty text (a pointer to `""`, an empty list
   or map, an empty override) without a value, which agents take for no key.
3. A field of a wrong type fails the whole object; the reason names it. Fields that the table lacks are ignored.
4. Keys of two objects never meet: names differ, so nodes differ.

Road not taken: sending what is right of an object that is wrong. Half of a configuration is another configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.configuration.kinds import Kind
from typha.convert.calico.metadata import Metadata, checked, is_qualified, restored, v3_object
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import Attribute, ConversionError, Converted

__all__ = ["Field", "Shape", "converted"]

_GLOBAL: Final = "default"
_NODE_PREFIX: Final = "node."
_GLOBAL_CONFIG: Final = "/calico/v1/config"
_OVERRIDE: Final = "config.projectcalico.org/"
"""An annotation of this prefix is the text of the key that follows it, whatever the spec says, unchecked."""


class Field(NamedTuple):
    """`name` in the object and `key` as the last part of the key path (empty: never a key of its own). `check` is
    applied in whole objects alone."""

    name: str
    key: str
    kind: Kind
    check: Callable[[Any], None] | None = None


class Shape(NamedTuple):
    """A kind of configuration object. `elsewhere` maps keys that have another path in the global configuration, and
    none in a node's."""

    kind: str
    plural: str
    fields: Sequence[Field]
    takes_overrides: bool
    elsewhere: Mapping[str, str]


class _Object(msgspec.Struct):
    metadata: Metadata | None = None
    spec: dict[str, msgspec.Raw] | None = None


_decode: Final = decoder_of(_Object)


def converted(shape: Shape, group: str, object_name: str, raw: bytes) -> Sequence[Converted]:
    """The entries of one object; their one attribute is the node, or None. Raises ConversionError."""
    node = object_name.removeprefix(_NODE_PREFIX) if object_name.startswith(_NODE_PREFIX) else None
    if node == "":
        raise ConversionError(f"metadata.name: no node is named after {_NODE_PREFIX}")
    decoded = _decode(raw)
    metadata = restored(decoded.metadata or Metadata(), group)
    values = _read(shape.fields, decoded.spec or {})
    if node is None and object_name != _GLOBAL:
        whole = _whole(shape, checked(metadata), values)
        return (Converted(keys.v3(shape.plural, object_name), encode(whole), _attributes(None)),)
    texts = {field.key: field.kind.text(values[field.name]) for field in shape.fields if field.name in values}
    texts.pop("", None)
    if shape.takes_overrides:
        texts.update(_overrides(metadata.annotations or {}))
    attributes = _attributes(node)
    found = []
    for name, text in texts.items():
        key = _key(shape, node, name)
        if text and key:
            found.append(Converted(key, encode(text), attributes))
    return found


def _attributes(node: str | None) -> tuple[Attribute, ...]:
    return (node,)


def _read(fields: Sequence[Field], spec: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """What the object sets, by the fields' names."""
    values = {}
    for field in fields:
        raw = spec.get(field.name)
        if raw is None:
            continue
        try:
            value = field.kind.read(raw)
        except ConversionError as error:
            raise ConversionError(f"spec.{field.name}: {error.reason}") from None
        if value is not None:
            values[field.name] = value
    return values


def _overrides(annotations: Mapping[str, str]) -> dict[str, str]:
    found = {name.removeprefix(_OVERRIDE): text for name, text in annotations.items() if name.startswith(_OVERRIDE)}
    # What the API server checks of annotations, it does not check of those that come back out of one.
    if not all(is_qualified(_OVERRIDE + name) for name in found):
        raise ConversionError(f"metadata.annotations: what follows {_OVERRIDE} is not the name of a key")
    return found


def _key(shape: Shape, node: str | None, name: str) -> str | None:
    if node is None:
        return shape.elsewhere.get(name) or f"{_GLOBAL_CONFIG}/{name}"
    return None if name in shape.elsewhere else keys.host_config(node, name)


def _whole(shape: Shape, metadata: Metadata, values: Mapping[str, Any]) -> dict[str, Any]:
    spec = {}
    for field in shape.fields:
        value = values.get(field.name)
        if value is None:
            if field.kind.if_absent is not None:
                spec[field.name] = field.kind.if_absent
            continue
        if field.check is not None:
            try:
                field.check(value)
            except ConversionError as error:
                raise ConversionError(f"spec.{field.name}: {error.reason}") from None
        spec[field.name] = field.kind.json(value)
    return v3_object(shape.kind, metadata, spec)
