"""One agent's stream as a load reader sees it: frame borders, positions and counts, no replica. Pure.

1. A shared frame of changes is decoded once per process, for whoever receives it first: what it covers up to and its
   length tell it from others.
2. A frame above LARGE_BYTES (of a snapshot) is counted by its header and skipped without being buffered; so is a
   compressed one before the first Bookmark: 5,000 readers of 10 MB must not be what is measured.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.compression import Dictionary, decompress
from typha.wire.entries import decode_entries
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, COMPRESSED, HEADER, Frame, FrameType, encode_frame

# Slices of a snapshot are 256 KiB; what 4,000 changes/s make in a round of 100 ms is 190.
LARGE_BYTES: Final = 240 * 1024
# Frame header, array of 4, topic id (one byte below 128), through as u64 or nil.
_THROUGH_AT: Final = HEADER.size + 2
_THROUGH: Final = struct.Struct(">BQ")
_PEEK_BYTES: Final = _THROUGH_AT + _THROUGH.size
_U64_TAG: Final = 0xCF
_COMPRESSED_ENTRIES: Final = FrameType.ENTRIES | COMPRESSED
# Rounds that agents may be apart: 50 a second.
_COUNTS_KEPT: Final = 4096
# Of a compressed frame: first literals, which have its mark, and last sequences. Hashing all of it would cost more than
# the rest of the reader.
_HEAD_BYTES: Final = 128
_TAIL_BYTES: Final = 32

# (position after the frame, length of the frame) -> changes in it.
_counts: dict[tuple[int, int], int] = {}
# (length, head, tail) of a compressed frame -> its mark, changes in it.
_contents: dict[tuple[int, bytes, bytes], tuple[tuple[int, int], int]] = {}
# Those of the server, which gives all its agents the same ones.
_dictionaries: dict[int, Dictionary] = {}


def _unlearned(_frame: bytes, _through: int, _changes: int) -> None:
    pass


class AgentStream:
    """Counters of one connection. ``replies`` is what it has to say to the server.

    ``learn`` is told each frame of live changes that had to be decoded: the frame, its position, changes in it.
    ``ages_ms``: of each topic in each Bookmark, how long ago the server had heard from the API server about it.
    ``buckets`` is what it answers a KeyDigest: those that an agent found that held the same.
    """

    __slots__ = (
        "_buckets",
        "_learn",
        "_rest",
        "_skip",
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

    def __init__(self, buckets: list[int] | None = None, learn: Callable[[bytes, int, int], None] = _unlearned) -> None:
        self._buckets = buckets
        self._learn = learn
        self._rest = b""
        self._skip = 0
        self.bytes = self.frames = self.changes = self.position = 0
        self.is_synced = self.is_recording = False
        self.refusal = ""
        self.replies: list[bytes] = []
        self.throughs = array("Q")
        self.times_ns = array("q")
        self.ages_ms = array("q")

    @property
    def has_part(self) -> bool:
        """It holds the beginning of a frame."""
        return bool(self._rest)

    @property
    def left(self) -> int:
        """Bytes still to come of a frame that is not looked at."""
        return self._skip

    def leave(self) -> None:
        """Somebody else counts what is left."""
        self._skip = 0

    def receive_data(self, data: bytes | memoryview, now_ns: int) -> None:
        """What the socket gave at that monotonic time. Nothing of ``data`` is kept."""
        self.bytes += len(data)
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            if skipped == len(data):
                return
            data = data[skipped:]
        if self._rest:
            data = self._rest + data
        start, size = 0, len(data)
        while size - start >= HEADER.size:
            length, kind = HEADER.unpack_from(data, start)
            end = start + 4 + length
            is_large = kind == FrameType.ENTRIES and length > LARGE_BYTES and size - start >= _PEEK_BYTES
            if is_large or (kind == _COMPRESSED_ENTRIES and not self.is_synced):
                self.frames += 1
                if is_large:
                    self._reached(_THROUGH.unpack_from(data, start + _THROUGH_AT), now_ns)
                self._skip = max(0, end - size)
                start = min(end, size)
                continue
            if end > size:
                break
            self.frames += 1
            if kind == FrameType.ENTRIES:
                mark = _THROUGH.unpack_from(data, start + _THROUGH_AT)
                self._reached(mark, now_ns)
                shared = (self.position, length)
                changes = _counts.get(shared)
                if changes is None:
                    changes = _count(shared, data[start + HEADER.size : end])
                    self._know(data[start:end], mark, changes)
                self.changes += changes
            elif kind == _COMPRESSED_ENTRIES:
                begin = start + HEADER.size
                same = (length, bytes(data[begin : begin + _HEAD_BYTES]), bytes(data[end - _TAIL_BYTES : end]))
                content = _contents.get(same)
                if content is None:
                    content = _content(same, data[begin:end])
                    self._know(data[start:end], *content)
                self._reached(content[0], now_ns)
                self.changes += content[1]
            else:
                self._receive_other(kind, bytes(data[start + HEADER.size : end]))
            start = end
        self._rest = bytes(data[start:])

    def _reached(self, mark: tuple[int, int], now_ns: int) -> None:
        tag, through = mark
        if tag != _U64_TAG:
            return
        self.position = through
        if self.is_recording:
            self.throughs.append(through)
            self.times_ns.append(now_ns)

    def _know(self, frame: bytes | memoryview, mark: tuple[int, int], changes: int) -> None:
        tag, through = mark
        if tag == _U64_TAG:
            self._learn(bytes(frame), through, changes)

    def _receive_other(self, kind: int, payload: bytes) -> None:
        if kind == FrameType.PING:
            self.replies.append(encode_frame(FrameType.PONG, payload))
        elif kind == FrameType.BOOKMARK:
            bookmark = _decode(kind, payload)
            if isinstance(bookmark, m.Bookmark):
                self.is_synced = True
                self.position = max(self.position, *(topic.cursor for topic in bookmark.topics))
                if self.is_recording:
                    self.ages_ms.extend(topic.age_ms for topic in bookmark.topics if topic.age_ms is not None)
        elif kind == FrameType.DICTIONARY:
            _hold(payload)
        elif kind == FrameType.KEY_DIGEST:
            digest = _decode(kind, payload)
            if isinstance(digest, m.KeyDigest):
                self.replies.append(encode_message(m.KeyRequest(digest.topic_id, digest.at, self._buckets)))
        elif kind in (FrameType.REFUSED, FrameType.CLOSE):
            ended = _decode(kind, payload)
            if isinstance(ended, m.Refused | m.Close):
                self.refusal = f"{ended.code}: {ended.message}"


def _count(shared: tuple[int, int], payload: bytes | memoryview) -> int:
    if len(_counts) >= _COUNTS_KEPT:
        _counts.clear()
    entries = decode_entries(bytes(payload))
    _counts[shared] = changes = len(entries.puts) + len(entries.deletes)
    return changes


def _content(same: tuple[int, bytes, bytes], payload: bytes | memoryview) -> tuple[tuple[int, int], int]:
    """Tag and value of a compressed frame's ``through``, and how many changes are in it."""
    if len(_contents) >= _COUNTS_KEPT:
        _contents.clear()
    plain = decompress(FrameType.ENTRIES, bytes(payload), CLIENT_INBOUND_LIMIT_BYTES, _dictionaries)
    tag, through = _THROUGH.unpack_from(plain, _THROUGH_AT - HEADER.size)
    entries = decode_entries(plain)
    _contents[same] = found = (tag, through), len(entries.puts) + len(entries.deletes)
    return found


@lru_cache(maxsize=64)
def _decode(kind: int, payload: bytes) -> m.Message | None:
    return decode_message(Frame(kind, payload))


@lru_cache(maxsize=64)
def _hold(payload: bytes) -> None:
    given = _decode(FrameType.DICTIONARY, payload)
    if isinstance(given, m.Dictionary) and given.content:
        _dictionaries[given.dictionary_id] = Dictionary(given.content)
