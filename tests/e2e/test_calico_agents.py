"""Agents in Go on the real API server with the corpus applied: they hold the corpus' lines, whatever happened before.

The agents are connected all the time: while objects come and go, and over ends of the server.
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.controlplane.controlplane import ControlPlane
from tests.corpus.cluster import SERVICE_RANGE_FLAG, Cluster
from tests.corpus.resources import CALICO_V3, Json
from tests.e2e.calico import Batch, Drawn, Held, batches, drawn, dumped, keys_of_made_namespaces, wrong
from tests.e2e.house import WAIT_S, House
from tests.e2e.typha_process import TyphaProcess
from tests.interop.go_agent import GoAgent, find_or_build
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.calico import calico_feeds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MANNERS = ((), ("-snappy",))
READY = "/calico/v1/Ready"


@pytest_asyncio.fixture
async def house(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[House]:
    """On a control plane with Calico's kinds. (`control_plane` is there for its build.)"""
    await to_thread(find_or_build)
    with ControlPlane(SERVICE_RANGE_FLAG) as own:
        await to_thread(Cluster(own).create_crds)
        made = House(own, tmp_path)
        try:
            yield made
        finally:
            await made.free()
        made.check()


class Agent:
    """One Go agent, always connected again, and the state that its lines add up to over all connections."""

    def __init__(self, server: TyphaProcess, feed: str, manner: tuple[str, ...]) -> None:
        self.name = f"{feed} {' '.join(manner)}".strip()
        self.feed = feed
        self.process = GoAgent(server.address, "-feed", feed, "-reconnect", *manner)
        self.statuses: list[int] = []
        self.connections = 0
        self._held: dict[str, str] = {}
        self._unseen: set[str] = set()
        self._read = 0

    def held(self) -> Held:
        """Values as JSON but for configuration and readiness, which are text."""
        lines = self.process.lines
        while self._read < len(lines):
            self._take(lines[self._read])
            self._read += 1
        return {
            (self.feed, key): value if "/config/" in key or key == READY else json.loads(value)
            for key, value in self._held.items()
        }

    def _take(self, line: Json) -> None:
        if line["is"] == "hello":
            self.connections += 1
            self._unseen = set(self._held)
        elif line["is"] == "kv":
            self._unseen.discard(line["key"])
            if line["value"] is None:
                self._held.pop(line["key"], None)
            else:
                self._held[line["key"]] = line["value"]
        elif line["is"] == "status":
            self.statuses.append(line["status"])
            if line["status"] == 2:
                for key in self._unseen:
                    del self._held[key]
                self._unseen = set()

    def lines(self) -> list[Json]:
        """As `typha dump` has them, the feed in place of the topic."""
        return [{"topic": feed, "key": key, "value": value} for (feed, key), value in self.held().items()]


class Agents:
    """Of every feed, plain and with snappy, at one server."""

    def __init__(self, server: TyphaProcess) -> None:
        self.all = [Agent(server, feed, manner) for feed in BUILT_IN_FEEDS for manner in MANNERS]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Agents:
        for agent in self.all:
            await self._stack.enter_async_context(agent.process)
        for agent in self.all:
            await agent.process.wait_count("status", 1, WAIT_S)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    def keys(self) -> set[tuple[str, str]]:
        return {key for agent in self.all for key in agent.held()}

    async def wait_corpus(self, batch: Batch, of_server: Drawn, tolerated: set[tuple[str, str]]) -> None:
        """Until every agent holds the lines of the batch."""
        feeds = calico_feeds(use_pod_cidr=batch.use_pod_cidr).feeds
        deadline = time.monotonic() + WAIT_S
        for agent in self.all:
            expected = expected_of(batch, agent.feed, feeds[agent.feed])
            while text := wrong(dumped(agent.lines(), of_server), expected, tolerated):
                assert time.monotonic() < deadline, f"{agent.name}: {text}"
                await asyncio.sleep(0.2)


def expected_of(batch: Batch, feed: str, topics: tuple[str, ...]) -> Held:
    """The corpus' lines as one feed; of two topics with one key the feed's first counts."""
    held: Held = {}
    for (_, key), value in sorted(batch.expected(topics).items(), key=lambda each: topics.index(each[0][0])):
        held.setdefault((feed, key), value)
    return held


async def serve(house: House, config: dict[str, Any]) -> TyphaProcess:
    name = f"typha-{len(house.servers)}"
    server = TyphaProcess(name, house.control_plane.folder, house.control_plane.kubeconfig, config)
    house.servers.append(server)
    await to_thread(server.start)
    return server


def tolerated(agents: Agents, cluster: Cluster, before: set[tuple[str, str]]) -> set[tuple[str, str]]:
    made = {key for _, key in keys_of_made_namespaces(cluster)}
    return before | {(agent.feed, key) for agent in agents.all for key in made}


async def test_go_agents_hold_the_whole_corpus(house: House) -> None:
    own, count = house.control_plane, 0
    all_batches = await to_thread(batches, CALICO_V3)
    for use_pod_cidr in (False, True):
        server = await serve(house, {"calico": {"use_pod_cidr": use_pod_cidr}})
        async with Agents(server) as agents:
            for batch in (each for each in all_batches if each.use_pod_cidr == use_pod_cidr):
                before = agents.keys()
                cluster = Cluster(own)
                try:
                    apply = asyncio.create_task(to_thread(cluster.apply, batch.cases))
                    if count:
                        await to_thread(server.kill)
                        await to_thread(server.start)
                    await apply
                    of_server = await to_thread(drawn, house.rest, batch.cases)
                    allowed = tolerated(agents, cluster, before)
                    await agents.wait_corpus(batch, of_server, allowed)
                    await to_thread(server.terminate)
                    await to_thread(server.wait_exit)
                    await to_thread(server.start)
                    for agent in agents.all:
                        await agent.process.wait_count("hello", agent.connections + 1, WAIT_S)
                    await agents.wait_corpus(batch, of_server, allowed)
                    async with Agents(server) as fresh:
                        await fresh.wait_corpus(batch, of_server, allowed)
                finally:
                    await to_thread(cluster.remove)
                count += len(batch.cases)
            for agent in agents.all:
                agent.held()
                assert set(agent.statuses) == {2}, agent.name
    assert count > 1000
