"""A gob stream in pieces of any size -> messages. One reader per stream; a decoder restart means a new reader.

    message := length(uint) payload        payload := -id definition | id value

Invariants
1. A length beyond the limit raises before one byte of that payload is buffered.
2. What is buffered is at most one message and what one read brought; definitions are bounded by ``Limits``.
3. Whatever the bytes, ``next_message`` returns a message or raises a PeerError, and after one always the same one.
4. A message may end inside an envelope, where a Go encoder defines a type that it uses for the first time: the
   envelope goes on in the next message. It may do so nowhere else.
5. A message that this direction does not have is refused by its name, before its definition or value is read.

Road not taken: a general gob library. There is none in Python that streams, and limits are most of the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from typha.calico_wire.definitions import Definitions, Kind
from typha.calico_wire.errors import BadGobError, PeerError, TooLargeError, UnexpectedMessageError
from typha.calico_wire.gob import INTERFACE, Cursor
from typha.calico_wire.limits import FROM_AGENT, FROM_SERVER, Limits
from typha.calico_wire.messages import AgentMessage, ServerMessage
from typha.calico_wire.shapes import AGENT_SHAPES, SERVER_SHAPES, Shape
from typha.calico_wire.values import Values

M = TypeVar("M")

_MESSAGE_FIELD = "Message"


@dataclass(slots=True)
class _Envelope(Generic[M]):
    """An envelope that is being read: its type, the last field seen, and the message whose value is still to come."""

    type_id: int
    index: int = -1
    shape: Shape[M] | None = None
    message: M | None = None


class GobReader(Generic[M]):
    """Bytes in, messages out. ``shapes``: registered name -> message, those that this direction has."""

    __slots__ = ("_buffer", "_definitions", "_envelope", "_failure", "_shapes", "_start", "_values", "limits")

    def __init__(self, shapes: Mapping[str, Shape[M]], limits: Limits) -> None:
        self.limits = limits
        self._shapes = shapes
        self._definitions = Definitions(limits)
        self._values = Values(self._definitions, limits)
        self._buffer = bytearray()
        self._start = 0
        self._envelope: _Envelope[M] | None = None
        self._failure: PeerError | None = None

    @property
    def buffered_bytes(self) -> int:
        """Bytes held that are not yet a gob message."""
        return len(self._buffer) - self._start

    def receive_data(self, data: bytes) -> None:
        """Append what the socket gave; then call ``next_message`` until it returns None."""
        if self._failure is not None:
            return
        self._buffer += data

    def next_message(self) -> M | None:
        """The next whole message, or None. Raises PeerError; after that, close."""
        if self._failure is not None:
            raise self._failure
        try:
            while (payload := self._next_payload()) is not None:
                message = self._read(Cursor(payload))
                if message is not None:
                    return message
        except PeerError as error:
            self._failure = error
            self._buffer.clear()
            self._start = 0
            raise
        return None

    def take_rest(self) -> bytes:
        """What was received behind the last message that came out: after a decoder restart, the next stream's."""
        rest = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = 0
        return rest

    def _next_payload(self) -> bytes | None:
        available = len(self._buffer) - self._start
        if not available:
            self._compact()
            return None
        first, body = self._buffer[self._start], self._start + 1
        length = first
        if first >= 128:
            body += 256 - first
            if first < 248:
                raise BadGobError(f"a length of {256 - first} bytes; gob has at most 8")
            if len(self._buffer) < body:
                return None
            length = int.from_bytes(self._buffer[self._start + 1 : body], "big")
        if length > self.limits.message_bytes:
            raise TooLargeError("message", length, self.limits.message_bytes)
        if len(self._buffer) < body + length:
            self._compact()
            return None
        self._start = body + length
        return bytes(memoryview(self._buffer)[body : self._start])

    def _compact(self) -> None:
        # Moving the rest to the front only here keeps many small messages in one read linear.
        if self._start:
            del self._buffer[: self._start]
            self._start = 0

    def _read(self, cursor: Cursor) -> M | None:
        """One gob message: a definition, or an envelope, or a part of one."""
        if self._envelope is None:
            type_id = cursor.signed()
            if type_id <= 0:
                self._definitions.receive(-type_id, cursor)
                if cursor.remaining:
                    raise BadGobError("bytes behind a type definition")
                return None
            self._envelope = _Envelope(type_id)
            self._values.begin_envelope()
        return self._read_envelope(self._envelope, cursor)

    def _read_envelope(self, envelope: _Envelope[M], cursor: Cursor) -> M | None:
        definition = self._definitions.get(envelope.type_id)
        if definition is None or definition.kind is not Kind.STRUCT:
            found = self._definitions.describe(envelope.type_id)
            raise BadGobError(f"a value of {found}, where an envelope belongs that was defined before")
        while True:
            if envelope.shape is not None:
                concrete = self._values.type_sequence(cursor)
                if concrete is None:
                    return None
                envelope.message = self._values.concrete(concrete, envelope.shape, cursor)
                envelope.shape = None
            delta = cursor.unsigned()
            if delta == 0:
                break
            envelope.index += delta
            if envelope.index >= len(definition.fields):
                raise BadGobError(f"an envelope with a field {envelope.index} that its definition lacks")
            name, type_id = definition.fields[envelope.index]
            if name == _MESSAGE_FIELD:
                envelope.shape = self._shape_of_message(type_id, envelope, cursor)
            else:
                self._values.skip(type_id, cursor)
        if cursor.remaining:
            raise BadGobError("bytes behind an envelope")
        if envelope.message is None:
            raise UnexpectedMessageError("")
        self._envelope = None
        return envelope.message

    def _shape_of_message(self, type_id: int, envelope: _Envelope[M], cursor: Cursor) -> Shape[M]:
        if type_id != INTERFACE or envelope.message is not None:
            raise BadGobError("an envelope whose Message is not one interface")
        name = cursor.text(self.limits.name_bytes, "name of a message")
        shape = self._shapes.get(name)
        if shape is None:
            raise UnexpectedMessageError(name)
        return shape


def agent_messages(limits: Limits = FROM_AGENT) -> GobReader[AgentMessage]:
    """What a server reads: one stream for the life of the connection."""
    return GobReader(AGENT_SHAPES, limits)


def server_messages(limits: Limits = FROM_SERVER) -> GobReader[ServerMessage]:
    """What an agent reads: one stream up to each decoder restart."""
    return GobReader(SERVER_SHAPES, limits)
