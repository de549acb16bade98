"""Population: a pod's life, one change at a time; with Calico in the order of its plugin."""

from __future__ import annotations

from random import Random

import pytest

from typha.simulation.calico.installation import Installation
from typha.simulation.calico.resources import CALICO
from typha.simulation.discovery import BUILT_IN
from typha.simulation.pods import PodTemplates, Workload
from typha.simulation.population import Population
from typha.simulation.store import Store, decode

# None of them has two address families.
NODES = ["node-0", "node-1", "node-2"]
CNI = "cni.projectcalico.org/podIP"


def population(*, calico: bool, target: int = 10) -> tuple[Store, Population]:
    store = Store(resources=(*BUILT_IN, *CALICO))
    installation = Installation(store, seed=0, nodes=NODES, spaces=["shop"], span=256) if calico else None
    made = Population(
        store,
        Random(0),
        workloads=[Workload("shop", "web", "0123456789", "owner")],
        nodes=NODES,
        span=256,
        target=target,
        templates=PodTemplates(calico=calico),
        calico=installation,
    )
    return store, made


@pytest.mark.parametrize("calico", [False, True])
def test_a_life(calico: bool) -> None:
    """What each change touches, from birth to end."""
    store, pods = population(calico=calico, target=0)
    touched: list[str] = []
    store.subscribe(lambda table: touched.append(table.resource.plural))
    while not store.table("v1/pods").objects:
        pods.come_or_go()
    for change in (pods.schedule, pods.start):
        assert change()
    while pods.due:
        pods.due.popleft()()
    (row,) = store.table("v1/pods").objects.values()
    obj = decode(row)
    assert obj["status"]["phase"] == "Running"
    assert [each.ip for each in pods.endpoints(0)] == [obj["status"]["podIP"]]
    born = touched.copy()
    assert born == ["pods"] * 2 + (["blockaffinities", "ipamblocks", "pods"] if calico else []) + ["pods"]
    assert pods.come_or_go()
    assert pods.delete()
    while pods.due:
        assert (decode(next(iter(store.table("v1/pods").objects.values())))["metadata"]["annotations"][CNI]) == ""
        pods.due.popleft()()
    assert touched[len(born) :] == ["pods"] + (["pods", "ipamblocks"] if calico else []) + ["pods"]
    assert (pods.count, pods.endpoints(0)) == (0, [])


def test_nothing_to_do_is_no_change() -> None:
    store, pods = population(calico=True)
    before = store.resource_version
    assert not any((pods.schedule(), pods.start(), pods.delete(), pods.relabel()))
    assert store.resource_version == before


def test_their_number_stays_near_the_target() -> None:
    store, pods = population(calico=True, target=30)
    for _ in range(30):
        pods.create_first()
    for _ in range(400):
        pods.come_or_go()
        pods.delete()
        while pods.due:
            pods.due.popleft()()
        assert 25 <= pods.count <= 33
    assert pods.count == len(store.table("v1/pods").objects)
