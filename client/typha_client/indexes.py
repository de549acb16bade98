"""Indexes of a replica by a declared field: value of the field -> keys.

Its place: part of the replica; kept by its commit. Invariant: after each commit an index names exactly the keys
that are held and have that field. Road not taken: scanning on demand; each look would decode every value.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from typha_client.changes import decode_value

FieldPath = str | Sequence[str]
"""``"spec.nodeName"``, or a sequence of names where a name has a dot in it (a label)."""


def path_parts(path: FieldPath) -> tuple[str, ...]:
    """The names of a path. Raises ValueError for an empty one."""
    parts = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    if not parts or not all(parts):
        raise ValueError(f"field path {path!r} is empty or has an empty name; write it like 'spec.nodeName'")
    return parts


def field_values(value: Any, parts: tuple[str, ...]) -> Iterable[Hashable]:
    """The scalars at a path: none where it is absent, several where it is a list."""
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return ()
        value = value[part]
    if isinstance(value, list):
        return dict.fromkeys(item for item in value if isinstance(item, str | int | float | bool))
    return (value,) if isinstance(value, str | int | float | bool) else ()


class FieldIndex:
    """One index. ``keys(value)`` answers in insertion order."""

    __slots__ = ("_keys", "_values", "parts")

    def __init__(self, path: FieldPath) -> None:
        self.parts = path_parts(path)
        self._keys: dict[Hashable, dict[str, None]] = {}
        self._values: dict[str, tuple[Hashable, ...]] = {}

    def put(self, key: str, encoded: bytes) -> None:
        """Index a key's new value (replaces what it had)."""
        self.delete(key)
        values = tuple(field_values(decode_value(encoded, key), self.parts))
        if values:
            self._values[key] = values
            for value in values:
                self._keys.setdefault(value, {})[key] = None

    def delete(self, key: str) -> None:
        """Forget a key."""
        for value in self._values.pop(key, ()):
            members = self._keys[value]
            del members[key]
            if not members:
                del self._keys[value]

    def keys(self, value: Hashable) -> tuple[str, ...]:
        """Keys that have this value."""
        return tuple(self._keys.get(value, ()))

    def values(self) -> tuple[Hashable, ...]:
        """The values that occur."""
        return tuple(self._keys)
