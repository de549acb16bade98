"""Where the others are: EndpointSlices of a real API server, and names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.controlplane.controlplane import ControlPlane
from typha.config import HostPort
from typha.drop_in.datastore import way_to_api_server
from typha.replicas.finding import Place, by_name, in_slices
from typha.upstream.api_session import ApiSession
from typha.upstream.errors import UpstreamError

NAMESPACE = "replicas-finding"


@pytest.fixture
async def session(control_plane: ControlPlane) -> AsyncIterator[ApiSession]:
    kubeconfig = control_plane.write_kubeconfig(control_plane.admin)
    async with ApiSession(way_to_api_server({"KUBECONFIG": str(kubeconfig)})) as session:
        yield session


@pytest.mark.e2e
async def test_endpoints_that_stay_ready_or_not(control_plane: ControlPlane, session: ApiSession) -> None:
    control_plane.rest.create_namespace(NAMESPACE)
    for name, port in (("agents", 5473), ("health", 9095)):
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "typha"}},
            "addressType": "IPv6",
            "endpoints": [
                {"addresses": ["fd00::1"], "conditions": {"ready": True}},
                {"addresses": ["fd00::2"], "conditions": {"ready": False}},
                {"addresses": ["fd00::3"], "conditions": {"ready": False, "terminating": True}},
            ],
            "ports": [{"name": name, "port": port}],
        }
        control_plane.rest.create("discovery.k8s.io/v1/endpointslices", body, NAMESPACE)
    found = await in_slices(session, NAMESPACE, "typha", "agents")
    assert sorted(found) == [Place("fd00::1", 5473), Place("fd00::2", 5473)]
    assert found[0].address.startswith("[fd00::")
    assert await in_slices(session, NAMESPACE, "typha", "nowhere") == []


@pytest.mark.e2e
async def test_without_rights_it_says_so(control_plane: ControlPlane) -> None:
    user = control_plane.add_service_account("finds-nobody")
    load = way_to_api_server({"KUBECONFIG": str(control_plane.write_kubeconfig(user))})
    async with ApiSession(load) as session:
        with pytest.raises(UpstreamError, match="403"):
            await in_slices(session, "default", "typha", "agents")


async def test_every_address_of_every_name_once() -> None:
    found = await by_name([HostPort("127.0.0.1", 5473), HostPort("127.0.0.1", 5474), HostPort("127.0.0.1", 5473)])
    assert found == [Place("127.0.0.1", 5473, "127.0.0.1"), Place("127.0.0.1", 5474, "127.0.0.1")]


async def test_a_name_that_does_not_resolve_hides_no_other() -> None:
    found = await by_name([HostPort("no.such.host.invalid", 5473), HostPort("127.0.0.1", 5473)])
    assert [place.host for place in found] == ["127.0.0.1"]
    with pytest.raises(OSError, match=r"."):
        await by_name([HostPort("no.such.host.invalid", 5473)])
