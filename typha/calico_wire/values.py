"""Values of one gob stream, by the sender's definitions: known fields become attributes, all others are skipped.

Invariants
1. A struct type is matched to a Shape by field names once; a field of another type than the Shape wants is an error.
2. Skipping allocates nothing, and its count of values (``skipped_values``) and levels is bounded.
3. Counts are compared with the bytes that are left before a list of that length is made.

Road not taken: decoding into generic dicts first. A message of 1 MiB could then claim 100 times its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from typha.calico_wire.definitions import OPAQUE, Definitions, Kind
from typha.calico_wire.errors import BadGobError, TooManyError
from typha.calico_wire.gob import BOOL, BYTES, COMPLEX, FLOAT, INT, INTERFACE, STRING, UINT, Cursor
from typha.calico_wire.limits import Limits
from typha.calico_wire.shapes import UPDATE, Shape, Want
from typha.calico_wire.times import decode_time

M = TypeVar("M")
Read = Callable[[Cursor], Any]

_MAX_UINT8: Final = 255
# Builtin types whose value is one number, and those that are a length and so many bytes.
_NUMBERS: Final = frozenset({BOOL, INT, UINT, FLOAT})
_LENGTHS: Final = frozenset({BYTES, STRING})
_BUILTIN: Final = {
    Want.BOOL: BOOL,
    Want.INT: INT,
    Want.UINT: UINT,
    Want.UINT8: UINT,
    Want.TEXT: STRING,
    Want.BYTES: BYTES,
    Want.TEXT_IN_INTERFACE: INTERFACE,
}


def _uint8(cursor: Cursor) -> int:
    number = cursor.unsigned()
    if number > _MAX_UINT8:
        raise BadGobError(f"{number} where a number up to {_MAX_UINT8} belongs")
    return number


_READ: Final[dict[Want, Read]] = {
    Want.BOOL: lambda cursor: cursor.unsigned() != 0,
    Want.INT: Cursor.signed,
    Want.UINT: Cursor.unsigned,
    Want.UINT8: _uint8,
    Want.BYTES: Cursor.take,
    Want.TIME: lambda cursor: decode_time(cursor.take()),
}


class _Step(NamedTuple):
    """What is done for one field of the sender's struct; ``attribute`` empty: its value is dropped."""

    attribute: str
    read: Read


