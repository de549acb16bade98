"""Memory that was freed, back to the system. glibc keeps what lies below the last block still in use: after
thousands of connections that came and went, some 10 MB that only look like a leak; after the lists of 100,000 objects,
what their JSON took on its way.

Place: the app calls ``tick`` about once a second. Nowhere else is the process's memory as a whole anybody's matter.

Road not taken: mallopt thresholds at the start. They give back half of it, and cost a system call per buffer. Only
where uvloop serves TLS they are needed (``map_large``).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Final

# Fewer leave nothing worth a look; a whole trim is 0.1 ms, or 35 ms with 200,000 blocks of which half are free.
_CONNECTIONS: Final = 100
_EVERY_S: Final = 3.0
# Objects whose JSON is some 10 MB.
_LISTED: Final = 5_000
# uvloop's TLS sets that aside for each connection and uses the first page.
UVLOOP_TLS_BUFFER_BYTES: Final = 256 * 1024
# malloc.h
_M_MMAP_THRESHOLD: Final = -3


class Heap:
    """``trim`` gives memory back; without one (another libc) nothing happens."""

    def __init__(self, now: float, trim: Callable[[], object] | None = None) -> None:
        self._trim = trim or _glibc_trim()
        self._ended = 0
        self._listed = 0
        self._trimmed_at = now
        self._is_owed = False

    def tick(self, ended_total: int, listed_total: int, now: float) -> None:
        """``ended_total``: connections that ended since the start; once more when a burst of ends is over.

        ``listed_total``: objects that lists brought since the start.
        """
        if self._trim is None or now - self._trimmed_at < _EVERY_S:
            return
        if listed_total - self._listed >= _LISTED:
            self._listed, self._trimmed_at = listed_total, now
            self._trim()
            return
        ended = ended_total - self._ended
        is_burst = ended >= _CONNECTIONS
        if not is_burst and not (self._is_owed and ended == 0):
            if self._is_owed:
                self._ended, self._trimmed_at = ended_total, now  # a few more: look again when it is quiet
            return
        self._ended, self._trimmed_at, self._is_owed = ended_total, now, is_burst
        self._trim()


def _glibc_trim() -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    return None if trim is None else lambda: trim(0)


def map_large(least_bytes: int) -> None:
    """Blocks from that size on become mappings of their own, where what is never touched is no memory.

    glibc does so too until the first is freed; then it takes them from the heap, whose pages were in use before: 200 KB
    for each connection instead of 29. Another libc is left as it is.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, least_bytes)
