"""Two coroutines of which the first to end decides.

Place: a stream's reader and the guard over its silence. An asyncio.TaskGroup would wrap what either raises; here one of
them is the result and the other is gone when it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["first_of"]

T = TypeVar("T")


async def first_of(work: Coroutine[Any, Any, T], guard: Coroutine[Any, Any, None]) -> T:
    """The result (or error) of `work`, unless `guard` raises before. A guard that just ends lets the work go on."""
    tasks = (asyncio.create_task(work), asyncio.create_task(guard))
    working, guarding = tasks
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            guarding.result()
        return await working
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What a task raised refers to this frame, and this frame to the tasks: without the collector, a cycle that
        # keeps what `work` had in hand.
        del task, tasks, working, guarding