class Values:
    """Reads values of one stream. ``limits`` are the reader's."""

    __slots__ = ("_definitions", "_limits", "_plans", "_skipped")

    def __init__(self, definitions: Definitions, limits: Limits) -> None:
        self._definitions = definitions
        self._limits = limits
        self._plans: dict[tuple[int, str], tuple[_Step, ...]] = {}
        self._skipped = 0

    def begin_envelope(self) -> None:
        """The bound on skipped values starts anew."""
        self._skipped = 0

    def type_sequence(self, cursor: Cursor) -> int | None:
        """Definitions up to the id of the interface's value. None: the message ends first, and the next goes on.

        A Go encoder flushes what it has when a type appears for the first time, so the definitions of a concrete
        type stand inside the value that needs them, each with the rest of the buffer behind a length of its own.
        """
        while True:
            type_id = cursor.signed()
            if type_id > 0:
                return type_id
            self._definitions.receive(-type_id, cursor)
            if not cursor.remaining:
                return None
            cursor.length()

    def concrete(self, type_id: int, shape: Shape[M], cursor: Cursor) -> M:
        """The struct inside an interface, behind its length."""
        length, defined = cursor.length(), len(self._definitions)
        end = cursor.remaining - length
        value = self._struct(type_id, shape, cursor)
        # A definition inside the value stands behind the length that was written before it was known.
        if cursor.remaining != end and len(self._definitions) == defined:
            raise BadGobError(f"{shape.name} is not as long as it says")
        return value

    def _struct(self, type_id: int, shape: Shape[M], cursor: Cursor) -> M:
        plan = self._plans.get((type_id, shape.name))
        if plan is None:
            plan = self._plan(type_id, shape)
            if not shape.once:
                self._plans[type_id, shape.name] = plan
        values: dict[str, Any] = {}
        index = -1
        while delta := cursor.unsigned():
            index += delta
            if index >= len(plan):
                raise BadGobError(f"{shape.name} with a field {index} that its definition lacks")
            attribute, read = plan[index]
            value = read(cursor)
            if attribute:
                values[attribute] = value
        return shape.make(**values)

    def _plan(self, type_id: int, shape: Shape[Any]) -> tuple[_Step, ...]:
        definition = self._definitions.get(type_id)
        if definition is None or definition.kind is not Kind.STRUCT:
            raise BadGobError(f"{shape.name} as {self._definitions.describe(type_id)}, which is no defined struct")
        if len({field.name for field in definition.fields}) != len(definition.fields):
            raise BadGobError(f"{shape.name} is defined with two fields of one name")
        steps = []
        for name, field_type in definition.fields:
            if name not in shape.fields:
                steps.append(_Step("", self._skipper(field_type)))
                continue
            attribute, want = shape.fields[name]
            read = self._reader(field_type, want)
            if read is None:
                found = self._definitions.describe(field_type)
                raise BadGobError(f"{shape.name}.{name} is {found}; wanted is {want.name.lower()}")
            steps.append(_Step(attribute, read))
        return tuple(steps)

    def _reader(self, type_id: int, want: Want) -> Read | None:
        """None: the sender's type is another than the one wanted."""
        builtin = _BUILTIN.get(want)
        if builtin is not None:
            if type_id != builtin:
                return None
            return _READ.get(want) or (self._text if want is Want.TEXT else self._text_in_interface)
        definition = self._definitions.get(type_id)
        if definition is None:
            return None
        if want is Want.TIME:
            return _READ[want] if definition.kind in OPAQUE else None
        if definition.kind is not Kind.SLICE:
            return None
        if want is Want.UPDATES:
            return lambda cursor: self._slice(cursor, lambda one: self._struct(definition.element, UPDATE, one))
        return (lambda cursor: self._slice(cursor, self._text)) if definition.element == STRING else None

    def _text(self, cursor: Cursor) -> str:
        return cursor.text(self._limits.text_bytes, "text")

    def _slice(self, cursor: Cursor, read: Read) -> tuple[Any, ...]:
        count = cursor.length()
        if count > self._limits.elements:
            raise TooManyError("elements of one slice", count, self._limits.elements)
        return tuple([read(cursor) for _ in range(count)])

    def _text_in_interface(self, cursor: Cursor) -> str | None:
        if not cursor.text(self._limits.name_bytes, "name of a concrete type"):
            return None
        type_id = self.type_sequence(cursor)
        if type_id is None:
            raise BadGobError("the message ends inside an interface value")
        length = cursor.length()
        if type_id != STRING:
            cursor.skip(length)
            return None
        end = cursor.remaining - length
        if cursor.unsigned():
            raise BadGobError("a string in an interface does not start with 0")
        text = self._text(cursor)
        if cursor.remaining != end:
            raise BadGobError("a string in an interface is not as long as it says")
        return text

    def _skipper(self, type_id: int) -> Read:
        return lambda cursor: self.skip(type_id, cursor)

    def skip(self, type_id: int, cursor: Cursor, level: int = 0) -> None:
        """Pass over one value of a type that nobody here asks for."""
        self._skipped += 1
        if self._skipped > self._limits.skipped_values:
            raise TooManyError("values that are not known here", self._skipped, self._limits.skipped_values)
        if level > self._limits.nesting:
            raise TooManyError("levels of types", level, self._limits.nesting)
        if type_id in _NUMBERS:
            cursor.unsigned()
        elif type_id in _LENGTHS:
            cursor.skip(cursor.length())
        elif type_id == INTERFACE:
            if cursor.text(self._limits.name_bytes, "name of a concrete type"):
                if self.type_sequence(cursor) is None:
                    raise BadGobError("the message ends inside an interface value")
                cursor.skip(cursor.length())
        elif type_id == COMPLEX:
            cursor.unsigned()
            cursor.unsigned()
        else:
            self._skip_defined(type_id, cursor, level)

    def _skip_defined(self, type_id: int, cursor: Cursor, level: int) -> None:
        definition = self._definitions.get(type_id)
        if definition is None:
            raise BadGobError(f"a value of type {type_id}, which is not defined")
        if definition.kind in OPAQUE:
            cursor.skip(cursor.length())
        elif definition.kind is Kind.STRUCT:
            index = -1
            while delta := cursor.unsigned():
                index += delta
                if index >= len(definition.fields):
                    raise BadGobError(f"{definition.name!r} with a field {index} that its definition lacks")
                self.skip(definition.fields[index].type_id, cursor, level + 1)
        else:
            for _ in range(cursor.length()):
                if definition.kind is Kind.MAP:
                    self.skip(definition.key, cursor, level + 1)
                self.skip(definition.element, cursor, level + 1)
