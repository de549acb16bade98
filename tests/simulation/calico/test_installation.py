"""A cluster with Calico: the same life for the same seed, one change at a time, addresses and blocks that agree."""

from __future__ import annotations

from typing import Any

import pytest

from typha.simulation.calico.resources import CALICO, GROUP
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.store import Store, decode

BLOCKS = f"{GROUP}/v1/ipamblocks"


def lived(steps: int, *, seed: int = 0, nodes: int = 5, pods: int = 60) -> tuple[Store, Cluster]:
    store = Store(seed=seed, resources=(*BUILT_IN, *CALICO))
    cluster = Cluster(store, seed=seed, nodes=nodes, pods=pods, namespaces=6, calico=True)
    cluster.populate()
    for _ in range(steps):
        cluster.step()
    return store, cluster


def objects_of(store: Store, resource: str) -> dict[str, Any]:
    return {row.key: decode(row) for row in store.list_page(resource).rows}


def held_in_blocks(store: Store) -> dict[tuple[str, int], str]:
    """(CIDR, ordinal) -> pod, of every address that a pod holds."""
    held = {}
    for block in objects_of(store, BLOCKS).values():
        spec = block["spec"]
        for ordinal, attribute in enumerate(spec["allocations"]):
            assert (attribute is None) is (ordinal in spec["unallocated"])
            if attribute is not None and "pod" in (owner := spec["attributes"][attribute]["secondary"]):
                held[spec["cidr"], ordinal] = f"{owner['namespace']}/{owner['pod']}"
        assert sorted(spec["sequenceNumberForAllocation"], key=int) == [
            str(ordinal) for ordinal, attribute in enumerate(spec["allocations"]) if attribute is not None
        ]
    return held


def held_by_pods(store: Store) -> set[str]:
    """Pods with an address, once for each."""
    return {
        key
        for key, pod in objects_of(store, "v1/pods").items()
        if (pod["metadata"]["annotations"] or {}).get("cni.projectcalico.org/podIP")
    }


def test_equal_seeds_live_equal_lives() -> None:
    def everything(seed: int) -> dict[str, bytes]:
        store, _ = lived(600, seed=seed)
        return {
            f"{resource.name}/{row.key}": row.tail
            for resource in store.resources()
            for row in store.list_page(resource.name).rows
        }

    assert everything(7) == everything(7)
    assert everything(7) != everything(8)


def test_all_kinds_are_there_and_each_step_is_one_change() -> None:
    store, cluster = lived(0)
    assert all(store.table(resource.name).objects for resource in CALICO)
    touched = set()
    store.subscribe(lambda table: touched.add(table.resource.name))
    for _ in range(4000):
        before = store.resource_version
        cluster.step()
        assert store.resource_version == before + 1
    assert {BLOCKS, f"{GROUP}/v1/networksets", f"{GROUP}/v1/ippools", "v1/pods", "v1/nodes"} <= touched
    assert cluster.pods == len(store.table("v1/pods").objects)
    assert 54 <= cluster.pods <= 66


@pytest.mark.parametrize("steps", [0, 1500])
def test_blocks_hold_the_pods_addresses(steps: int) -> None:
    store, cluster = lived(steps)
    # What one event writes may be half done; a heartbeat never is.
    while cluster.is_amid:
        cluster.step()
    assert set(held_in_blocks(store).values()) == held_by_pods(store)
    affinities = objects_of(store, f"{GROUP}/v1/blockaffinities").values()
    nodes = {each["spec"]["cidr"]: each["spec"]["node"] for each in affinities}
    for block in objects_of(store, BLOCKS).values():
        assert block["spec"]["affinity"] == f"host:{nodes[block['spec']['cidr']]}"
    for key, pod in objects_of(store, "v1/pods").items():
        if "podIPs" in pod["status"]:
            families = len(pod["status"]["podIPs"])
            assert families == (2 if pod["spec"]["nodeName"] == "node-0003" else 1), key


def test_an_address_is_in_a_block_before_and_after_its_pod_has_it() -> None:
    store, cluster = lived(0)
    for _ in range(1500):
        cluster.step()
        assert held_by_pods(store) <= set(held_in_blocks(store).values())


def test_a_heartbeat_keeps_what_calico_has_written() -> None:
    store, cluster = lived(0)
    before = objects_of(store, "v1/nodes")
    for _ in range(800):
        cluster.step()
    after = objects_of(store, "v1/nodes")
    rotated = set()
    for name, node in after.items():
        assert node["metadata"]["labels"] == before[name]["metadata"]["labels"]
        assert node["status"] != before[name]["status"]
        old, new = (each["metadata"]["annotations"] for each in (before[name], node))
        assert old.keys() == new.keys()
        rotated |= {annotation for annotation in old if old[annotation] != new[annotation]}
    assert rotated == {"projectcalico.org/WireguardPublicKey"}


def test_one_node_is_enough() -> None:
    store, cluster = lived(500, nodes=1, pods=5)
    assert cluster.pods == len(store.table("v1/pods").objects)
