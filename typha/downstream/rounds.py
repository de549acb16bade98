"""When a round is made: once there is something to do, and no sooner than the pause after the last one allows.

Place: the server runs it as a task; the fan-out says whether there is something to do, and does it.

1. Watches are read at the same moments, as far apart as rounds, and in pieces. A round waits for the other pieces: one
   that starts with the first would leave them to the next, which is then early.
2. Nobody who joins, or reads as fast as we write, waits for a piece or a pause.
3. Between two turns of a round the event loop looks at everything else.

Road not taken: a fixed clock. It adds its period at low load and cannot keep up at high load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Protocol

from typha.downstream.settings import DownstreamSettings

# Of the pause. One that is ready a little early starts when watches were read; one that is late would wait for nothing
# until they are read again.
_IN_STEP: Final = 0.9
# Of the pause: the pieces of a read.
_GATHERING: Final = 0.05


class Work(Protocol):
    """The fan-out, as far as it is known here."""

    @property
    def has_work(self) -> bool:
        """Whether a round would do anything."""

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for a round."""

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
        while True:
            await self._wake.wait()
            if not work.is_awaited:
                await self._sleep(self._settings.round_pause_s * _GATHERING)
            self._wake.clear()
            started = self._clock()
            for _ in work.round():
                await self._sleep(0)
            self._ended()
            rest_s = self._settings.round_pause_s * _IN_STEP - (self._clock() - started)
            await self._sleep(0 if work.is_eager else max(rest_s, 0))
            if work.has_work:
                self._wake.set()
