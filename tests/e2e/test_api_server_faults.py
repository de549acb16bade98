"""The API server freezes, dies, forgets its history, or is one of two: agents keep what they have, and end equal."""

from asyncio import to_thread

import pytest

from tests.e2e.house import House
from tests.e2e.objects import PODS, SERVICES, create_service, pods_topic, relabel

pytestmark = pytest.mark.e2e

# Silence is noticed after a second and not after 70; data is old after 3 s and not after 180.
IMPATIENT = {
    "upstream": {"probe_after_s": 1, "probe_timeout_s": 1, "replace_after_s": 2},
    "timing": {"stale_after_s": 3},
}
TOPICS = {"pods": pods_topic(), "services": {"resource": SERVICES}}


async def start(house: House) -> None:
    """A namespace `a` with two pods and a service."""
    await to_thread(house.rest.create_namespace, "a")
    for name in ("kept", "gone"):
        await to_thread(house.rest.create_pod, "a", name, "n1", "10.0.0.1")
    await to_thread(create_service, house.rest, "a", "svc")


def edit(house: House) -> None:
    """A put, a new key and a deletion."""
    relabel(house.rest, "a", "kept", edited="yes")
    house.rest.create_pod("a", "born", "n2")
    house.rest.delete(PODS, "gone", "a")


async def test_frozen_api_server_makes_stale_and_thawed_in_sync(fresh_house: House) -> None:
    house = fresh_house
    await start(house)
    server = await house.serve(TOPICS, IMPATIENT)
    agent = await house.agent(server)
    await house.wait_equal()
    held = agent.held("pods")

    await to_thread(house.control_plane.freeze)
    await house.wait_state("pods", "stale")
    assert agent.client.topic("pods").is_stale
    assert agent.held("pods") == held
    # One outage of the API server must not empty the Service.
    assert server.page("/readyz").code == 200
    late = await house.agent(server)
    await house.wait(
        "the late agent has the old data", lambda: late.held("pods") == held and late.state("pods") == "stale"
    )
    assert not late.client.is_synced

    await to_thread(house.control_plane.thaw)
    await to_thread(edit, house)
    await house.wait_equal()
    assert "stale" in agent.told["pods"].states
    assert agent.counters()["snapshots"] == 2  # those of the first join: one per topic


async def test_killed_api_server_comes_back(fresh_house: House) -> None:
    house = fresh_house
    await start(house)
    server = await house.serve(TOPICS)
    agents = [await house.agent(server) for _ in range(3)]
    await house.wait_equal()
    before = [agent.counters() for agent in agents]
    for round_ in range(2):
        await to_thread(house.control_plane.kill_apiserver)
        await to_thread(house.control_plane.restart_apiserver)
        await to_thread(relabel, house.rest, "a", "kept", round=str(round_))
        await house.wait_equal()
    for agent, counted in zip(agents, before, strict=True):
        # Nobody was reconnected, and nothing but the two changes was sent.
        assert agent.client.statistics()["connects"] == 1
        assert 1 <= (agent.counters() - counted)["frames_Entries"] <= 2
    assert server.status()["upstream"]["lives_total"] == 0


async def test_forgotten_history_is_one_diff(fresh_house: House) -> None:
    house = fresh_house
    control_plane = house.control_plane
    second = await to_thread(control_plane.add_apiserver)
    await start(house)
    server = await house.serve(TOPICS)
    agent = await house.agent(server)
    await house.wait_equal()
    calls = len(agent.calls)

    # While our API server is down the history that typha would need is made, and compacted, through the other one.
    await to_thread(control_plane.kill_apiserver)
    await to_thread(second.rest.delete, PODS, "gone", "a")
    await to_thread(relabel, second.rest, "a", "kept", edited="yes")
    await to_thread(second.rest.create_pod, "a", "born", "n2")
    await to_thread(control_plane.compact_etcd)
    await to_thread(control_plane.restart_apiserver)
    await house.wait_equal()
    # Subscribers see puts and deletes, never a restart.
    assert sorted(agent.calls[calls:]) == [
        ("pods", "delete", "a/gone"),
        ("pods", "put", "a/born"),
        ("pods", "put", "a/kept"),
    ]
    assert agent.counters()["snapshots"] == 2
    assert agent.client.statistics()["connects"] == 1
    assert sum(each["relists_total"] for each in server.status()["upstream"]["reflectors"]) >= 1


async def test_agent_ahead_of_a_lagging_server_waits_with_what_it_has(fresh_house: House) -> None:
    house = fresh_house
    control_plane = house.control_plane
    second = await to_thread(control_plane.add_apiserver)
    await start(house)
    behind = await house.serve(TOPICS, IMPATIENT)
    ahead = await house.serve(TOPICS, kubeconfig=second.write_kubeconfig(control_plane.admin))
    lagging = await house.agent(behind)
    await to_thread(behind.kill)
    agent = await house.agent(ahead, behind)  # lands where it can: on the one that is ahead
    await house.wait_equal(agent)
    await to_thread(behind.start)
    await house.wait_equal()

    # One API server frozen: the agents of its server lag and say so, the others go on through the second.
    await to_thread(control_plane.freeze)
    await to_thread(relabel, second.rest, "a", "kept", edited="yes")
    await to_thread(second.rest.create_pod, "a", "born", "n2")
    await house.wait("the other agent sees it", lambda: "a/born" in agent.held("pods"))
    await house.wait_state("pods", "stale", lagging)
    assert "a/born" not in lagging.held("pods")

    # Now only the server that lags is left. It has nothing to offer but the past, and says so.
    await to_thread(ahead.kill)
    await house.wait("it is refused", lambda: agent.client.statistics()["refused"] > 0)
    await house.wait_state("pods", "stale", agent)
    assert "a/born" in agent.held("pods")
    assert behind.status()["server"]["refused_total"].keys() == {"not_ready"}
    assert behind.status()["upstream"]["lives_total"] == 0

    await to_thread(control_plane.thaw)
    await house.wait_equal()
    assert agent.counters()["snapshots"] == 2  # those of the first join
    assert behind.subscriber(agent.node) is not None
