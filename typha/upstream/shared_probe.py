"""One request for all who ask at one time: after a restart hundreds of clients may have the same question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["SharedProbe"]


class SharedProbe:
    """``ask`` makes the request; ``name`` is the task's."""

    def __init__(self, name: str, ask: Callable[[], Coroutine[Any, Any, int]]) -> None:
        self._name = name
        self._ask = ask
        self._running: asyncio.Task[int] | None = None

    def join(self) -> asyncio.Task[int]:
        """The request that is under way, or a new one. Await it behind a shield: others do, too."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._ask(), name=self._name)
            # Nobody may be left to hear of a failure; the callers that are get it through the shield.
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._running

    def claim(self, task: asyncio.Task[int]) -> bool:
        """True for the first who comes back from that request: what follows from it is done once."""
        is_first = task is self._running
        if is_first:
            self._running = None
        return is_first

    def cancel(self) -> None:
        """End what is under way."""
        if self._running is not None:
            self._running.cancel()
