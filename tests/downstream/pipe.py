"""A transport whose buffer the test fills and drains."""

from __future__ import annotations

import asyncio


class Pipe(asyncio.Transport):
    """A socket without a peer: ``taken`` is what the kernel has, ``waiting`` what it does not take."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711)})
        self.taken = bytearray()
        self.waiting = bytearray()
        self.is_full = False
        self.is_reading_now = True
        self.ended = ""
        self.limits: tuple[int | None, int | None] = (None, None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        (self.waiting if self.is_full else self.taken).extend(data)

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"
