"""The outside as one part: what `app` calls, in its order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.drop_in.test_ports import get
from typha.config import HostPort
from typha.drop_in.datastore import way_to_api_server
from typha.drop_in.outside import Outside
from typha.drop_in.settings import DropIn, Rebalancing
from typha.observe.status import Board
from typha.upstream.api_session import ApiSession

pytestmark = pytest.mark.e2e


@pytest.fixture
async def session(control_plane: ControlPlane) -> AsyncIterator[ApiSession]:
    load = way_to_api_server({"KUBECONFIG": str(control_plane.write_kubeconfig(control_plane.admin))})
    async with ApiSession(load) as session:
        yield session


async def run_until(outside: Outside, session: ApiSession, connections: list[int], left: int) -> None:
    """Sheds until so many are left, and a little longer."""

    enough = asyncio.Event()

    async def load() -> object:
        raise AssertionError("nothing is to be written")

    def shed(connection: int) -> None:
        connections.remove(connection)
        if len(connections) == left:
            enough.set()

    task = asyncio.create_task(
        outside.run(
            session,
            load,  # type: ignore[arg-type]
            count_nodes=lambda: 0,
            connections=lambda: list(connections),
            shed=shed,
        )
    )
    await asyncio.wait_for(enough.wait(), 30)
    await asyncio.sleep(0.05)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_above_the_upper_limit_connections_go_one_by_one(session: ApiSession) -> None:
    outside = Outside(DropIn(upper_limit=3, drop_interval_s=0.01), Board(time.monotonic), random=lambda: 0.5)
    connections = list(range(8))
    await run_until(outside, session, connections, 3)
    assert len(connections) == 3
    assert outside.shedder.dropped == 5


async def test_mode_kubernetes_lowers_the_limit(session: ApiSession, control_plane: ControlPlane) -> None:
    namespace = "drop-in-outside"
    control_plane.rest.create_namespace(namespace)
    body = {
        "metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "calico-typha"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [f"10.0.0.{number}"]} for number in range(1, 4)],
        "ports": [{"name": "calico-typha", "port": 5473}],
    }
    control_plane.rest.create("discovery.k8s.io/v1/endpointslices", body, namespace)
    rebalancing = Rebalancing(namespace=namespace, poll_interval_s=0.01, lower_limit=2)
    drop_in = DropIn(rebalancing=rebalancing, drop_interval_s=0.01)
    outside = Outside(drop_in, Board(time.monotonic), random=lambda: 0.5)
    connections = list(range(8))
    # 4 x (1 + 0 nodes): a limit of 4.
    await run_until(outside, session, connections, 4)
    assert len(connections) == 4


async def test_ports_open_and_close_with_it() -> None:
    outside = Outside(DropIn(health=HostPort("127.0.0.1", 0)), Board(time.monotonic), random=lambda: 0.5)
    outside.start()
    try:
        status, _, _ = await asyncio.to_thread(get, outside.ports.health_port, "/liveness")
        assert status == 200
    finally:
        outside.stop()
        outside.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(get, outside.ports.health_port, "/liveness")


def test_the_pace_of_a_drain_is_that_of_the_settings() -> None:
    drop_in = DropIn(shutdown_timeout_s=10.0, shutdown_drop_interval_max_s=0.5)
    outside = Outside(drop_in, Board(time.monotonic), random=lambda: 0.5)
    assert outside.drain_interval_s(1) == 0.5
    assert outside.drain_interval_s(95) == pytest.approx(0.1)
