"""Chosen fields of an object: a struct type made from field paths, so that one decode reads only them.

Place: `passthrough` decodes an object's values through one projection and its filter attributes through another.

Invariants
1. What is encoded has the object's nesting; a field that is absent is left out, and so is a map left empty by that.
2. Items of a list keep their number and order: an item without the chosen fields is an empty map.
3. A field of another type than its path needs raises `ConversionError` that names the place.

Road not taken: decoding everything and picking: a pod has some 60 fields and agents want four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from typha.convert.converter import ConversionError
from typha.convert.field_paths import Tree, parse_path, tree_of

__all__ = ["Projection", "encode_msgpack"]

_UNSET: Final = msgspec.UNSET
_encode_msgpack = msgspec.msgpack.Encoder().encode

# Attribute of a struct, whether it holds a list, how to prune below it.
_Nested = tuple[str, bool, "_Pruning"]


class _Pruning:
    """Which attributes of one struct type hold structs, and which hold values."""

    __slots__ = ("leaves", "nested")

    def __init__(self, leaves: tuple[str, ...], nested: tuple[_Nested, ...]) -> None:
        self.leaves = leaves
        self.nested = nested

    def prune(self, node: Any) -> bool:
        """Unset empty structs below `node`; True where anything is left in it."""
        full = False
        for attribute, is_list, below in self.nested:
            child = getattr(node, attribute)
            if child is _UNSET:
                continue
            if child is None:
                setattr(node, attribute, _UNSET)
            elif is_list:
                full = True
                for item in child:
                    if item is not None:
                        below.prune(item)
            elif below.prune(child):
                full = True
            else:
                setattr(node, attribute, _UNSET)
        if full:
            return True
        # A loop and not any(): a generator per struct is a third of the conversion.
        for attribute in self.leaves:  # noqa: SIM110
            if getattr(node, attribute) is not _UNSET:
                return True
        return False


class Projection:
    """`paths` compiled. `constants` are top-level fields of the encoded map, whatever the object says."""

    def __init__(self, paths: Iterable[str], constants: Mapping[str, str] | None = None) -> None:
        """Raises FieldPathError."""
        self._tree = tree_of(paths)
        constants = dict(constants or {})
        for name in constants:
            self._tree.pop(name, None)
        self._constants = tuple((f"c{number}", text) for number, text in enumerate(constants.values()))
        struct, self._pruning = _compile(self._tree, constants)
        self._decode = msgspec.json.Decoder(struct).decode

    def decode(self, raw: bytes) -> Any:
        """The struct of `raw`, for accessors. Raises ConversionError."""
        try:
            return self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConversionError(str(error)) from None

    def convert(self, raw: bytes) -> bytes:
        """The chosen fields of the JSON object `raw` as a msgpack map. Raises ConversionError."""
        node = self.decode(raw)
        for attribute, text in self._constants:
            setattr(node, attribute, text)
        self._pruning.prune(node)
        return encode_msgpack(node)

    def accessor(self, path: str) -> Callable[[Any], Any]:
        """How to read one of the projection's paths (without `[]`) from what `decode` returns; None where absent."""
        segments = parse_path(path)
        tree, attributes = self._tree, []
        for name, _ in segments:
            attributes.append(f"f{list(tree).index(name)}")
            tree = tree[name][1]
            if not tree:
                break
        rest = tuple(segment.name for segment in segments[len(attributes) :])

        def read(node: Any) -> Any:
            for attribute in attributes:
                node = getattr(node, attribute)
                if node is _UNSET or node is None:
                    return None
            for name in rest:
                if not isinstance(node, dict):
                    return None
                node = node.get(name)
            return node

        return read


def encode_msgpack(value: Any) -> bytes:
    """`value` as msgpack. Raises ConversionError where an integer or the nesting is too large for it."""
    try:
        return _encode_msgpack(value)
    except (msgspec.MsgspecError, OverflowError, RecursionError) as error:
        raise ConversionError(f"cannot be written as msgpack: {error}") from None


def _compile(tree: Tree, constants: Iterable[str]) -> tuple[type[msgspec.Struct], _Pruning]:
    # Field names are arbitrary text; attributes are numbered and renamed.
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    leaves: list[str] = []
    nested: list[_Nested] = []
    for number, name in enumerate(constants):
        fields.append((f"c{number}", Any, _UNSET))
        rename[f"c{number}"] = name
    for number, (name, (is_list, below)) in enumerate(tree.items()):
        attribute = f"f{number}"
        rename[attribute] = name
        kind: Any = Any
        if below:
            struct, pruning = _compile(below, ())
            each: Any = struct | None
            kind = (list[each] | None if is_list else each) | msgspec.UnsetType
            nested.append((attribute, is_list, pruning))
        else:
            leaves.append(attribute)
        fields.append((attribute, kind, _UNSET))
    struct = msgspec.defstruct("Projected", fields, rename=rename, gc=False)
    return struct, _Pruning(tuple(leaves), tuple(nested))
