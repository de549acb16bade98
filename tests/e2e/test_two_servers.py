"""Agents that change servers, and servers that die and come back: what changed is sent, nothing else, nothing lost."""

from asyncio import to_thread
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import count

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.agents import Agent
from tests.e2e.house import House
from tests.e2e.objects import PODS, SERVICES, create_service, on_node, pods_topic, relabel
from tests.e2e.truth import Json
from tests.e2e.typha_process import TyphaProcess

pytestmark = pytest.mark.e2e

PODS_HELD = 60
# k changes while away: at most 2 x k frames with entries and 4 KB to each agent.
CHANGES = 6
BYTES_LIMIT = 4096
# KeyDigest has at least 256 buckets of 8 bytes with msgpack's 2 each, and its envelope: what it costs to compare keys.
DIGEST_BYTES = 256 * 10 + 64

_marks = count(1)


def topics(namespace: str) -> dict[str, Json]:
    return {"pods": pods_topic(namespace), "services": {"resource": SERVICES, "namespace": namespace}}


def fill(rest: AdminRest, namespace: str) -> None:
    for number in range(PODS_HELD):
        rest.create("v1/pods", pod(f"p{number}", f"n{number % 3}"), namespace)
    create_service(rest, namespace, "svc")


def pod(name: str, node: str) -> Json:
    containers = [{"name": "main", "image": "example.invalid/main"}]
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": containers}}


def change(rest: AdminRest, namespace: str, mark: str) -> None:
    """Six changes of pods: three edits, two that come, one that goes. Each run deletes another one."""
    for number in range(3):
        relabel(rest, namespace, f"p{number}", mark=mark)
    for number in range(2):
        rest.create("v1/pods", pod(f"{mark}-{number}", "n0"), namespace)
    rest.delete(PODS, f"p{10 + len(mark)}", namespace)


async def settled(house: House, namespace: str, *servers: TyphaProcess) -> None:
    """All equal, and all cursors and heads above what any server forgot: only what changes from here on counts.

    Heads of a quiet topic move with the API server's bookmarks only, once a minute, so something is written.
    """
    for topic, resource, name in (("pods", PODS, "p0"), ("services", SERVICES, "svc")):
        patch = {"metadata": {"labels": {"settled": str(next(_marks))}}}
        written = await to_thread(house.rest.patch, resource, name, patch, namespace)
        rv = int(written["metadata"]["resourceVersion"])
        for server in servers:
            await house.wait_page(f"{server.name} has {topic} at {rv}", partial(has_reached, server, topic, rv))
        for agent in house.agents:
            await agent.client.wait_for(topic, rv, timeout=30)
    await house.wait_equal()


def has_reached(server: TyphaProcess, topic: str, rv: int) -> bool:
    return int(server.topic(topic)["head"]) >= rv


def check_sent(agents: Sequence[Agent], before: Sequence[Counter[str]]) -> None:
    """The bound, by the agent's own counters, over all connections since `before`."""
    for agent, counted in zip(agents, before, strict=True):
        sent = agent.counters() - counted
        assert sent["frames_Entries"] <= 2 * CHANGES, (agent.node, sent)
        compared = sent["frames_KeyDigest"] * DIGEST_BYTES
        assert sent["bytes_received"] - compared <= BYTES_LIMIT, (agent.node, sent)
        assert not sent["snapshots"], (agent.node, sent)


