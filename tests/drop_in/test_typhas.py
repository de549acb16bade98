"""The Typhas of a Service, counted on a real API server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.controlplane.controlplane import ControlPlane
from typha.drop_in.datastore import way_to_api_server
from typha.drop_in.rebalancing import Limit
from typha.drop_in.settings import Rebalancing
from typha.drop_in.typhas import count_typhas, find_limit, poll
from typha.upstream.api_session import ApiSession

pytestmark = pytest.mark.e2e

NAMESPACE = "drop-in-typhas"
SETTINGS = Rebalancing(namespace=NAMESPACE, poll_interval_s=0.01)


def endpoint_slice(
    name: str, *addresses: str, service: str = "calico-typha", port: str = "calico-typha"
) -> dict[str, Any]:
    """Ready, unready and of unknown readiness in turn."""
    ready = [{"ready": True}, {"ready": False}, {}]
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address], "conditions": ready[number % 3]} for number, address in enumerate(addresses)
        ],
        "ports": [{"name": "metrics", "port": 9093}, {"name": port, "port": 5473}],
    }


@pytest.fixture(scope="module")
def slices(control_plane: ControlPlane) -> ControlPlane:
    rest = control_plane.rest
    rest.create_namespace(NAMESPACE)
    for body in (
        endpoint_slice("one", "10.0.0.1", "10.0.0.2"),
        endpoint_slice("two", "10.0.0.2", "10.0.0.3"),
        endpoint_slice("other-port", "10.0.0.4", port="http"),
        endpoint_slice("other-service", "10.0.0.5", service="typha"),
    ):
        rest.create("discovery.k8s.io/v1/endpointslices", body, NAMESPACE)
    return control_plane


@pytest.fixture
async def session(slices: ControlPlane) -> AsyncIterator[ApiSession]:
    kubeconfig = slices.write_kubeconfig(slices.admin)
    async with ApiSession(way_to_api_server({"KUBECONFIG": str(kubeconfig)})) as session:
        yield session


async def test_distinct_addresses_with_the_port_ready_or_not(session: ApiSession) -> None:
    assert await count_typhas(session, SETTINGS) == 3
    assert await count_typhas(session, Rebalancing(namespace=NAMESPACE, port_name="http")) == 1
    assert await count_typhas(session, Rebalancing(namespace=NAMESPACE, service="nobody")) == 0


async def test_pages_are_followed(session: ApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.replicas.slices._PAGE_OBJECTS", 1)
    assert await count_typhas(session, SETTINGS) == 3


async def test_the_limit_of_the_moment(session: ApiSession) -> None:
    assert await find_limit(session, SETTINGS, 10_000, lambda: 500) == Limit(1204, "fraction+20%")
    assert await find_limit(session, SETTINGS, 10_000, lambda: None) == Limit(10_000, "error")
    assert await find_limit(session, Rebalancing(namespace="nowhere"), 10_000, lambda: 500) == Limit(
        10_000, "lone typha"
    )


async def test_who_may_not_list_sheds_nobody(slices: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    user = slices.rest.create_service_account(NAMESPACE, "nobody")
    load = way_to_api_server({"KUBECONFIG": str(slices.write_kubeconfig(user))})
    async with ApiSession(load) as session:
        assert await find_limit(session, SETTINGS, 10_000, lambda: 500) == Limit(10_000, "error")
    assert "403" in caplog.records[-1].__dict__["error"]


async def test_the_poller_tells_a_limit_when_it_changes(session: ApiSession) -> None:
    told: asyncio.Queue[int] = asyncio.Queue()
    nodes: list[int | None] = [None, 500, 500, 1000, None]

    def count_nodes() -> int | None:
        return nodes.pop(0) if len(nodes) > 1 else nodes[0]

    task = asyncio.create_task(
        poll(
            session,
            SETTINGS,
            10_000,
            count_nodes=count_nodes,
            on_limit=told.put_nowait,
            random=random.Random(1).random,
        )
    )
    try:
        async with asyncio.timeout(30):
            assert [await told.get() for _ in range(3)] == [1204, 2404, 10_000]
    finally:
        task.cancel()
