"""How changes look to native subscribers: Entries frames, plain or with a zstd payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.cache.log import Entry
from typha.cache.topic import Topic
from typha.downstream.native import bookmark_frame
from typha.wire.entries import encode_delete, encode_entries, encode_put
from typha.wire.frames import compress_frame


class NativeEncoding:
    """Entries frames of protocol version 1."""

    def __init__(self, *, zstd: bool) -> None:
        self.zstd = zstd

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
        return compress_frame(frame) if self.zstd else frame

    def encode_bookmark(self, positions: Sequence[tuple[Topic, int]], now: float) -> bytes:
        """A Bookmark frame."""
        return bookmark_frame(positions, now)


PLAIN: Final = NativeEncoding(zstd=False)
COMPRESSED: Final = NativeEncoding(zstd=True)
