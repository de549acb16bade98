"""The other side: what a Calico agent writes and how it reads a server; for tests, benches and tools.

Invariants
1. ``ServerStream`` follows decoder restarts, plain and snappy, also where the bytes of several streams came at once
   (a recording); a live agent sends its Ack before the server goes on.
2. The definitions sent here are legal gob with ids unlike a server's: whoever hard-codes an id breaks on them.
"""

from __future__ import annotations

from typing import Final

from typha.calico_wire.errors import BadGobError, PeerError
from typha.calico_wire.gob import STRING, encode_fields, encode_int, encode_text, encode_uint
from typha.calico_wire.limits import FROM_SERVER, Limits
from typha.calico_wire.messages import PACKAGE, SNAPPY, Ack, AgentMessage, ClientHello, DecoderRestart, ServerMessage
from typha.calico_wire.reader import server_messages
from typha.calico_wire.snappy import SnappyReader
from typha.calico_wire.times import encode_time

_ENVELOPE_ID: Final = 164
_HELLO_ID: Final = 165
_ALGORITHMS_ID: Final = 166
_ACK_ID: Final = 167
_PONG_ID: Final = 168
_TIME_ID: Final = 169


def _common(name: str, type_id: int) -> bytes:
    return b"\x01" + encode_text(name.encode()) + b"\x01" + encode_int(type_id) + b"\x00"


def _definition(type_id: int, form: int, body: bytes) -> bytes:
    payload = encode_int(-type_id) + encode_uint(form) + body + b"\x00\x00"
    return encode_uint(len(payload)) + payload


def _struct(name: str, type_id: int, *fields: tuple[str, int]) -> bytes:
    listed = b"".join(_common(*field) for field in fields)
    return _definition(
        type_id, 3, b"\x01" + _common(name, type_id) + (b"\x01" + encode_uint(len(fields)) + listed if fields else b"")
    )


PREAMBLE: Final = b"".join(
    (
        _struct("Envelope", _ENVELOPE_ID, ("Message", 8)),
        _struct(
            "MsgClientHello",
            _HELLO_ID,
            ("Hostname", STRING),
            ("Info", STRING),
            ("Version", STRING),
            ("SyncerType", STRING),
            ("SupportsDecoderRestart", 1),
            ("SupportedCompressionAlgorithms", _ALGORITHMS_ID),
            ("SupportsModernPolicyKeys", 1),
            ("ClientConnID", 3),
        ),
        _definition(
            _ALGORITHMS_ID,
            2,
            b"\x01" + _common("[]syncproto.CompressionAlgorithm", _ALGORITHMS_ID) + b"\x01" + encode_int(STRING),
        ),
        _struct("MsgACK", _ACK_ID),
        _struct("MsgPong", _PONG_ID, ("PingTimestamp", _TIME_ID), ("PongTimestamp", _TIME_ID)),
        _definition(_TIME_ID, 5, b"\x01" + _common("Time", _TIME_ID)),
    )
)
"""Sent once, before an agent's first message."""


def encode_agent_message(message: AgentMessage) -> bytes:
    """The bytes of one message behind ``PREAMBLE``."""
    if isinstance(message, ClientHello):
        algorithms = [encode_text(name.encode()) for name in message.compression_algorithms]
        fields = [
            _text(message.hostname),
            _text(message.info),
            _text(message.version),
            _text(message.syncer_type),
            b"\x01" if message.supports_decoder_restart else b"",
            encode_uint(len(algorithms)) + b"".join(algorithms) if algorithms else b"",
            b"\x01" if message.supports_modern_policy_keys else b"",
            encode_uint(message.connection_id) if message.connection_id else b"",
        ]
        return _message("MsgClientHello", _HELLO_ID, fields)
    if isinstance(message, Ack):
        return _message("MsgACK", _ACK_ID, [])
    times = (message.ping_timestamp_ns, message.pong_timestamp_ns)
    return _message("MsgPong", _PONG_ID, [b"" if t is None else encode_text(encode_time(t)) for t in times])


def _text(text: str) -> bytes:
    return encode_text(text.encode()) if text else b""


def _message(name: str, type_id: int, fields: list[bytes]) -> bytes:
    head = encode_int(_ENVELOPE_ID) + b"\x01" + encode_text((PACKAGE + name).encode()) + encode_int(type_id)
    value = encode_fields(fields)
    payload = head + encode_uint(len(value)) + value + b"\x00"
    return encode_uint(len(payload)) + payload


class ServerStream:
    """All that a server sends on one connection. Bytes in, messages out, restarts among them."""

    def __init__(self, limits: Limits = FROM_SERVER) -> None:
        self._limits = limits
        self._gob = server_messages(limits)
        self._snappy: SnappyReader | None = None
        self._failure: PeerError | None = None

    def receive_data(self, data: bytes) -> None:
        """Append what the socket gave; then call ``next_message`` until it returns None."""
        if self._failure is None:
            (self._snappy or self._gob).receive_data(data)

    def next_message(self) -> ServerMessage | None:
        """The next whole message, or None. Raises PeerError, from then on always the same; close after it."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._next_message()
        except PeerError as error:
            self._failure = error
            raise

    def _next_message(self) -> ServerMessage | None:
        while True:
            message = self._gob.next_message()
            if isinstance(message, DecoderRestart):
                self._restart(message)
            if message is not None or self._snappy is None:
                return message
            content = self._snappy.next_content()
            if content is None:
                return None
            self._gob.receive_data(content)

    def _restart(self, restart: DecoderRestart) -> None:
        rest = self._gob.take_rest()
        if self._snappy is not None:
            if rest:
                raise BadGobError("a message behind a decoder restart in its chunk")
            rest = self._snappy.take_rest()
        self._gob = server_messages(self._limits)
        self._snappy = SnappyReader() if restart.compression_algorithm == SNAPPY else None
        self.receive_data(rest)
