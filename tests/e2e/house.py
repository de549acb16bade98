"""Control plane, servers and agents of one test, and the comparison of all of them with the truth.

Invariants
1. `free` ends every agent and process, whatever failed before it.
2. A comparison holds for one LIST that was read before it; tests change nothing while one runs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from asyncio import to_thread
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.controlplane.admin_rest import NOT_FOUND
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.rest import ApiStatusError
from tests.e2e.agents import Agent
from tests.e2e.truth import Contents, Json, contents_of, difference, matching
from tests.e2e.typha_process import TyphaProcess, clean_environment

# Most waits end within 2 s; on a machine with all cores taken the longest have been seen at 15.
WAIT_S = 45.0
POLL_S = 0.02

Topics = Mapping[str, Mapping[str, Any]]


class House:
    """Made by the fixture `house` (or `fresh_house`)."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self.control_plane = control_plane
        self.rest = control_plane.rest
        self.servers: list[TyphaProcess] = []
        self.agents: list[Agent] = []
        self._folder = folder
        self._topics: dict[str, Mapping[str, Any]] = {}

    # --- what lives in it

    async def serve(
        self,
        topics: Topics,
        config: Mapping[str, Any] | None = None,
        *,
        kubeconfig: Path | None = None,
        ready: bool = True,
    ) -> TyphaProcess:
        """Another server, started. All topics are in the feed `all`; `config` is laid over the file's sections."""
        self._topics.update(topics)
        whole = {"topics": dict(topics), "feeds": {"all": list(topics)}, **(config or {})}
        server = TyphaProcess(
            f"typha-{len(self.servers)}", self._folder, kubeconfig or self.control_plane.kubeconfig, whole
        )
        self.servers.append(server)
        await to_thread(server.start, ready=ready)
        return server

    async def agent(self, *servers: TyphaProcess, node: str | None = None, **wish: Any) -> Agent:
        """Another agent, connecting to these servers; of the feed `all` unless `topics` says otherwise."""
        if "topics" not in wish:
            wish["feed"] = "all"
        agent = Agent([server.address for server in servers], node or f"n{len(self.agents)}", **wish)
        self.agents.append(agent)
        await agent.start()
        return agent

    async def free(self) -> None:
        """Ends everything."""
        for agent in self.agents:
            await agent.stop()
        for server in self.servers:
            await to_thread(server.kill)

    def check(self) -> None:
        """Raises where any handler was told something wrong, or any server logged an error."""
        for agent in self.agents:
            agent.check()
        for server in self.servers:
            crashes = server.crashes()
            assert not crashes, f"{server.name} logged:\n" + "\n".join(crashes[:5])

    # --- waiting

    async def wait(self, what: str, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Until the condition holds. Raises AssertionError with what is known of all parts."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain until {what}\n{self.describe()}"
            await asyncio.sleep(POLL_S)

    async def wait_page(self, what: str, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """The same for a condition that asks a server or the API server: in a thread, so that agents go on."""
        deadline = time.monotonic() + timeout_s
        while not await to_thread(condition):
            assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain until {what}\n{self.describe()}"
            await asyncio.sleep(POLL_S)

    async def wait_state(self, topic: str, state: str, *agents: Agent, timeout_s: float = WAIT_S) -> None:
        """Until all these agents (none: all) were told that state."""
        chosen = agents or tuple(self.agents)
        await self.wait(
            f"{topic} is {state}", lambda: all(agent.state(topic) == state for agent in chosen), timeout_s=timeout_s
        )

    # --- the truth

    def truth(self, topic: str) -> Contents:
        """The topic as a consistent LIST of the API server has it; empty where there is no such resource."""
        spec = self._topics[topic]
        try:
            listed = self.control_plane.list_json(spec["resource"], spec.get("namespace"))
        except ApiStatusError as error:
            if error.code != NOT_FOUND:
                raise
            return {}
        return contents_of(listed, spec.get("fields"))

    async def wait_equal(self, *agents: Agent, timeout_s: float = WAIT_S) -> None:
        """Until all these agents (none: all) are in sync and hold, and their handlers know, what a LIST says."""
        chosen = agents or tuple(self.agents)
        truth = {name: await to_thread(self.truth, name) for name in self._topics}

        def wrong() -> str:
            for agent in chosen:
                if not agent.client.is_synced:
                    return f"{agent.node} is not in sync"
                for name in agent.client.topics:
                    expected = matching(truth[name], agent.shows.get(name))
                    for what, found in (("holds", agent.held(name)), ("was told", agent.told_contents(name))):
                        if text := difference(found, expected):
                            return f"{agent.node} {what} of {name}: {text}"
            return ""

        deadline = time.monotonic() + timeout_s
        while text := wrong():
            assert time.monotonic() < deadline, f"{text}\n{self.describe()}"
            await asyncio.sleep(POLL_S)
        for agent in chosen:
            agent.check()

    def describe(self) -> str:
        """For a failure's message."""
        return "\n".join([*(a.describe() for a in self.agents), *(server.log_tail() for server in self.servers)])

    # --- the command line

    async def dump(self, server: TyphaProcess, *arguments: str) -> list[Json]:
        """The lines of `typha dump`, decoded."""
        command = [*clean_environment(), sys.executable, "-m", "typha", "dump", "--server", server.address, *arguments]
        done = await to_thread(subprocess.run, command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, f"typha dump: exit {done.returncode}: {done.stderr}\n{self.describe()}"
        # Not splitlines(): U+2028 inside a value is no end of line.
        return [json.loads(line) for line in done.stdout.split("\n") if line]


def in_parallel(work: Callable[[int], object], numbers: Sequence[int], threads: int = 4) -> None:
    """Calls `work` with each number from a few threads; raises what any of them raised."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, numbers))
