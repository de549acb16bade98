"""How changes look to native subscribers: Entries frames, plain or with a zstd payload (and, in ``dictionaries``, with
a topic's own dictionary). A frame is encoded once per encoding, whatever the number of its readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.cache.log import Entry, Log
from typha.cache.topic import Topic
from typha.downstream.native import bookmark_frame
from typha.downstream.statistics import PackedFrames
from typha.wire.compression import Compressor, Dictionary
from typha.wire.entries import encode_delete, encode_entries, encode_put
from typha.wire.frames import compress_frame


class NativeEncoding:
    """Entries frames of protocol version 1, as they are."""

    dictionary: Dictionary | None = None

    def encode_changes(
        self,
        topic_id: int,
        start: int | None,
        through: int | None,
        puts: Sequence[Entry],
        deletes: Sequence[tuple[str, int]],
    ) -> bytes:
        """One frame, compressed where that is smaller and was negotiated."""
        frame = encode_entries(
            topic_id,
            through,
            [encode_put(entry.key, entry.rv, entry.value) for entry in puts],
            [encode_delete(key, rv) for key, rv in deletes],
        )
        return self.pack(frame)

    def pack(self, frame: bytes) -> bytes:
        """Any frame as this encoding sends it."""
        return frame

    def encode_bookmark(self, positions: Sequence[tuple[Topic, int]], now: float) -> bytes:
        """A Bookmark frame."""
        return bookmark_frame(positions, now)

    def published(self, log: Log, now: float) -> NativeEncoding:
        """See Dialect."""
        return self

    def successor(self, log: Log, now: float) -> NativeEncoding:
        """The encoding in which somebody should read this log who reads it in this one."""
        return self


class ZstdEncoding(NativeEncoding):
    """The same with zstd payloads. ``packed`` counts them."""

    def __init__(self, packed: PackedFrames, dictionary: Dictionary | None = None) -> None:
        self.packed = packed
        self.dictionary = dictionary
        self._compressor = Compressor(dictionary)

    def pack(self, frame: bytes) -> bytes:
        """Smaller, or as it was."""
        packed = compress_frame(frame, self._compressor)
        if packed is not frame:
            self.packed.count(len(frame), len(packed))
        return packed


PLAIN: Final = NativeEncoding()
