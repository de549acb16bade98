"""SIGTERM: drain, then stop; a second signal: stop now. SIGINT: stop now."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine

log = logging.getLogger("typha.app")


class Signals:
    """``on_first`` is called when the process is told to stop, before anything else."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_first: Callable[[], None]) -> None:
        self._loop = loop
        self._on_first = on_first
        self._stop = asyncio.Event()
        self._now = asyncio.Event()

    def install(self) -> None:
        """Handle both signals from here on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.receive, number)

    def receive(self, number: signal.Signals) -> None:
        """One signal."""
        if self._stop.is_set() or number is not signal.SIGTERM:
            self._now.set()
        if not self._stop.is_set():
            self._on_first()
            self._stop.set()

    async def wait(self) -> None:
        """Until the first one."""
        await self._stop.wait()

    async def unless_now(self, drain: Coroutine[None, None, None]) -> None:
        """Drain to the end, or until a signal says that there is no time for it."""
        if self._now.is_set():
            drain.close()
            return
        draining = self._loop.create_task(drain, name="typha drain")
        hurry = self._loop.create_task(self._now.wait(), name="typha stop now")
        await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            log.info("stopping now")
        for task in (draining, hurry):
            task.cancel()
        await asyncio.gather(draining, hurry, return_exceptions=True)
        if not draining.cancelled() and (error := draining.exception()) is not None:
            raise error
