from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from tests.upstream.rig import Rig, pod
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store
from typha.simulation.watches import Settings as ServerSettings


class MakeRig(Protocol):
    async def __call__(self, *, start: bool = True, **settings: Any) -> Rig: ...


@pytest.fixture
def store() -> Store:
    store = Store(seed=1)
    for number in range(12):
        store.create("v1/pods", pod(f"p{number}", node=f"n{number % 3}"))
    return store


@pytest.fixture
def server_settings() -> ServerSettings:
    return ServerSettings()


@pytest.fixture
async def server(store: Store, server_settings: ServerSettings) -> AsyncIterator[SimulationServer]:
    async with serve_simulation(store, settings=server_settings) as server:
        yield server


@pytest.fixture
async def make_rig(server: SimulationServer) -> AsyncIterator[Callable[..., Any]]:
    """Start a reflector on the server; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def make(*, start: bool = True, **settings: Any) -> Rig:
            rig = Rig(server, **settings)
            stack.push_async_callback(rig.stop)
            if start:
                await rig.start()
            return rig

        yield make
