"""How a load process reads its sockets: with ``reads.c`` where there is a C compiler, else in Python.

A reader must cost less than the send that it answers, or it is the readers that a bench of thousands of agents on one
machine measures.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.compiled import NotCompiledError, compiled

_SOURCE: Final = Path(__file__).with_name("reads.c")
# A slice of a snapshot; all reads share one buffer, which stays in the processor's cache.
BUFFER_BYTES: Final = 256 * 1024
_EVENTS: Final = 4096
# Descriptors are below the limit on open files; one that is higher than this is not reached by a bench.
_MOST_HANDLES: Final = 1_048_576
_UNREAD: Final = -(2**31)


class Ready(NamedTuple):
    """A socket that has something. ``data``: what was read, b"" at its end; None where it is still to be read."""

    handle: int
    data: memoryview | None
    at_ns: int


class Counts(NamedTuple):
    """Of what was read and not handed over; ``position`` as in ``Reading.position``."""

    bytes: int
    frames: int
    changes: int
    position: int


class Reading:
    """Reads sockets that are registered with one epoll. This one hands over everything, and counts nothing itself."""

    def __init__(self, poller: select.epoll) -> None:
        self._poller = poller

    def ready(self, timeout_s: float) -> Iterator[Ready]:
        """Those that the caller has to look at. ``data`` holds until the next one."""
        for handle, _ in self._poller.poll(timeout_s, _EVENTS):
            yield Ready(handle, None, 0)

    def count_bytes(self, handle: int) -> None:
        """From now on only count what comes there."""

    def count_frames(self, handle: int) -> None:
        """From now on count frames that are known; the next byte begins one."""

    def count_snapshot(self, handle: int, left: int) -> bool:
        """From now on count compressed frames without looking into them, up to one that is none. So many bytes of the
        present one are left. False: that is the caller's.
        """
        return False

    def hand_over(self, handle: int) -> None:
        """From now on count nothing there."""

    def learn(self, frame: bytes, through: int, changes: int) -> None:
        """That frame is known from now on."""

    def record(self, is_recording: bool) -> None:
        """Keep when known frames were read, or no longer."""

    def position(self, handle: int) -> int:
        """Of the newest known frame read there; 0 where there was none."""
        return 0

    def take_counts(self, handle: int) -> Counts:
        """Of what was not handed over since they were taken last."""
        return Counts(0, 0, 0, 0)

    def take_arrivals(self) -> Iterable[tuple[int, int, int]]:
        """Handle, position, monotonic ns of each known frame since they were taken last, ascending in time."""
        return ()

    def forget(self, handle: int) -> None:
        """It is closed."""


class _Counts(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("reader", "bytes", "frames", "changes", "position", "skip"))


class _Read(ctypes.Structure):
    _fields_ = (("handle", ctypes.c_int32), ("size", ctypes.c_int32), ("at_ns", ctypes.c_uint64))


_ARRIVAL_WORDS: Final = 3
_CALLER, _BYTES, _FRAMES, _SNAPSHOT = range(4)


class CReading(Reading):
    """With ``reads.c``. Raises NotCompiledError. One in a process."""

    def __init__(self, poller: select.epoll) -> None:
        super().__init__(poller)
        with tempfile.TemporaryDirectory(prefix="typha-bench-") as folder:
            self._c: Any = ctypes.PyDLL(str(compiled(_SOURCE, Path(folder) / "reads.so", "-shared", "-fPIC")))
        self._c.learn.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint64)
        open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        handles = _MOST_HANDLES if open_files == resource.RLIM_INFINITY else min(open_files, _MOST_HANDLES)
        self._counts = (_Counts * handles)()
        self._read = _Read()
        self._next = ctypes.byref(self._read)
        self._buffer = (ctypes.c_char * BUFFER_BYTES)()
        self._view = memoryview(self._buffer).cast("B")
        sizes = ctypes.c_size_t(handles), ctypes.c_size_t(BUFFER_BYTES)
        self._c.prepare(self._counts, sizes[0], self._buffer, sizes[1])

    def ready(self, timeout_s: float) -> Iterator[Ready]:
        """See Reading."""
        count = self._c.wait_ready(self._poller.fileno(), round(timeout_s * 1e3))
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        read = self._read
        while self._c.next_read(self._next):
            if read.size == _UNREAD:
                yield Ready(read.handle, None, 0)
            elif read.size < 0:
                raise ConnectionError(f"an agent's connection broke: {os.strerror(-read.size)}")
            else:
                yield Ready(read.handle, self._view[: read.size], read.at_ns)

    def count_bytes(self, handle: int) -> None:
        """See Reading."""
        self._counts[handle].reader = _BYTES

    def count_frames(self, handle: int) -> None:
        """See Reading."""
        self._counts[handle].reader = _FRAMES

    def count_snapshot(self, handle: int, left: int) -> bool:
        """See Reading."""
        self._counts[handle].reader = _SNAPSHOT
        self._counts[handle].skip = left
        return True

    def hand_over(self, handle: int) -> None:
        """See Reading."""
        self._counts[handle].reader = _CALLER

    def learn(self, frame: bytes, through: int, changes: int) -> None:
        """See Reading."""
        self._c.learn(frame, len(frame), through, changes)

    def record(self, is_recording: bool) -> None:
        """See Reading."""
        ctypes.c_int.in_dll(self._c, "is_recording").value = is_recording

    def position(self, handle: int) -> int:
        """See Reading."""
        return int(self._counts[handle].position)

    def take_counts(self, handle: int) -> Counts:
        """See Reading."""
        found = self._counts[handle]
        taken = Counts(found.bytes, found.frames, found.changes, found.position)
        found.bytes = found.frames = found.changes = 0
        return taken

    def take_arrivals(self) -> Iterable[tuple[int, int, int]]:
        """See Reading."""
        count = ctypes.c_size_t.in_dll(self._c, "arrivals_count")
        words = array("Q")
        if count.value:
            first = ctypes.c_void_p.in_dll(self._c, "arrivals").value or 0
            words.frombytes(ctypes.string_at(first, count.value * _ARRIVAL_WORDS * words.itemsize))
            count.value = 0
        return zip(*(words[place::_ARRIVAL_WORDS] for place in range(_ARRIVAL_WORDS)), strict=True)

    def forget(self, handle: int) -> None:
        """See Reading."""
        self._counts[handle] = _Counts()


def reading(poller: select.epoll) -> Reading:
    """The faster one that this machine can have."""
    try:
        return CReading(poller)
    except NotCompiledError:
        return Reading(poller)
