"""The fixtures of the e2e tests: a house on the shared control plane, and one on a control plane of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.controlplane.controlplane import ControlPlane
from tests.e2e.house import House

_numbers = count(1)


async def _lived_in(house: House) -> AsyncIterator[House]:
    try:
        yield house
    finally:
        await house.free()
    house.check()


@pytest_asyncio.fixture
async def house(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[House]:
    """On the shared control plane: use a namespace of your own (fixture `namespace`), break no API server."""
    async for each in _lived_in(House(control_plane, tmp_path)):
        yield each


@pytest_asyncio.fixture
async def fresh_house(fresh_control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[House]:
    """On a control plane of its own, to be broken."""
    async for each in _lived_in(House(fresh_control_plane, tmp_path)):
        yield each


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """An empty namespace of the shared control plane."""
    name = f"e2e-{next(_numbers)}"
    control_plane.rest.create_namespace(name)
    return name