async def test_drain_moves_agents_to_the_other_server(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(fill, rest, namespace)
    first, second = await house.serve(topics(namespace)), await house.serve(topics(namespace))
    agents = [await house.agent(first, second) for _ in range(5)]
    agents.append(await house.agent(first, second, **on_node("n0")))
    await settled(house, namespace, first, second)
    before = [agent.counters() for agent in agents]
    on_first = [agent for agent in agents if first.subscriber(agent.node)]

    first.terminate()
    await house.wait_page("it says that it drains", lambda: first.page("/readyz").code == 503)
    # Nobody has left for certain, nobody may miss anything: changes go on while agents move.
    await to_thread(change, rest, namespace, "a")
    await house.wait_page("all are on the second", lambda: len(second.status()["subscribers"]) == len(agents))
    await house.wait_equal()
    check_sent(agents, before)
    assert await to_thread(first.wait_exit) == 0
    for agent in agents:
        # Make before break: the copy was in sync all the time.
        assert agent.client.statistics()["moves"] == (1 if agent in on_first else 0)
        assert set(agent.told["pods"].states) <= {"in_sync"}

    # Back again: the first server is a fresh replica, which has every object's own version but no tombstones.
    await to_thread(first.start)
    await settled(house, namespace, first, second)
    before = [agent.counters() for agent in agents]
    second.terminate()
    await to_thread(change, rest, namespace, "bb")
    await house.wait_page("all are on the first", lambda: len(first.status()["subscribers"]) == len(agents))
    await house.wait_equal()
    check_sent(agents, before)
    assert await to_thread(second.wait_exit) == 0
    assert all((agent.counters() - counted)["moves"] == 1 for agent, counted in zip(agents, before, strict=True))
    assert all(set(agent.told["pods"].states) <= {"in_sync"} for agent in agents)


async def test_resume_sends_what_changed_while_away(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(fill, rest, namespace)
    first, second = await house.serve(topics(namespace)), await house.serve(topics(namespace))
    await to_thread(first.kill)
    agents = [await house.agent(first, second) for _ in range(4)]
    agents.append(await house.agent(first, second, **on_node("n1")))
    await house.wait_equal()
    await to_thread(first.start)
    await settled(house, namespace, first, second)
    before = [agent.counters() for agent in agents]

    # None is there while the changes are made. The one that comes back remembers: it was only frozen.
    first.freeze()
    await to_thread(second.kill)
    await to_thread(change, rest, namespace, "ccc")
    first.thaw()
    await house.wait_equal()
    check_sent(agents, before)
    for agent in agents:
        on_server = first.subscriber(agent.node)
        assert on_server is not None
        assert on_server["bytes_sent"] <= BYTES_LIMIT
    for agent, counted in zip(agents, before, strict=True):
        sent = agent.counters() - counted
        assert (sent["resumes"], sent["reconciles"]) == (2, 0)  # one per topic


async def test_killed_server_comes_back_without_memory(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(fill, rest, namespace)
    server = await house.serve(topics(namespace))
    agents = [await house.agent(server) for _ in range(4)]
    agents.append(await house.agent(server, **on_node("n0")))
    await settled(house, namespace, server)

    for mark in ("d", "ee"):
        before = [agent.counters() for agent in agents]
        await to_thread(server.kill)
        await to_thread(change, rest, namespace, mark)
        await to_thread(server.start)
        await house.wait_equal()
        check_sent(agents, before)
        for agent, counted in zip(agents, before, strict=True):
            # A deletion cannot be found from versions alone: the keys are compared.
            assert (agent.counters() - counted)["reconciles"] == 2
        await settled(house, namespace, server)


async def test_server_and_api_server_are_killed_in_turn(fresh_house: House) -> None:
    house, control_plane = fresh_house, fresh_house.control_plane
    rest = house.rest
    await to_thread(rest.create_namespace, "a")
    await to_thread(fill, rest, "a")
    server = await house.serve(topics("a"))
    agents = [await house.agent(server) for _ in range(3)]
    await settled(house, "a", server)
    before = [agent.counters() for agent in agents]

    await to_thread(server.kill)
    await to_thread(change, rest, "a", "f")
    # The server comes back first and finds no API server: agents wait with what they have.
    await to_thread(control_plane.kill_apiserver)
    await to_thread(server.start, ready=False)
    assert server.page("/readyz").code == 503
    assert server.page("/livez").code == 200
    assert all(len(agent.held("pods")) == PODS_HELD for agent in agents)
    await to_thread(control_plane.restart_apiserver)
    await house.wait_equal()
    check_sent(agents, before)

    await settled(house, "a", server)
    before = [agent.counters() for agent in agents]
    await to_thread(change, rest, "a", "gg")
    await to_thread(control_plane.kill_apiserver)
    await to_thread(server.kill)
    await to_thread(control_plane.restart_apiserver)
    await to_thread(server.start)
    await house.wait_equal()
    check_sent(agents, before)
