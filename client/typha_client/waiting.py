"""Waiting for a condition over the client's state: woken after each group of events, asked again by each waiter.

Its place: client -> *waiters* -> ``wait_synced``, ``wait_for``. Invariant: a waiter sees every group of events; none
is lost between its question and its sleep, because both happen without an await in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Waiters:
    """Everyone who waits."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    def wake(self) -> None:
        """Something happened."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)

    async def wait(self, condition: Callable[[], bool], timeout: float | None, why_not: Callable[[], str]) -> None:
        """Until ``condition()``; it may raise. Raises TimeoutError with the text of ``why_not``."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    future = asyncio.get_running_loop().create_future()
                    self._futures.add(future)
                    try:
                        await future
                    finally:
                        self._futures.discard(future)
        except TimeoutError:
            raise TimeoutError(why_not()) from None
