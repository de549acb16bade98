"""Memory that was freed, back to the system. glibc keeps what lies below the last block still in use: after
thousands of connections that came and went, some 10 MB that only look like a leak; after the lists of 100,000 objects,
what their JSON took on its way; after snapshots that agents read while others came, a hundred MB of frames.

Place: the app calls ``tick`` about once a second. Nowhere else is the process's memory as a whole anybody's matter.

Rule: what is free now above the least that was free since the last trim has been in use since then, and still counts as
the process's. (What a trim gives back goes on counting as free.)

Roads not taken: mallopt thresholds at the start, which give back half of it and cost a system call per buffer (only
where uvloop serves TLS they are needed: ``map_large``); trims after so many connections or objects, which miss
whatever nobody thought of.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

# Less leaves nothing worth a look; a whole trim is 0.1 ms, or 35 ms with 200,000 blocks of which half are free.
WORTH_BYTES: Final = 8_000_000
_EVERY_S: Final = 3.0
# uvloop's TLS sets that aside for each connection and uses the first page.
UVLOOP_TLS_BUFFER_BYTES: Final = 256 * 1024
# malloc.h
_M_MMAP_THRESHOLD: Final = -3


class Allocator(NamedTuple):
    """The C library's: bytes that it holds free, and how it gives them back."""

    free_bytes: Callable[[], int]
    trim: Callable[[], object]


class Heap:
    """Without an allocator that can tell and trim (another libc than glibc 2.33 or newer) nothing happens."""

    def __init__(self, now: float, allocator: Allocator | None = None) -> None:
        self._allocator = allocator or _glibc()
        self._least_free: int | None = None
        self._trimmed_at = now

    def tick(self, now: float) -> None:
        """Trim where that gives back enough, and not again at once."""
        if self._allocator is None:
            return
        free = self._allocator.free_bytes()
        if self._least_free is None or free < self._least_free:
            self._least_free = free
        if now - self._trimmed_at < _EVERY_S or free - self._least_free < WORTH_BYTES:
            return
        self._allocator.trim()
        self._trimmed_at = now
        self._least_free = None


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def _glibc() -> Allocator | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    mallinfo, trim = getattr(libc, "mallinfo2", None), getattr(libc, "malloc_trim", None)
    if mallinfo is None or trim is None:
        return None
    mallinfo.restype = _Mallinfo2
    return Allocator(lambda: int(mallinfo().fordblks), lambda: trim(0))


def map_large(least_bytes: int) -> None:
    """Blocks from that size on become mappings of their own, where what is never touched is no memory.

    glibc does so too until the first is freed; then it takes them from the heap, whose pages were in use before: 200 KB
    for each connection instead of 29. Another libc is left as it is.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, least_bytes)
