"""Two servers and 200 agents over mutual TLS on a real API server: certificates and CA rotated, one server drained, one
killed, rebalanced; and nothing is lost."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trustme

from tests.e2e.agents import Agent
from tests.e2e.house import House
from tests.e2e.objects import PODS, pods_topic, relabel
from tests.e2e.truth import Json
from tests.e2e.typha_process import TyphaProcess
from tests.kit.pems import Authority, replace
from typha.downstream.tls import TlsFiles
from typha_client import Tls

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

AGENTS = 200
PODS_HELD = 40
# Of an even share; the servers' own tolerance is 10 %.
UNEVEN = 0.20
LOOK_S = 1.0
# 200 handshakes of both sides and the servers' own on two cores that others use too.
MOVES_S = 60.0


class Certificates:
    """What servers and agents show each other, in files that are read anew when they change."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._now = Authority(trustme.CA(), folder)
        self.servers, self.agents = self._issue()

    def _issue(self) -> tuple[TlsFiles, TlsFiles]:
        return self._now.issue("server", common_name="typha"), self._now.issue("agent", common_name="agent")

    def of_agents(self) -> Tls:
        return Tls(ca=self._now.ca_file, cert=self.agents.cert, key=self.agents.key)

    def of_servers(self) -> Json:
        return {"cert": str(self.servers.cert), "key": str(self.servers.key), "client_ca": str(self._now.ca_file)}

    def trust_another(self) -> None:
        """A second CA beside the first: who has read it accepts certificates of both."""
        self._next = Authority(trustme.CA(), self._now.folder)
        replace(self._now.ca_file, self._now.ca.cert_pem.bytes() + self._next.ca.cert_pem.bytes())

    def rotate(self) -> None:
        """Every certificate and key anew, of the other CA."""
        self._now = self._next
        self._issue()

    def forget_the_first(self) -> None:
        replace(self._now.ca_file, self._now.ca.cert_pem.bytes())


class Changes:
    """Pods that are created, changed and deleted all the time."""

    def __init__(self, house: House, namespace: str) -> None:
        self._rest, self._namespace = house.rest, namespace
        self._marks = count()
        self._is_over = False
        self.made = 0

    async def __aenter__(self) -> Changes:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # Not cancelled: a request that has begun is answered before the truth is read.
        self._is_over = True
        await self._task

    async def _run(self) -> None:
        while not self._is_over:
            await to_thread(self._change)
            await asyncio.sleep(0.05)

    def _change(self) -> None:
        mark = next(self._marks)
        relabel(self._rest, self._namespace, f"p{mark % PODS_HELD}", mark=str(mark))
        if mark % 5 == 0:
            self._rest.create("v1/pods", pod(f"extra-{mark}", "n0"), self._namespace)
        if mark % 5 == 3 and mark > 5:
            self._rest.delete(PODS, f"extra-{mark - 3}", self._namespace)
        self.made += 1


def pod(name: str, node: str) -> Json:
    containers = [{"name": "main", "image": "example.invalid/main"}]
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": containers}}


def held(server: TyphaProcess) -> int:
    return len(server.status()["subscribers"])


def reloads(server: TyphaProcess) -> float:
    return server.metrics().get('typha_tls_reloads_total{result="ok"}', 0.0)


def read_since(before: list[float], *servers: TyphaProcess) -> bool:
    return all(reloads(server) > count for server, count in zip(servers, before, strict=True))


def cuts(agent: Agent) -> int:
    """Connections that it had to make, beside its first and those that it was asked to make."""
    numbers = agent.client.statistics()
    return int(numbers["connects"] - numbers["moves"]) - 1


async def shares(house: House, what: str, *servers: TyphaProcess) -> None:
    """Wait until all agents are held by these servers, each of which has its share."""
    even, seen = AGENTS / len(servers), [0]
    try:
        async with asyncio.timeout(MOVES_S):
            while sum(seen) != AGENTS or not all(abs(share - even) <= UNEVEN * even for share in seen):
                await asyncio.sleep(0.25)  # a page of 200 subscribers is work for the server, too
                seen = [await to_thread(held, server) for server in servers]
    except TimeoutError:
        raise AssertionError(f"{what}: {seen} of {AGENTS} after {MOVES_S:g} s\n{house.describe()}") from None


async def test_a_drain_a_kill_and_an_empty_server(house: House, namespace: str, tmp_path: Path) -> None:
    for number in range(PODS_HELD):
        await to_thread(house.rest.create, "v1/pods", pod(f"p{number}", f"n{number % 4}"), namespace)
    # Its bookkeeping for each callback is most of what 200 TLS connections in one process cost.
    asyncio.get_running_loop().set_debug(False)
    certificates = Certificates(tmp_path / "pki")
    tls = certificates.of_agents()
    first = await house.serve({"pods": pods_topic(namespace)}, {"tls": certificates.of_servers()})
    second = await house.serve({"pods": pods_topic(namespace)}, {"tls": certificates.of_servers()})
    for server in (first, second):
        # Each is given the same list, itself included, as DNS of a headless Service gives it.
        server.config["advertise"] = [first.address, second.address]
        server.config["replicas"] = {"interval_s": LOOK_S}
        await to_thread(server.kill)
        await to_thread(server.start)
    starting = [house.agent(first, second, tls=tls) for _ in range(AGENTS)]
    agents = await asyncio.gather(*starting)
    async with Changes(house, namespace) as changes:
        await shares(house, "at first", first, second)
        for agent in agents:
            await agent.client.wait_synced(timeout=30)

        # Another CA, and every certificate anew: nobody is cut, and whoever connects from here on shows the new ones.
        for step in (certificates.trust_another, certificates.rotate, certificates.forget_the_first):
            before = [reloads(server) for server in (first, second)]
            await to_thread(step)
            await house.wait_page("both servers have read it", partial(read_since, before, first, second))
        await house.wait("nobody was cut", lambda: sum(cuts(agent) for agent in agents) == 0)

        # A rollout: the first is drained and comes back empty; agents move to it until shares are even.
        first.terminate()
        assert await to_thread(first.wait_exit) == 0
        assert held(second) == AGENTS
        await to_thread(first.start)
        await shares(house, "after the drain", first, second)

        # A crash: who was there comes back at once, to the one that is left.
        await to_thread(second.kill)
        await shares(house, "while one is dead", first)
        await to_thread(second.start)
        await shares(house, "after the kill", first, second)
    assert changes.made > 20
    await house.wait_equal()

    # Nobody was without data at any moment, and nobody read a second snapshot.
    for agent in agents:
        assert set(agent.told["pods"].states) <= {"in_sync"}, agent.describe()
        assert agent.counters()["snapshots"] == 1, agent.describe()
    metrics = [server.metrics() for server in (first, second)]
    assert sum(each.get('typha_joins_total{mode="snapshot"}', 0) for each in metrics) == 0
    assert metrics[0]['typha_moves_total{reason="rebalance"}'] > 0
    assert all(each['typha_peers{state="ready"}'] == 1 for each in metrics)


async def test_a_second_sigterm_stops_now(house: House, namespace: str) -> None:
    server = await house.serve(
        {"pods": pods_topic(namespace)}, {"timing": {"drain_wait_s": 10, "drain_grace_s": 30, "max_age_s": 0}}
    )
    agent = await house.agent(server)
    await agent.client.wait_synced(timeout=30)
    server.terminate()
    await house.wait_page("it is not ready, and waits", lambda: server.page("/readyz").code == 503)
    assert agent.client.statistics()["moves"] == 0
    server.terminate()
    assert await to_thread(server.wait_exit, 8.0) == 0
