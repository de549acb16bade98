"""The scene with Calico: every object of the simulated cluster converts, and roles see their part of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from typha.cli.demo.calico import BLOCKS, ENDPOINTS, CalicoScene, CalicoTruth
from typha.cli.demo.direct import needed, unfiltered
from typha.cli.demo.scene import Role
from typha.simulation.serve import serve_simulation


@pytest.fixture
async def truth() -> AsyncIterator[tuple[CalicoScene, CalicoTruth]]:
    scene = CalicoScene()
    store, cluster = scene.cluster(4, 40)
    cluster.populate()
    for _ in range(1500):
        cluster.step()
    async with serve_simulation(store) as api, aiohttp.ClientSession() as session:
        yield scene, await scene.truth(session, api.url)


async def test_every_object_converts_and_every_topic_has_some(truth: tuple[CalicoScene, CalicoTruth]) -> None:
    scene, found = truth
    assert found.contents.keys() == scene.resources.keys()
    # A migration is an entry in some of its phases only.
    assert {topic for topic, content in found.contents.items() if not content} <= {"livemigrations"}


async def test_roles_see_their_part(truth: tuple[CalicoScene, CalicoTruth]) -> None:
    scene, found = truth
    whole, filtered, bgp = (scene.role(number, f"node-{number:04d}") for number in (0, 3, 4))
    assert found.seen_by(whole) == {topic: found.contents[topic] for topic in whole.topics}
    assert filtered.where == {ENDPOINTS: {"node": "node-0003"}}
    own = found.seen_by(filtered)[ENDPOINTS]
    assert own
    assert all(key.startswith("/calico/v1/host/node-0003/") for key in own)
    assert len(own) < len(found.contents[ENDPOINTS])
    assert bgp.feed == "bgp"
    assert ENDPOINTS not in found.seen_by(bgp)
    # There is no fifth node: a filter that nothing passes leaves nothing.
    assert found.seen_by(bgp)[BLOCKS] == {}


def test_a_touch_reaches_every_role() -> None:
    scene = CalicoScene()
    store, _ = scene.cluster(1, 0)
    touched = scene.touch(store, "born")
    assert store.resource_version == max(touched.values())
    assert all(touched.keys() & set(scene.role(number, "n").topics) for number in range(5))


def test_what_direct_watches_would_cost() -> None:
    scene = CalicoScene()
    role = scene.role(3, "n")
    assert needed(scene, role) - unfiltered(scene, role) == {"v1/pods"}
    # Nodes and host configuration come from one resource.
    assert len(needed(scene, Role("felix", ("nodes", "hostconfigs")))) == 1
