"""Time as upstream sees it, so that tests can turn the hands.

Place: given to `reflector` and all that waits there. Timeouts of single requests stay with their sockets.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "MonotonicClock"]


class Clock(Protocol):
    """`now` in monotonic seconds; `sleep` returns when that much has passed."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean something."""

    async def sleep(self, delay_s: float) -> None:
        """Wait."""


class MonotonicClock:
    """The real one."""

    def now(self) -> float:
        """`time.monotonic`."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(delay_s)
