"""One Calico agent's stream as a load reader sees it: restarts and pings answered, KVs counted. Pure.

1. Messages are found by their lengths and told apart by their first bytes; no value is decoded.
2. A snappy chunk is decompressed once per process, for whoever receives it first: length and checksum tell it apart.
   A message that begins in one chunk and ends in another is counted where it begins.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

import cramjam

from typha.calico_wire.agent import PREAMBLE, encode_agent_message
from typha.calico_wire.gob import encode_int, encode_text
from typha.calico_wire.messages import PACKAGE, SNAPPY, Ack, ClientHello, Pong, SyncStatus
from typha.calico_wire.preamble import ENVELOPE_ID, KVS_ID
from typha.calico_wire.snappy import STREAM_IDENTIFIER
from typha.calico_wire.writer import encode_decoder_restart, encode_ping, encode_status

_KVS: Final = encode_int(ENVELOPE_ID) + b"\x01" + encode_text((PACKAGE + "MsgKVs").encode()) + encode_int(KVS_ID)
_IN_SYNC: Final = encode_status(SyncStatus.IN_SYNC)
# Length, envelope, name and type of a ping: what follows is its time.
_PING: Final = encode_ping(0)[: len(encode_ping(0)) - 20]
_RESTART: Final = encode_decoder_restart("", SNAPPY)[1:40]
_ACK: Final = encode_agent_message(Ack())
_PONG: Final = encode_agent_message(Pong(1))
_CHUNK_HEADER_BYTES: Final = 4
_CHECKSUM_BYTES: Final = 4
# Rounds that agents may be apart, and the chunks of a snapshot.
_CHUNKS_KEPT: Final = 4096


class _Content(NamedTuple):
    """What a chunk or a plain read holds."""

    kvs: int
    is_in_sync: bool
    pings: int


_contents: dict[bytes, _Content] = {}


def greeting(number: int, feed: str, *, is_snappy: bool) -> bytes:
    """What an agent says first."""
    algorithms = (SNAPPY,) if is_snappy else ()
    hello = ClientHello(f"node-{number:04d}", "bench", "bench/1", feed, True, algorithms, True, number + 1)
    return PREAMBLE + encode_agent_message(hello)


class CalicoStream:
    """Counters of one connection, named as those of ``AgentStream``."""

    __slots__ = (
        "_is_snappy",
        "_rest",
        "ages_ms",
        "bytes",
        "changes",
        "frames",
        "is_recording",
        "is_synced",
        "position",
        "refusal",
        "replies",
        "throughs",
        "times_ns",
    )

    def __init__(self) -> None:
        self._rest = b""
        self._is_snappy = False
        self.bytes = self.frames = self.changes = self.position = 0
        self.is_synced = self.is_recording = False
        self.refusal = ""
        self.replies: list[bytes] = []
        self.throughs = array("Q")
        self.times_ns = array("q")
        self.ages_ms = array("q")

    def receive_data(self, data: bytes | memoryview, now_ns: int) -> None:
        """What the socket gave. Nothing of ``data`` is kept."""
        self.bytes += len(data)
        data = self._rest + bytes(data)
        self._rest = self._chunks(data) if self._is_snappy else self._messages(data)

    def _messages(self, data: bytes) -> bytes:
        start, size = 0, len(data)
        while start < size:
            body, first = start + 1, data[start]
            if first >= 128:
                body += 256 - first
                if size < body:
                    break
                first = int.from_bytes(data[start + 1 : body], "big")
            end = body + first
            if end > size:
                break
            self.frames += 1
            if data.startswith(_KVS, body):
                self.changes += _count(data, body + len(_KVS))
            elif data.startswith(_IN_SYNC, start):
                self.is_synced = True
            elif data.startswith(_PING, start):
                self.replies.append(_PONG)
            elif data.startswith(_RESTART, start + 1):
                self.replies.append(_ACK)
                self._is_snappy = True
                return data[end:]
            start = end
        return data[start:] if start else data

    def _chunks(self, data: bytes) -> bytes:
        start, size = 0, len(data)
        while size - start >= _CHUNK_HEADER_BYTES + _CHECKSUM_BYTES:
            end = start + _CHUNK_HEADER_BYTES + int.from_bytes(data[start + 1 : start + _CHUNK_HEADER_BYTES], "little")
            if end > size:
                break
            self.frames += 1
            if not data.startswith(STREAM_IDENTIFIER, start):
                content = _content(data[start : start + _CHUNK_HEADER_BYTES + _CHECKSUM_BYTES], data, start, end)
                self.changes += content.kvs
                self.is_synced = self.is_synced or content.is_in_sync
                if content.pings:
                    self.replies.append(_PONG * content.pings)
            start = end
        return data[start:] if start else data


def _content(known_by: bytes, data: bytes, start: int, end: int) -> _Content:
    found = _contents.get(known_by)
    if found is None:
        if len(_contents) >= _CHUNKS_KEPT:
            _contents.clear()
        text = bytes(cramjam.snappy.decompress(STREAM_IDENTIFIER + data[start:end]))
        kvs, at = 0, text.find(_KVS)
        while at >= 0:
            kvs += _count(text, at + len(_KVS))
            at = text.find(_KVS, at + len(_KVS))
        found = _contents[known_by] = _Content(kvs, _IN_SYNC in text, text.count(_PING))
    return found


def _count(data: bytes, at: int) -> int:
    """The number of KVs: behind the value's length and the field's delta, which an empty message lacks."""
    at += 1 if data[at] < 128 else 257 - data[at]
    if len(data) < at + 10 or not data[at]:
        return 0
    first = data[at + 1]
    return first if first < 128 else int.from_bytes(data[at + 2 : at + 258 - first], "big")
