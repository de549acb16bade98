"""Type definitions of one gob stream: what the sender calls 66 is a MsgKVs, with these fields in this order.

Invariants
1. Ids are the sender's choice and mean nothing here; fields are found by name, and an old peer may lack some.
2. An id is defined once. An id may be used in a definition before it is defined itself.
3. Counts and names are bounded before anything is kept (``Limits``).
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from typha.calico_wire.errors import BadGobError, TooManyError
from typha.calico_wire.gob import FIRST_USER_ID, MAX_ID, Cursor
from typha.calico_wire.limits import Limits


class Kind(Enum):
    """The seven forms of a defined type, in the order of gob's wireType."""

    ARRAY = 0
    SLICE = 1
    STRUCT = 2
    MAP = 3
    GOB_ENCODER = 4
    BINARY_MARSHALER = 5
    TEXT_MARSHALER = 6


OPAQUE: Final = frozenset({Kind.GOB_ENCODER, Kind.BINARY_MARSHALER, Kind.TEXT_MARSHALER})
"""Types whose value is bytes that they alone understand."""
_KINDS: Final = tuple(Kind)


class Field(NamedTuple):
    """One field of a struct type."""

    name: str
    type_id: int


class Definition(NamedTuple):
    """One defined type: ``fields`` of a STRUCT, ``element`` of ARRAY, SLICE and MAP, ``key`` of MAP."""

    name: str
    kind: Kind
    fields: tuple[Field, ...] = ()
    element: int = 0
    key: int = 0


@lru_cache(maxsize=256)
def _shared(definition: Definition) -> Definition:
    """The one object for all equal definitions: agents of one version send the same, 3 KB for each connection."""
    return definition


class Definitions:
    """All types that one stream has defined so far."""

    __slots__ = ("_by_id", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_id: dict[int, Definition] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, type_id: int) -> Definition | None:
        """None: not defined (yet), or one of gob's own."""
        return self._by_id.get(type_id)

    def describe(self, type_id: int) -> str:
        """For errors."""
        definition = self._by_id.get(type_id)
        return f"{definition.name!r}" if definition is not None else f"type {type_id}"

    def receive(self, type_id: int, cursor: Cursor) -> None:
        """Read the definition of ``type_id``. Raises BadGobError, TooManyError, TooLargeError."""
        if not FIRST_USER_ID <= type_id <= MAX_ID:
            raise BadGobError(f"a definition of type {type_id}; a sender's own start at {FIRST_USER_ID}")
        if type_id in self._by_id:
            raise BadGobError(f"type {type_id} is defined twice")
        if len(self._by_id) >= self._limits.definitions:
            raise TooManyError("type definitions", len(self._by_id) + 1, self._limits.definitions)
        form = self._delta(cursor, -1, len(_KINDS))
        if form is None:
            raise BadGobError("a type definition that defines nothing")
        self._by_id[type_id] = _shared(self._read(_KINDS[form], cursor))
        if self._delta(cursor, form, len(_KINDS)) is not None:
            raise BadGobError("a type definition of two forms")

    def _read(self, kind: Kind, cursor: Cursor) -> Definition:
        """CommonType first, then what the form adds: Elem and Len, Elem, Field, or Key and Elem."""
        name, numbers, at = "", [0, 0], -1
        fields: tuple[Field, ...] = ()
        width = {Kind.ARRAY: 3, Kind.SLICE: 2, Kind.STRUCT: 2, Kind.MAP: 3}.get(kind, 1)
        while (found := self._delta(cursor, at, width)) is not None:
            at = found
            if at == 0:
                name = self._named(cursor, "type").name
            elif kind is Kind.STRUCT:
                fields = self._read_fields(cursor)
            else:
                numbers[at - 1] = cursor.signed()
        if kind is Kind.MAP:
            return Definition(name, kind, key=numbers[0], element=numbers[1])
        return Definition(name, kind, fields, element=numbers[0])

    def _read_fields(self, cursor: Cursor) -> tuple[Field, ...]:
        count = cursor.length()
        if count > self._limits.fields:
            raise TooManyError("fields of one struct type", count, self._limits.fields)
        return tuple(self._named(cursor, "field") for _ in range(count))

    def _named(self, cursor: Cursor, what: str) -> Field:
        """A struct of Name and Id: gob's CommonType and fieldType are alike."""
        name, type_id, at = "", 0, -1
        while (found := self._delta(cursor, at, 2)) is not None:
            at = found
            if at == 0:
                name = cursor.text(self._limits.name_bytes, f"name of a {what}")
            else:
                type_id = cursor.signed()
        return Field(name, type_id)

    @staticmethod
    def _delta(cursor: Cursor, at: int, width: int) -> int | None:
        """The index of the struct's next field; None at its end."""
        delta = cursor.unsigned()
        if delta == 0:
            return None
        if at + delta >= width:
            raise BadGobError("a type definition with a field that gob does not have")
        return at + delta
