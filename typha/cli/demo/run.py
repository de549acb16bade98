"""The play: cluster, server, agents; changes; kill -9 in the middle; quiet; proof.

1. Agents are real clients over TCP in this process; the server is a child process; the API server is the simulation,
   spoken to over HTTP.
2. Latency is from the write in the API server to the agent's handler, while everybody is connected.
3. Bytes: those that agents received on their sockets, against those that one agent without typha received from the
   API server during the same time, for each agent those of the resources that it would watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp

from typha.cli.demo.direct import DirectAgent, needed, unfiltered
from typha.cli.demo.proof import compare
from typha.cli.demo.report import Options, Progress, Report
from typha.cli.demo.sabotage import LossyProxy
from typha.cli.demo.scene import Scene
from typha.cli.demo.server_process import ServerProcess
from typha.cli.exits import CliError
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.wire.errors import RefusedError
from typha_client import Change, Client, connect

# All agents share this process and its one core: a thousand of them with 5,000 pods each take most of a minute.
JOIN_TIMEOUT_S: Final = 120.0
# After the last change: a round is 20 ms, so this is a broken stream, not a slow one.
LAST_CHANGE_TIMEOUT_S: Final = 20.0
# The demo's agents come back after a kill within a second; the library's default is made for thousands of nodes.
MAX_BACKOFF_S: Final = 2.0
TICK_S: Final = 0.02
# The kill comes here: before it there is something to resume, after it time to see it.
KILL_AT: Final = 0.4
KEPT_WRITES: Final = 20_000


class Play:
    """One run of ``scene``. ``progress`` may be read at any time."""

    def __init__(self, options: Options, scene: Scene) -> None:
        self.options = options
        self.scene = scene
        nodes = [f"node-{number:04d}" for number in range(options.agents)]
        self._roles = {node: scene.role(number, node) for number, node in enumerate(nodes)}
        self.progress = Progress(direct_watches=sum(len(needed(scene, role)) for role in self._roles.values()))
        self._agents: dict[str, Client] = {}
        self._written_at: dict[int, float] = {}
        self._is_measuring = False
        # Those of the direct agent, which are not typha's.
        self._direct_watches = 0

    async def run(self) -> Report:
        """Play it. Raises CliError where something that the demo needs does not start."""
        with tempfile.TemporaryDirectory(prefix="typha-demo-") as folder:
            try:
                self._store, self._cluster = self.scene.cluster(len(self._roles), self.options.pods)
            except ValueError as error:
                raise CliError(str(error)) from None
            self._cluster.populate()
            async with (
                serve_simulation(self._store) as api,
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            ):
                kubeconfig = api.kubeconfig(Path(folder) / "kubeconfig")
                server = ServerProcess(Path(folder), kubeconfig, self.scene.topics_config())
                try:
                    return await self._with_server(api, session, server)
                finally:
                    await server.kill()

    async def _with_server(
        self, api: SimulationServer, session: aiohttp.ClientSession, server: ServerProcess
    ) -> Report:
        self._phase("starting the server")
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(_running(self._watch_numbers(api)))
            await self._start(server)
            proxy = LossyProxy(server.port)
            stack.push_async_callback(proxy.stop)
            self._phase(f"{self.options.agents} agents join")
            await self._join(stack, server, await proxy.start())
            direct = DirectAgent(session, api.url, self.scene.resources.values())
            self._direct_watches = len(direct.resources)
            await stack.enter_async_context(_running(direct.run()))
            outage_s, before = await self._stream(server)
            modes = {name: after - before[name] for name, after in self._modes().items()}
            late = await self._settle()
            if self.options.sabotage:
                late |= await self._lose_one_change(proxy)
            self._phase("comparing every agent with a LIST of the API server")
            truth = await self.scene.truth(session, api.url)
            verdict = compare(self._agents, self._roles, truth, late)
            received = sum(client.statistics()["bytes_received"] for client in self._agents.values())
            look = await server.look() if self.options.calico else ()
        self._phase("stopping the server")
        exit_code = await server.stop()
        self._phase("done")
        return Report(
            self.options,
            self.progress,
            verdict,
            received,
            self._bytes_direct(direct),
            outage_s,
            modes,
            proxy.taken,
            exit_code,
            {topic: len(content) for topic, content in truth.contents.items()},
            look,
        )

    # The acts

    async def _join(self, stack: contextlib.AsyncExitStack, server: ServerProcess, proxy_port: int) -> None:
        for number, (node, role) in enumerate(self._roles.items()):
            lied_to = self.options.sabotage and number == 0
            client = connect(
                f"127.0.0.1:{proxy_port if lied_to else server.port}",
                node=node,
                feed=role.feed,
                where=role.where,
                agent="typha-demo/1",
                # The proxy reads frames.
                compression=False if lied_to else None,
                max_backoff_s=MAX_BACKOFF_S,
            )
            self._agents[node] = await stack.enter_async_context(client)
        await self._all_in_sync()
        # Not before: a snapshot is no change, and a million calls would be this process's cost, not the server's.
        for client in self._agents.values():
            client.on_add(self._delivered)
            client.on_update(self._delivered)
            client.on_delete(self._delivered)

    async def _stream(self, server: ServerProcess) -> tuple[float, dict[str, int]]:
        """Changes for ``seconds``, with the kill; (how long the server was away, join modes before the kill)."""
        seconds = self.options.seconds
        loop = asyncio.get_running_loop()
        async with _running(self._churn()):
            self._phase("streaming")
            self._is_measuring = True
            await asyncio.sleep(seconds * KILL_AT)
            before = self._modes()
            self._phase("kill -9 of the server; changes go on")
            self._is_measuring = False
            self._written_at.clear()
            killed_at = loop.time()
            await server.kill()
            born = self.scene.touch(self._store, "born-while-the-server-was-away")
            await self._start(server)
            self._phase("agents come back and resume")
            if late := await self._hold(born):
                node, why = next(iter(late.items()))
                raise CliError(f"{len(late)} of {len(self._agents)} agents did not come back; {node}: {why}")
            await self._all_in_sync()
            outage_s = loop.time() - killed_at
            self._phase("streaming")
            self._is_measuring = True
            await asyncio.sleep(max(0.5, seconds * (1 - KILL_AT) - outage_s))
        self._is_measuring = False
        return outage_s, before

    async def _settle(self) -> dict[str, str]:
        """No more changes: wait until every agent holds the last one of each topic; those that do not, and why."""
        self._phase("changes have stopped; agents take the last ones")
        last = {topic: self._last_rv(resource) for topic, resource in self.scene.resources.items()}
        return await self._hold(last)

    async def _lose_one_change(self, proxy: LossyProxy) -> dict[str, str]:
        """One more change, which one agent never gets."""
        self._phase("sabotage: one change is taken out of one agent's stream")
        proxy.arm(self._store.resource_version)
        return await self._hold(self.scene.touch(self._store, "the-change-that-was-lost"))

    # What they are made of

    async def _start(self, server: ServerProcess) -> None:
        await server.start()
        await server.wait_ready()
        self.progress.server_pid, self.progress.server_starts = server.pid, server.starts

    async def _all_in_sync(self) -> None:
        async def one(client: Client) -> None:
            await client.wait_synced(JOIN_TIMEOUT_S)

        try:
            async with asyncio.TaskGroup() as group:
                for client in self._agents.values():
                    group.create_task(one(client))
        except* (TimeoutError, OSError, RefusedError) as errors:
            raise CliError(f"an agent is not in sync: {errors.exceptions[0]}") from None

    async def _hold(self, last: dict[str, int]) -> dict[str, str]:
        late: dict[str, str] = {}

        async def one(node: str, client: Client) -> None:
            try:
                for topic, rv in last.items():
                    if topic in self._roles[node].topics:
                        await client.wait_for(topic, rv, LAST_CHANGE_TIMEOUT_S)
            except TimeoutError as error:
                late[node] = str(error)

        await asyncio.gather(*(one(node, client) for node, client in self._agents.items()))
        return late

    async def _churn(self) -> None:
        """Changes at a steady rate; what could not be done in time is forgotten after a second."""
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            due_at = max(due_at, now - 1.0)
            while due_at < now and self.options.churn_per_s > 0:
                before = self._store.resource_version
                self._cluster.step()
                if self._is_measuring:
                    for rv in range(before + 1, self._store.resource_version + 1):
                        self._written_at[rv] = loop.time()
                self.progress.changes += 1
                due_at += 1 / self.options.churn_per_s
            while len(self._written_at) > KEPT_WRITES:
                del self._written_at[next(iter(self._written_at))]

    def _delivered(self, change: Change) -> None:
        self.progress.deliveries += 1
        if self._is_measuring and (written_at := self._written_at.get(change.rv)) is not None:
            self.progress.latencies_s.append(asyncio.get_running_loop().time() - written_at)

    def _modes(self) -> dict[str, int]:
        """How agents' topics were brought up to date so far, over all agents."""
        totals = {"resumes": 0, "reconciles": 0, "snapshots": 0}
        for client in self._agents.values():
            statistics = client.statistics()
            for name in totals:
                totals[name] += statistics[name]
        return totals

    def _last_rv(self, resource: str) -> int:
        """The rv of the last change of a resource, deletions included."""
        table = self._store.table(resource)
        return table.events[-1].rv if table.events else max((each.rv for each in table.objects.values()), default=0)

    def _bytes_direct(self, direct: DirectAgent) -> int:
        return sum(
            direct.bytes_received[resource]
            for role in self._roles.values()
            for resource in unfiltered(self.scene, role)
        )

    async def _watch_numbers(self, api: SimulationServer) -> None:
        started_at = asyncio.get_running_loop().time()
        while True:
            statistics, progress = api.statistics(), self.progress
            progress.elapsed_s = asyncio.get_running_loop().time() - started_at
            progress.watches = max(progress.watches, statistics.open_watches.total() - self._direct_watches)
            progress.objects = {name: statistics.objects.get(each, 0) for name, each in self.scene.shown.items()}
            progress.in_sync = sum(client.is_synced for client in self._agents.values())
            await asyncio.sleep(0.25)

    def _phase(self, name: str) -> None:
        self.progress.phase = name


@contextlib.asynccontextmanager
async def _running(work: Any) -> AsyncIterator[None]:
    """A task beside the block, cancelled with its end; its failure is the block's."""
    task = asyncio.ensure_future(work)
    try:
        yield
        if task.done():
            await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
