"""A served store and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.simulation.api_client import Client
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def server(store: Store) -> AsyncIterator[SimulationServer]:
    async with serve_simulation(store) as running:
        yield running


@pytest.fixture
async def client(server: SimulationServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(server.url) as session:
        yield Client(session)
