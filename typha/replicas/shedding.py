"""Asks a `Shedder` when it is due, and lets go whom it names: the one loop of both ways to rebalance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from typha.replicas.balance import Shedder

Connection = TypeVar("Connection")


async def shed_until(
    ends_at: float,
    shedder: Shedder,
    connections: Callable[[], Sequence[Connection]],
    shed: Callable[[Connection], None],
    *,
    clock: Callable[[], float],
) -> None:
    """Until that time on ``clock`` (infinity: until cancelled)."""
    while (wake_at := min(shedder.next_at, ends_at)) < ends_at:
        await asyncio.sleep(max(0.0, wake_at - clock()))
        for connection in shedder.due(clock(), connections()):
            shed(connection)
    await asyncio.sleep(max(0.0, ends_at - clock()))
