"""``typha serve`` on a simulated cluster, and agents in Go: whatever happens, they end with the converted truth."""

from __future__ import annotations

import asyncio
import json
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.controlplane.go_program import BUILD_TIMEOUT_S
from tests.interop.go_agent import GoAgent
from tests.interop.simulated import WAIT_S, Cluster, log_of, wait_equal
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha_client import Client, connect

# The first test builds the agent.
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

KINDS = [("-snappy",), (), ("-snappy", "-restart=false"), ("-restart=false",)]
POINTS = ["connect", "hello", "server-hello", "restart", "ack", "kvs", "status"]
MANY = 200


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(pods=120) as made:
        yield made
        assert "Traceback" not in log_of(made.server)


async def until(what: str, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Asks in a thread, so that agents go on."""
    async with asyncio.timeout(timeout_s):
        while not await to_thread(condition):  # noqa: ASYNC110 - what it waits for is another process's
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("feed", BUILT_IN_FEEDS)
@pytest.mark.parametrize("flags", KINDS, ids=" ".join)
async def test_agent_holds_the_truth(cluster: Cluster, feed: str, flags: tuple[str, ...]) -> None:
    truth = cluster.truth(feed)
    assert truth
    async with cluster.agents("-feed", feed, *flags) as agent:
        await agent.wait_count("status", 1)
        assert agent.state() == truth
        assert agent.of("status") == [{"status": 2, "keys": len(truth)}]
        assert len(agent.of("restart")) == (flags == ("-snappy",))
        kvs = agent.of("kv")
        keys = [line["key"] for line in kvs]
        assert keys == sorted(keys, key=str.encode)
        assert {line["type"] for line in kvs} == {1}
        for line in kvs:
            is_v3 = line["key"].startswith("/calico/resources/v3/") and "/profiles/" not in line["key"]
            assert line["v3"] == (line["revision"] if is_v3 else "")
            assert line["revision"].strip("/").isdigit()
        (hello,) = agent.of("hello")
        assert (hello["feed"], hello["node_resources"], int(hello["connection"]) > 0) == (feed, True, True)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("-modern=false",), "knows no modern policy keys"),
        (("-feed", "nothing"), "no feed 'nothing' here; there are: felix, bgp, tunnel-ip-allocation, node-status"),
    ],
)
async def test_refused_agents_end_without_a_hello_and_the_log_says_why(
    cluster: Cluster, flags: tuple[str, ...], reason: str
) -> None:
    async with cluster.agents(*flags) as agent:
        await agent.wait_count("end", 1)
        assert [line["is"] for line in agent.lines] == ["end"]
    await until("the log says it", lambda: reason in log_of(cluster.server))


async def native(cluster: Cluster, stack: AsyncExitStack, count: int) -> list[Client]:
    clients = [connect(cluster.address, feed="felix", node=f"n{number}", compression=False) for number in range(count)]
    for client in clients:
        await stack.enter_async_context(client)
    return clients


async def test_200_agents_of_each_language_under_churn(cluster: Cluster) -> None:
    half = ("-quiet", "-agents", str(MANY // 2))
    async with AsyncExitStack() as stack:
        change = asyncio.create_task(to_thread(cluster.change, 1500))
        snappy = await stack.enter_async_context(cluster.agents("-snappy", *half))
        plain = await stack.enter_async_context(cluster.agents(*half))
        clients = await native(cluster, stack, MANY)
        await asyncio.gather(*(client.wait_synced(WAIT_S) for client in clients))
        for agents in (snappy, plain):
            await agents.wait_count("status", MANY // 2, WAIT_S)
        await change
        lines = await to_thread(cluster.lines, "felix")
        wanted = {(line["topic"], line["key"]): line["value"] for line in lines}

        def differ() -> int:
            held = ({(t, e.key): e.value for t in c.topics for e in c.topic(t).list()} for c in clients)
            return sum(1 for each in held if each != wanted)

        truth = await to_thread(cluster.truth, "felix")
        await wait_equal(snappy, MANY // 2, truth)
        await wait_equal(plain, MANY // 2, truth)
        await until("native agents are equal", lambda: all(client.is_synced for client in clients) and not differ())
        server = await to_thread(cluster.server.status)
        assert server["server"]["connections"] == 2 * MANY
        listed = [each["agent"].split("/")[0] for each in server["subscribers"]]
        assert (listed.count("calico"), len(listed)) == (MANY, 2 * MANY)
        assert not snappy.of("end")
        assert not plain.of("end")


async def test_sleeper_costs_the_others_nothing_and_catches_up(cluster: Cluster) -> None:
    """It stops reading when it is in sync, until far more was sent than its socket takes."""
    sets, nets = 100, [f"10.{number % 250}.{number // 250}.0/24" for number in range(500)]

    def write(turn: int) -> None:
        for number in range(sets):
            cluster.set_nets(f"large-{number}", [f"192.168.{turn}.0/24", *nets])

    async with AsyncExitStack() as stack:
        sleeper = await stack.enter_async_context(cluster.agents("-quiet", "-read-timeout", "5m"))
        others = await stack.enter_async_context(cluster.agents("-quiet", "-snappy", "-agents", "20"))
        await sleeper.wait_count("status", 1)
        await others.wait_count("status", 20)
        sleeper.freeze()
        for turn in range(1, 100):
            await to_thread(write, turn)
            truth = await to_thread(cluster.truth, "felix")
            await wait_equal(others, 20, truth)
            # Those that read have read all: whoever lags now is the sleeper.
            if (await to_thread(cluster.server.status))["server"]["lagging"] == 1:
                break
        else:
            pytest.fail("its socket takes everything")
        sleeper.thaw()
        await wait_equal(sleeper, 1, truth)
        assert not sleeper.of("end")
    for number in range(sets):
        path = f"/apis/crd.projectcalico.org/v1/globalnetworksets/large-{number}"
        await to_thread(cluster.simulation.request, "DELETE", path)


@pytest.mark.parametrize("flags", [("-snappy",), ()], ids=" ".join)
async def test_agents_that_go_at_every_point_leave_nothing_behind(cluster: Cluster, flags: tuple[str, ...]) -> None:
    await until("nobody is connected", lambda: cluster.server.status()["server"]["connections"] == 0)
    points = POINTS if flags else [point for point in POINTS if point not in {"restart", "ack"}]
    change = asyncio.create_task(to_thread(cluster.change, 300))
    async with AsyncExitStack() as stack:
        for point in points:
            agents = GoAgent(cluster.address, *flags, "-quiet", "-agents", "10", "-disconnect-at", point)
            await stack.enter_async_context(agents)
            await agents.wait_count("end", 10)
            assert {line["error"] for line in agents.lines if line["is"] == "end"} == {
                "disconnected where it was told to"
            }
    await change
    await until("nobody is connected", lambda: cluster.server.status()["server"]["connections"] == 0)
    truth = await to_thread(cluster.truth, "felix")
    async with cluster.agents(*flags, "-quiet") as agent:
        await wait_equal(agent, 1, truth)


@pytest.mark.parametrize("is_killed", [False, True], ids=["drained", "killed"])
async def test_agents_come_back_to_a_server_that_was_restarted(is_killed: bool) -> None:
    """What went while it was away goes at the first in-sync of the new connection."""
    with Cluster(pods=60, timing={"drain_grace_s": 1}) as cluster:
        async with cluster.agents("-quiet", "-snappy", "-reconnect", "-agents", "20") as agents:
            cluster.change(200)
            await wait_equal(agents, 20, cluster.truth("felix"))
            await to_thread(cluster.server.kill if is_killed else cluster.server.stop)
            cluster.change(200)
            cluster.simulation.request("DELETE", "/api/v1/namespaces/team-000/pods/" + first_pod(cluster))
            await to_thread(cluster.serve)
            await wait_equal(agents, 20, cluster.truth("felix"))
            assert {line["status"] for line in agents.lines if line["is"] == "status"} == {2}


def first_pod(cluster: Cluster) -> str:
    listed = cluster.simulation.request("GET", "/api/v1/namespaces/team-000/pods")
    return str(listed["items"][0]["metadata"]["name"])


def test_values_are_what_a_json_reader_takes(cluster: Cluster) -> None:
    """The truth itself: JSON everywhere but for configuration."""
    for key, value in cluster.truth("felix").items():
        if "/config/" not in key:
            assert json.loads(value) is not None
