"""A clock whose hands the test turns."""

from __future__ import annotations

import asyncio
import heapq


class ManualClock:
    """`advance` moves the time and wakes those whose sleep is over, in order."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._count = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + delay_s, self._count, waiter))
        await waiter

    @property
    def sleepers(self) -> int:
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    def next_wake_s(self) -> float | None:
        """Seconds until the first of the sleepers wakes."""
        pending = [at for at, _, waiter in self._sleepers if not waiter.done()]
        return min(pending) - self._now if pending else None

    async def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not waiter.done():
                waiter.set_result(None)
            for _ in range(5):  # the one who woke goes on, and may sleep again
                await asyncio.sleep(0)
        self._now = end
