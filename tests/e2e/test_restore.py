"""etcd restored from a copy: resourceVersions go back. Agents are told, and end equal to what the API server has now.

What cannot be seen is documented: a restore whose new writes overtake the old versions before anybody looks. These
tests stay below, and show that a look is taken at each reconnect, by the server and for an agent's `seen`.
"""

from asyncio import to_thread
from pathlib import Path

import pytest

from tests.e2e.house import House
from tests.e2e.objects import PODS, SERVICES, create_service, on_node, pods_topic, relabel

pytestmark = pytest.mark.e2e

TOPICS = {"pods": pods_topic(), "services": {"resource": SERVICES}}
# The API server's own start writes some; the copy must stay behind by more than that.
LOST = 30


async def prepare(house: House) -> Path:
    """Namespace `a` with a pod that stays; the copy to go back to."""
    rest = house.rest
    await to_thread(rest.create_namespace, "a")
    await to_thread(rest.create_pod, "a", "kept", "n1", "10.0.0.1", {"written": "before"})
    await to_thread(rest.create_pod, "a", "back", "n1", "10.0.0.2")
    await to_thread(create_service, rest, "a", "svc")
    return await to_thread(house.control_plane.snapshot_etcd)


def write_what_will_be_lost(house: House) -> None:
    rest = house.rest
    for number in range(LOST):
        rest.create_pod("a", f"lost-{number}", f"n{number % 2}")
    relabel(rest, "a", "kept", written="after")
    rest.delete(PODS, "back", "a")


async def test_connected_agents_are_told_by_reset(fresh_house: House) -> None:
    house = fresh_house
    snapshot = await prepare(house)
    server = await house.serve(TOPICS)
    agents = [await house.agent(server), await house.agent(server, **on_node("n1"))]
    await house.wait_equal()
    await to_thread(write_what_will_be_lost, house)
    await house.wait_equal()
    clusters = {agent.told["pods"].cluster for agent in agents}
    cursors = [agent.client.topic("pods").cursor or 0 for agent in agents]

    await to_thread(house.control_plane.restore_etcd, snapshot)
    await house.wait_equal()
    for agent, cursor in zip(agents, cursors, strict=True):
        assert agent.held("pods").keys() == {"a/back", "a/kept"}
        assert agent.counters()["frames_Reset"] == 2  # one per topic
        assert agent.client.statistics()["connects"] == 1
        assert (agent.client.topic("pods").cursor or 0) < cursor
    # The handlers heard of one difference and not of a restart: `kept` was never gone.
    assert ("pods", "delete", "a/kept") not in agents[0].calls
    # The old life's name is not used again.
    assert clusters.isdisjoint({agent.told["pods"].cluster for agent in agents})
    assert server.status()["upstream"]["lives_total"] == 1

    await to_thread(relabel, house.rest, "a", "kept", written="anew")
    await house.wait_equal()


async def test_agents_that_were_away_learn_of_a_restore_from_a_server_that_knows_nothing(fresh_house: House) -> None:
    house = fresh_house
    snapshot = await prepare(house)
    server = await house.serve(TOPICS)
    agent = await house.agent(server)
    await to_thread(write_what_will_be_lost, house)
    await house.wait_equal()

    await to_thread(server.kill)
    await to_thread(house.control_plane.restore_etcd, snapshot)
    # A fresh process sees a healthy cluster. Only the agent's `seen` proves that there was more, whether it comes
    # before the first list is complete or after it.
    await to_thread(server.start)
    await house.wait_equal()
    assert server.status()["upstream"]["lives_total"] == 1
    assert agent.held("pods").keys() == {"a/back", "a/kept"}


async def test_restore_overtaken_by_writes_is_seen_as_long_as_the_version_is_below_head(fresh_house: House) -> None:
    house = fresh_house
    control_plane = house.control_plane
    snapshot = await prepare(house)
    server = await house.serve(TOPICS)
    agent = await house.agent(server)
    await to_thread(write_what_will_be_lost, house)
    await house.wait_equal()

    # The server's watch of pods breaks with the API server, and is not opened again before more was written.
    await to_thread(control_plane.kill_apiserver)
    second = await to_thread(control_plane.add_apiserver)
    await to_thread(control_plane.restore_etcd, snapshot)
    for number in range(3):
        await to_thread(second.rest.create_pod, "a", f"new-{number}", "n1")
    await to_thread(control_plane.restart_apiserver)
    await house.wait_equal()
    assert agent.held("pods").keys() >= {"a/back", "a/kept", "a/new-0", "a/new-2"}
    assert server.status()["upstream"]["lives_total"] == 1
