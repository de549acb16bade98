"""Calico's kinds over HTTP: discovery names them, and two groups may have one plural."""

from __future__ import annotations

import aiohttp

from tests.simulation.api_client import Client
from typha.simulation.calico.resources import CALICO, GROUP
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.serve import serve_simulation
from typha.simulation.store import Store


async def test_discovery_lists_and_watches_of_both_groups() -> None:
    store = Store(resources=(*BUILT_IN, *CALICO))
    Cluster(store, nodes=2, pods=4, namespaces=3, calico=True).populate()
    async with serve_simulation(store) as server, aiohttp.ClientSession(server.url) as session:
        client = Client(session)
        _, groups = await client.get("/apis")
        assert {GROUP, "policy.networking.k8s.io", "kubevirt.io"} < {each["name"] for each in groups["groups"]}
        _, found = await client.get(f"/apis/{GROUP}/v1")
        scopes = {each["name"]: each["namespaced"] for each in found["resources"] if "/" not in each["name"]}
        assert scopes["ippools"] is False
        assert scopes["networkpolicies"] is True
        calicos, _ = await client.list_all(f"/apis/{GROUP}/v1/networkpolicies")
        assert {each["metadata"]["name"] for each in calicos} == {"default.web"}
        kubernetes, _ = await client.list_all("/apis/networking.k8s.io/v1/networkpolicies")
        assert {"default-deny", "allow-dns"} < {each["metadata"]["name"] for each in kubernetes}
        path = f"/apis/{GROUP}/v1/ippools"
        async with client.watch(path, resourceVersion=store.resource_version) as watch:
            store.delete(f"{GROUP}/v1/ippools", "later-ippool")
            assert await watch.take(1) == [("DELETED", "later-ippool")]


def test_names_are_unique() -> None:
    names = [resource.name for resource in (*BUILT_IN, *CALICO)]
    assert len(set(names)) == len(names)
