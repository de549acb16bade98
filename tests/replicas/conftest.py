"""Real servers on loopback (as in `tests.downstream`), each with what it knows of the others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest

from tests.downstream.conftest import Running
from typha.downstream.settings import DownstreamSettings
from typha.replicas.finding import Place
from typha.replicas.neighbours import Neighbours, NeighbourSettings

INTERVAL_S = 0.1


class Replica:
    """One server and its task that looks at the others. ``places``: where servers are, this one included."""

    def __init__(self, running: Running, places: list[Place], settings: NeighbourSettings) -> None:
        self.running = running
        self.places = places
        self.error: OSError | None = None
        rng = random.Random(1)
        self.neighbours = Neighbours(running.server, self._find, settings, random=rng.random, clock=time.monotonic)
        self.place = Place("127.0.0.1", running.port)

    async def _find(self) -> list[Place]:
        if self.error is not None:
            raise self.error
        return self.places

    @property
    def held(self) -> int:
        return len(self.running.server.fan_out.subscribers)

    @property
    def address(self) -> str:
        return self.place.address


Replicas = Callable[..., Awaitable[list[Replica]]]


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    """``await replicas(2)``: so many servers that know each other; ``looking=False``: they only look when told."""
    async with AsyncExitStack() as stack:

        async def begin(
            count: int, *, looking: bool = True, calico: bool = False, settings: NeighbourSettings | None = None
        ) -> list[Replica]:
            places: list[Place] = []
            found = []
            for _ in range(count):
                downstream = DownstreamSettings(round_pause_s=0.001, max_age_s=0.0)
                running = await stack.enter_async_context(Running(downstream, None, calico=calico).run())
                replica = Replica(running, places, settings or NeighbourSettings(INTERVAL_S))
                places.append(replica.place)
                found.append(replica)
            if looking:
                for replica in found:
                    stack.push_async_callback(_end, asyncio.create_task(replica.neighbours.run()))
            return found

        yield begin


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
