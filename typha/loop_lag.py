"""How late the event loop is: by how much anything that becomes ready now would have to wait.

Place: the app runs it beside the stages, and publishes ``histogram``. A look every 50 ms costs 0.2 % of a core, one
every 10 ms 1.3 %: each wakes a quiet process in cold caches.

1. Of each period one lag is counted, of those that a pause swallowed too: 200 ms count as 200, 150, 100 and 50 ms.
   Shares are shares of time, and not of the moments at which the loop was free to look.
2. Lag is time on the clock: a processor that others use, or a limit of CPU, is in it.

Road not taken: asyncio's debug mode (it times every callback) and a second thread that asks (it waits for the
interpreter, and takes it from the loop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from typha.downstream.statistics import Histogram

EVERY_S: Final = 0.05
# The round's budget is 2 ms, the goal 20; fine around it. Above 1 s a probe of the loop's heartbeat says so too.
BOUNDS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
# Of one pause so many periods are counted at most: the machine slept, and the loop must not be late by counting.
_COUNTED: Final = 10_000


class LoopLag:
    """``tick`` is pure; ``run`` is the loop's side of it."""

    def __init__(self, now: float, every_s: float = EVERY_S) -> None:
        self.histogram = Histogram(BOUNDS_S)
        self.due_at = now + every_s
        self._every_s = every_s

    def tick(self, now: float) -> None:
        """The loop is here, at ``due_at`` or later."""
        lag_s = max(0.0, now - self.due_at)
        swallowed = int(lag_s / self._every_s)
        for number in range(min(swallowed, _COUNTED) + 1):
            self.histogram.observe(lag_s - number * self._every_s)
        self.due_at += (swallowed + 1) * self._every_s

    async def run(self, clock: Callable[[], float]) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self.due_at - clock()))
            self.tick(clock())
