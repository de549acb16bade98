"""Frames: the outermost layer of the wire (docs/protocol.md, section 2).

    frame := length(u32, big endian) type(u8) payload(length - 1 bytes)

Invariants
1. A length beyond the limit raises before one byte of that payload is buffered.
2. A damaged frame does not hide the good ones before it: frames come out one by one, in order.
3. What is buffered is at most one frame and what one read brought.

Road not taken: msgpack's streaming Unpacker as the framing layer. It cannot tell a large message before it has
buffered it, and bytes could not be shared or skipped without decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from typha.wire import compression
from typha.wire.errors import BadPayloadError, FrameTooLargeError, LocalProtocolError

HEADER: Final = struct.Struct(">IB")
_LENGTH: Final = struct.Struct(">I")
COMPRESSED: Final = 0x80

# A Hello of 1,000 topics with cursors and filters is about 50 KB.
SERVER_INBOUND_LIMIT_BYTES: Final = 64 * 1024
# etcd refuses objects above 1.5 MiB; a frame of ours is cut near 256 KB, so ten times the largest entry fits.
CLIENT_INBOUND_LIMIT_BYTES: Final = 16 * 1024 * 1024
# Below this zstd without a dictionary gains nothing that pays for its 8 us: a quarter of a change of 500 B.
COMPRESS_FROM_BYTES: Final = 512


class FrameType(IntEnum):
    """Numbers of the frames. Unknown ones from 64 on are skipped, below 64 they are an error."""

    HELLO = 1
    WELCOME = 2
    REFUSED = 3
    ENTRIES = 4
    KEY_INDEX = 5
    BOOKMARK = 6
    STATUS = 7
    PING = 8
    PONG = 9
    GO_AWAY = 10
    CLOSE = 11
    DICTIONARY = 12
    KEY_DIGEST = 13
    KEY_REQUEST = 14
    GAP = 15
    RESET = 16


FIRST_SKIPPABLE_TYPE: Final = 64


class Frame(NamedTuple):
    """One frame as received: its type without the compression bit, its payload decompressed."""

    type: int
    payload: bytes


def encode_frame(frame_type: int, payload: bytes) -> bytes:
    """The bytes of one frame."""
    if len(payload) >= 0xFFFF_FFFF:
        raise LocalProtocolError(f"payload of {len(payload)} bytes does not fit a frame")
    return HEADER.pack(len(payload) + 1, frame_type) + payload


def compress_frame(frame: bytes, compressor: compression.Compressor) -> bytes:
    """The same frame with a zstd payload, or as it was where that would not be smaller."""
    if len(frame) < COMPRESS_FROM_BYTES and not compressor.has_dictionary:
        return frame
    packed = compressor.compress(frame[HEADER.size :])
    if len(packed) + HEADER.size >= len(frame):
        return frame
    return HEADER.pack(len(packed) + 1, frame[4] | COMPRESSED) + packed


class FrameDecoder:
    """Bytes in, frames out. ``limit_bytes`` bounds the length field and the decompressed payload.

    ``accept_compressed``: whether this side offered zstd. ``dictionaries``: those that frames may name by their id;
    what is added between two frames holds for the next.
    """

    __slots__ = ("_buffer", "_dictionaries", "_start", "accept_compressed", "limit_bytes")

    def __init__(
        self,
        limit_bytes: int,
        *,
        accept_compressed: bool = False,
        dictionaries: Mapping[int, compression.Dictionary] | None = None,
    ) -> None:
        self.limit_bytes = limit_bytes
        self.accept_compressed = accept_compressed
        self._dictionaries = dictionaries
        self._buffer = bytearray()
        self._start = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes held that are not yet a frame."""
        return len(self._buffer) - self._start

    def receive_data(self, data: bytes) -> None:
        """Append what the socket gave; then call ``next_frame`` until it returns None."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None. Raises FrameTooLargeError, BadPayloadError; after that, close."""
        available = len(self._buffer) - self._start
        if not available:
            self._buffer.clear()
            self._start = 0
        if available < 4:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, self._start)
        if length > self.limit_bytes:
            raise FrameTooLargeError(length, self.limit_bytes)
        if length == 0:
            raise BadPayloadError(0, "length 0: a frame has at least its type byte")
        if available < 4 + length:
            self._compact()
            return None
        start = self._start + HEADER.size
        raw_type = self._buffer[start - 1]
        payload = bytes(memoryview(self._buffer)[start : start + length - 1])
        self._start = start + length - 1
        if raw_type & COMPRESSED:
            raw_type &= ~COMPRESSED
            if not self.accept_compressed:
                raise BadPayloadError(raw_type, "compressed, but this side never offered zstd")
            payload = compression.decompress(raw_type, payload, self.limit_bytes, self._dictionaries)
        return Frame(raw_type, payload)

    def _compact(self) -> None:
        # Moving the rest to the front only here keeps many small frames in one read linear.
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
