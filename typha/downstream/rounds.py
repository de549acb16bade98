"""When a round is made: once there is something to do, and no sooner than the pause after the last one allows.

Place: the server runs it as a task; the fan-out says whether there is something to do, and does it.

1. Watches are read at the same moments, as far apart as rounds, and in pieces. A round waits until no more come: one
   that starts with the first would leave the others to the next, a pause later.
   Rounds are as far apart as the changes that they publish, and no nearer than the pause: one that starts late moves
   none of those after it.
2. Nobody who joins, or reads as fast as we write, waits for a piece or a pause.
3. Between two turns of a round the event loop looks at everything else.

Road not taken: a fixed clock. It adds its period at low load and cannot keep up at high load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Protocol

from typha.downstream.settings import DownstreamSettings

# All are shares of the time between two reads of the watches. A round is due so much sooner than the pause: one that is
# ready a little early starts when watches were read; one that is late would wait for nothing until they are read again.
_IN_STEP: Final = 0.1
# After a round that started late: the least until the next, which is in step again, is so much shorter.
_EARLY: Final = 0.5
# Between two pieces of a read.
_GATHERING: Final = 0.05
# How long a round waits for the last piece: where events come without end there is none.
_LONGEST_GATHERING: Final = 0.3


class Work(Protocol):
    """The fan-out, as far as it is known here."""

    @property
    def has_work(self) -> bool:
        """Whether a round would do anything."""

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for a round."""

    @property
    def progress(self) -> int:
        """Another number after each change."""

    @property
    def waiting_since(self) -> float | None:
        """When the oldest change came that no round has published."""

    @property
    def is_eager(self) -> bool:
        """After a round: the next one should not wait."""

    def round(self) -> Iterator[None]:
        """One round; yields after each turn."""


class Rounds:
    """``ended`` is called after each round; clock and sleep are the event loop's. The pause may change meanwhile."""

    def __init__(
        self,
        settings: DownstreamSettings,
        clock: Callable[[], float],
        ended: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ended = ended
        self._sleep = sleep
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def run(self, work: Work) -> None:
        """Until cancelled."""
        due_at = self._clock() - self._settings.round_pause_s
        while True:
            await self._wake.wait()
            await self._gather(work)
            self._wake.clear()
            started = self._clock()
            since = work.waiting_since
            due_at = min(started, max(due_at + self._pause_s(_IN_STEP), started if since is None else since))
            for _ in work.round():
                await self._sleep(0)
            self._ended()
            next_at = max(due_at + self._pause_s(_IN_STEP), started + self._pause_s(_EARLY))
            await self._sleep(0 if work.is_eager else max(next_at - self._clock(), 0))
            if work.has_work:
                self._wake.set()

    async def _gather(self, work: Work) -> None:
        """Until there was no change for a while."""
        stop_at = self._clock() + self._reads_apart_s * _LONGEST_GATHERING
        progress = -1
        while not work.is_awaited and progress != work.progress and self._clock() < stop_at:
            progress = work.progress
            await self._sleep(self._reads_apart_s * _GATHERING)

    def _pause_s(self, shorter: float) -> float:
        return self._settings.round_pause_s - self._reads_apart_s * shorter

    @property
    def _reads_apart_s(self) -> float:
        return min(self._settings.reads_apart_s, self._settings.round_pause_s)
