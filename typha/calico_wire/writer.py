"""Typed messages -> bytes to an agent. A KV is encoded once, and its bytes serve in every snapshot chunk and delta.

Invariants
1. All bytes made here are context-free behind one ``PREAMBLE`` of their stream: they are shared between agents.
2. Whole messages only: a caller never interleaves the bytes of two.
3. What this language cannot say is refused here (UnencodableError): above all an empty value, which an agent would
   take for a deletion.

Road not taken: writing a message straight from objects. An element costs ten times what joining it costs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from typha.calico_wire.errors import UnencodableError
from typha.calico_wire.gob import encode_fields, encode_int, encode_text, encode_uint
from typha.calico_wire.messages import PACKAGE, SyncStatus, UpdateType
from typha.calico_wire.preamble import (
    DECODER_RESTART_ID,
    ENVELOPE_ID,
    KVS_ID,
    PING_ID,
    SERVER_HELLO_ID,
    SYNC_STATUS_ID,
)
from typha.calico_wire.times import encode_time

_MAX_UINT64: Final = 2**64 - 1


def _envelope_head(name: str, type_id: int) -> bytes:
    """Everything between a message's length and its value's: envelope, its one field, the concrete type."""
    return encode_int(ENVELOPE_ID) + b"\x01" + encode_text((PACKAGE + name).encode()) + encode_int(type_id)


_SERVER_HELLO: Final = _envelope_head("MsgServerHello", SERVER_HELLO_ID)
_DECODER_RESTART: Final = _envelope_head("MsgDecoderRestart", DECODER_RESTART_ID)
_SYNC_STATUS: Final = _envelope_head("MsgSyncStatus", SYNC_STATUS_ID)
_PING: Final = _envelope_head("MsgPing", PING_ID)
_KVS: Final = _envelope_head("MsgKVs", KVS_ID)


def _message(head: bytes, *fields: bytes) -> bytes:
    value = encode_fields(fields)
    rest = head + encode_uint(len(value)) + value + b"\x00"
    return encode_uint(len(rest)) + rest


def _text(text: str) -> bytes:
    return encode_text(text.encode()) if text else b""


# What stands between a value (or a key, of a deletion) and the characters of a revision shorter than 126 bytes: the
# field's delta, the concrete type "string", its id 6, the length of the rest, 00, the length of the characters.
_STRING: Final = encode_text(b"string") + encode_int(6)
_SHORT_REVISION: Final = 126
_AFTER_VALUE: Final = tuple(b"\x01" + _STRING + bytes((n + 2, 0, n)) for n in range(_SHORT_REVISION))
_AFTER_KEY: Final = tuple(b"\x02" + _STRING + bytes((n + 2, 0, n)) for n in range(_SHORT_REVISION))
# From Revision (field 2) or V3ResourceVersion (3) to UpdateType (5), and the end of the element.
_AFTER_REVISION: Final = tuple(b"\x03" + bytes((kind,)) + b"\x00" if kind else b"\x00" for kind in range(4))
_AFTER_V3: Final = tuple(b"\x02" + bytes((kind,)) + b"\x00" if kind else b"\x00" for kind in range(4))
_ONE: Final = tuple(b"\x01" + bytes((number,)) for number in range(128))


def encode_element(
    key: str, value: bytes | None, revision: str, v3_resource_version: str, update_type: UpdateType
) -> bytes:
    """One KV, to be joined into messages by ``encode_kvs`` any number of times.

    ``value`` None: a deletion, which is UpdateType.DELETED and carries an empty ``revision`` where Typha sends it.
    """
    if value is None:
        if update_type != UpdateType.DELETED:
            raise UnencodableError(f"{key}: no value and update type {update_type}; only a deletion has no value")
    elif not value or update_type == UpdateType.DELETED:
        raise UnencodableError(f"{key}: an agent takes an empty value for a deletion; say so with value None")
    try:
        encoded_key, encoded_revision, encoded_v3 = key.encode(), revision.encode(), v3_resource_version.encode()
    except UnicodeEncodeError:
        raise UnencodableError(f"{key!r}: key or revision is not Unicode text") from None
    size = len(encoded_key)
    if not size:
        raise UnencodableError("a KV without key")
    head = _ONE[size] if size < 128 else b"\x01" + encode_uint(size)
    length = len(encoded_revision)
    if length < _SHORT_REVISION:
        before = _AFTER_KEY[length] if value is None else _AFTER_VALUE[length]
    else:
        before = (b"\x02" if value is None else b"\x01") + _STRING
        before += encode_uint(1 + len(encode_uint(length)) + length) + b"\x00" + encode_uint(length)
    v3 = b"\x01" + encode_text(encoded_v3) if encoded_v3 else b""
    tail = v3 + (_AFTER_V3 if v3 else _AFTER_REVISION)[update_type]
    if value is None:
        return b"".join((head, encoded_key, before, encoded_revision, tail))
    size = len(value)
    middle = _ONE[size] if size < 128 else b"\x01" + encode_uint(size)
    return b"".join((head, encoded_key, middle, value, before, encoded_revision, tail))


def encode_kvs(elements: Collection[bytes]) -> bytes:
    """MsgKVs of elements from ``encode_element``, in their order. None at all is a legal message, too."""
    if not elements:
        return _message(_KVS)
    count = b"\x01" + encode_uint(len(elements))
    # Beside the elements: the count and the struct's end mark; then the head, that length and the envelope's end mark.
    value_size = sum(map(len, elements)) + len(count) + 1
    value_length = encode_uint(value_size)
    message_length = encode_uint(len(_KVS) + len(value_length) + value_size + 1)
    return b"".join((message_length, _KVS, value_length, count, *elements, b"\x00\x00"))


def encode_server_hello(version: str, syncer_type: str, connection_id: int) -> bytes:
    """The first message. ``syncer_type`` as the agent asked ("" there is "felix" here); ``connection_id`` from 1."""
    if not syncer_type or not 0 < connection_id <= _MAX_UINT64:
        raise UnencodableError(f"a server hello for feed {syncer_type!r} and connection {connection_id}")
    # SupportsNodeResourceUpdates is always true: an agent drops the server otherwise.
    return _message(_SERVER_HELLO, _text(version), _text(syncer_type), b"\x01", encode_uint(connection_id))


def encode_decoder_restart(message: str, compression_algorithm: str) -> bytes:
    """Last message of a stream; until the agent's Ack not one byte may follow. ``message`` is for its log."""
    return _message(_DECODER_RESTART, _text(message), _text(compression_algorithm))


_STATUS: Final = {status: _message(_SYNC_STATUS, encode_uint(status) if status else b"") for status in SyncStatus}


def encode_status(status: SyncStatus) -> bytes:
    """MsgSyncStatus. IN_SYNC only behind a whole snapshot: agents delete what it did not bring."""
    return _STATUS[status]


def encode_ping(unix_ns: int) -> bytes:
    """MsgPing with the time, in nanoseconds since the Unix epoch; the Pong brings it back."""
    return _message(_PING, encode_text(encode_time(unix_ns)))
