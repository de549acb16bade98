"""The snappy framing format: chunks that are the same for every agent, and a reader for the other side.

    stream := identifier chunk*        chunk := type(u8) length(u24, little endian) body

Source: framing_format.txt of google/snappy. A data chunk's body is the masked CRC-32C of the content and the content,
compressed (type 00) or as it is (01); at most 65,536 bytes of content a chunk.

Invariants
1. Chunks are context-free; the identifier is sent once, where a stream starts. ``compress`` ends at a chunk's border,
   so whole messages go in and nothing is left behind for a later flush.
2. The reader checks a chunk's length before it buffers it, and decompresses at most 64 KiB at a time.

Road not taken: ``cramjam.snappy.compress`` for each message. It builds its tables anew: 15 us where a Compressor that
is kept takes 0.5, with the same bytes.
"""

from __future__ import annotations

from typing import Final

import cramjam

from typha.calico_wire.errors import BadSnappyError, TooLargeError

STREAM_IDENTIFIER: Final = b"\xff\x06\x00\x00sNaPpY"

_HEADER_BYTES: Final = 4
_CRC_BYTES: Final = 4
_CONTENT_LIMIT_BYTES: Final = 65_536
# What 65,536 bytes compress to at worst: 32 + n + n / 6, from google/snappy's MaxCompressedLength.
_CHUNK_LIMIT_BYTES: Final = _CRC_BYTES + 32 + _CONTENT_LIMIT_BYTES + _CONTENT_LIMIT_BYTES // 6

_COMPRESSED: Final = 0x00
_RAW: Final = 0x01
_FIRST_SKIPPABLE: Final = 0x80
_IDENTIFIER: Final = 0xFF


class SnappyWriter:
    """Messages in, chunks out. One for a whole server: the chunks belong to no connection."""

    def __init__(self) -> None:
        self._compressor = cramjam.snappy.Compressor()
        # It writes the identifier before its first chunk, and only there.
        self._compressor.compress(b"\x00")
        self._compressor.flush()

    def compress(self, data: bytes) -> bytes:
        """The chunks of ``data``, without the stream identifier."""
        self._compressor.compress(data)
        return bytes(self._compressor.flush())


class SnappyReader:
    """Bytes in, the content of one chunk after the other out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = False
        self._to_skip = 0

    def receive_data(self, data: bytes) -> None:
        """Append what the socket gave; then call ``next_content`` until it returns None."""
        self._buffer += data

    def next_content(self) -> bytes | None:
        """The content of the next whole data chunk, or None. Raises BadSnappyError, TooLargeError."""
        while True:
            if self._to_skip:
                skipped = min(self._to_skip, len(self._buffer))
                del self._buffer[:skipped]
                self._to_skip -= skipped
            if self._to_skip or len(self._buffer) < _HEADER_BYTES:
                return None
            kind, length = self._buffer[0], int.from_bytes(self._buffer[1:_HEADER_BYTES], "little")
            if not self._started and kind != _IDENTIFIER:
                raise BadSnappyError("a snappy stream without its identifier")
            if _FIRST_SKIPPABLE <= kind < _IDENTIFIER:
                self._to_skip = _HEADER_BYTES + length
                continue
            self._check(kind, length)
            end = _HEADER_BYTES + length
            if len(self._buffer) < end:
                return None
            chunk = bytes(self._buffer[:end])
            del self._buffer[:end]
            if kind != _IDENTIFIER:
                return self._content(chunk)
            if chunk != STREAM_IDENTIFIER:
                raise BadSnappyError("a snappy stream with another identifier")
            self._started = True

    def take_rest(self) -> bytes:
        """What was received behind the last chunk that came out."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    @staticmethod
    def _check(kind: int, length: int) -> None:
        if kind == _IDENTIFIER:
            if length != len(STREAM_IDENTIFIER) - _HEADER_BYTES:
                raise BadSnappyError("a snappy stream with another identifier")
        elif kind not in {_COMPRESSED, _RAW}:
            raise BadSnappyError(f"a snappy chunk of type {kind:#04x}, which no reader may skip")
        elif length < _CRC_BYTES:
            raise BadSnappyError(f"a snappy chunk of {length} bytes, too short for its checksum")
        elif kind == _RAW and length > _CRC_BYTES + _CONTENT_LIMIT_BYTES:
            raise TooLargeError("raw snappy chunk", length, _CRC_BYTES + _CONTENT_LIMIT_BYTES)
        elif length > _CHUNK_LIMIT_BYTES:
            raise TooLargeError("snappy chunk", length, _CHUNK_LIMIT_BYTES)

    @staticmethod
    def _content(chunk: bytes) -> bytes:
        try:
            if chunk[0] == _COMPRESSED:
                size = cramjam.snappy.decompress_raw_len(chunk[_HEADER_BYTES + _CRC_BYTES :])
                if size > _CONTENT_LIMIT_BYTES:
                    raise TooLargeError("content of a snappy chunk", size, _CONTENT_LIMIT_BYTES)
            # A stream of its own, so that the library compares the checksum.
            return bytes(cramjam.snappy.decompress(STREAM_IDENTIFIER + chunk))
        except cramjam.DecompressionError as error:
            raise BadSnappyError(f"a damaged snappy chunk ({error})") from None
