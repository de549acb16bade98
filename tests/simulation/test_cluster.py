"""Cluster: the same life for the same seed, one change at a time, pods that live as pods do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from typha.simulation.cluster import Cluster
from typha.simulation.store import Store, decode
from typha.simulation.table import Event


def everything(store: Store) -> dict[str, bytes]:
    return {
        f"{resource.name}/{row.key}": row.tail
        for resource in store.resources()
        for row in store.list_page(resource.name).rows
    }


def lived(seed: int, steps: int) -> Store:
    store = Store(seed=seed)
    cluster = Cluster(store, seed=seed, nodes=4, pods=40)
    cluster.populate()
    for _ in range(steps):
        cluster.step()
    return store


def events_of(steps: int) -> list[Event]:
    return lived(2, steps).history("pods", 1)


def test_equal_seeds_live_equal_lives() -> None:
    first, second, other = lived(7, 500), lived(7, 500), lived(8, 500)
    assert everything(first) == everything(second)
    assert first.resource_version == second.resource_version
    assert everything(first) != everything(other)


def test_populate_makes_a_whole_cluster() -> None:
    store = Store()
    Cluster(store, nodes=3, pods=30, namespaces=2).populate()
    counts = {resource.plural: len(store.table(resource.name).objects) for resource in store.resources()}
    assert counts == {
        "namespaces": 4,
        "nodes": 3,
        "serviceaccounts": 4,
        "configmaps": 0,
        "services": 8,
        "pods": 30,
        "endpointslices": 8,
        "networkpolicies": 2,
    }
    assert store.get("namespaces", "kube-system").key == "kube-system"


def test_each_step_is_one_change() -> None:
    store = Store()
    cluster = Cluster(store, nodes=2, pods=20)
    cluster.populate()
    touched = set()
    store.subscribe(lambda table: touched.add(table.resource.plural))
    for _ in range(2000):
        before = store.resource_version
        cluster.step()
        assert store.resource_version == before + 1
    assert cluster.changes == 2000
    assert touched == {"pods", "nodes", "namespaces", "networkpolicies", "endpointslices"}
    assert 18 <= cluster.pods <= 22
    assert cluster.pods == len(store.table("pods").objects)


def test_an_empty_cluster_still_lives() -> None:
    store = Store()
    cluster = Cluster(store, nodes=1, pods=0)
    cluster.populate()
    for _ in range(200):
        cluster.step()
    assert cluster.pods <= 1


def test_pods_live_in_order() -> None:
    """Pending, scheduled, running with an address, then an end, then gone."""
    stages: dict[str, list[str]] = {}
    for event in events_of(3000):
        obj = decode(event.stored)
        if event.type == "DELETED":
            stage = "deleted"
        elif "deletionTimestamp" in obj["metadata"]:
            stage = "terminating"
        elif obj["status"]["phase"] == "Pending":
            stage = "scheduled" if obj["spec"].get("nodeName") else "pending"
        else:
            stage = obj["status"]["phase"].lower()
        path = stages.setdefault(event.stored.key, [])
        if not path or path[-1] != stage:
            path.append(stage)
    ends = {tuple(path) for path in stages.values() if path[0] == "pending" and path[-1] == "deleted"}
    start = ("pending", "scheduled", "running")
    assert ends == {(*start, "terminating", "deleted"), (*start, "succeeded", "deleted")}


def test_addresses_are_unique_and_used_again() -> None:
    held: dict[str, str] = {}
    owners: dict[str, set[str]] = {}
    for event in events_of(3000):
        ip = decode(event.stored)["status"].get("podIP")
        if ip is None:
            continue
        if event.type == "DELETED":
            del held[ip]
        else:
            assert held.setdefault(ip, event.stored.key) == event.stored.key
            owners.setdefault(ip, set()).add(event.stored.key)
    assert max(map(len, owners.values())) > 1


def test_pods_stand_in_their_nodes_block() -> None:
    store = lived(3, 300)
    nodes: dict[str, Any] = {row.key: decode(row) for row in store.list_page("nodes").rows}
    for row in store.list_page("pods").rows:
        obj = decode(row)
        if "podIP" in obj["status"]:
            node = nodes[obj["spec"]["nodeName"]]
            assert node["spec"]["podCIDR"].endswith(".0/24")
            assert obj["status"]["podIP"].rpartition(".")[0] == node["spec"]["podCIDR"].removesuffix(".0/24")
            assert obj["status"]["hostIP"] == node["status"]["addresses"][0]["address"]


def test_endpoints_follow_running_pods() -> None:
    store = Store()
    Cluster(store, nodes=3, pods=60).populate()
    running = {
        decode(row)["status"]["podIP"]
        for row in store.list_page("pods").rows
        if decode(row)["status"]["phase"] == "Running"
    }
    slices = [decode(row) for row in store.list_page("endpointslices").rows]
    assert {each["addresses"][0] for one in slices for each in one["endpoints"]} == running


@pytest.mark.parametrize("wrong", [{"nodes": 0}, {"pods": -1}, {"namespaces": 0}])
def test_impossible_clusters(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 node and namespace or more"):
        Cluster(Store(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="take fewer nodes"):
        Cluster(Store(), nodes=70_000, pods=1)


async def test_run_makes_changes_at_its_rate() -> None:
    store = Store()
    cluster = Cluster(store, nodes=2, pods=10)
    cluster.populate()
    with pytest.raises(ValueError, match="above 0"):
        await cluster.run(0)
    task = asyncio.create_task(cluster.run(2000))
    enough = asyncio.Event()
    store.subscribe(lambda _table: enough.set() if cluster.changes >= 100 else None)
    await enough.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert store.resource_version > 100
