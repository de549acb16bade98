"""The only server restarts, again and again, and pods change meanwhile: what is sent to each agent that comes back?

A cursor is older than all that the new server remembers of deletions, so each agent is told what changed, and what
was deleted by digests of keys (docs/protocol.md). One agent with a replica comes first and is compared with what was
done; what it said is then said by thousands of readers that hold the same, and get the same.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any, Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import POD_FIELDS, Agents, BenchError, Server, Simulation
from bench.report import Result, say
from bench.returning_agents import ReturningAgent, synchronise
from typha.observe.status import Latency
from typha_client.session import offered_compression

QUESTION: Final = "the only server restarts: what is sent to each of 2,000 agents, and when are they in sync again?"
# What an agent needs that names containers: their ids are most of a compressed snapshot, as in real clusters.
_FIELDS: Final = (*POD_FIELDS, "metadata.uid", "status.containerStatuses")
PERCENT_OF_SNAPSHOT: Final = 1.0
_TIMEOUT_S: Final = 120.0
# What the rest of the process does after it is ready is not these agents' cost.
_SETTLE_S: Final = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --pods --changed --deleted --restarts --few-fields."""
    parser.add_argument("--agents", type=int, help="default 2,000; quick 100")
    parser.add_argument("--pods", type=int, help="default 100,000; quick 10,000")
    parser.add_argument("--changed", type=int, default=50, help="pods with new labels at each restart (default 50)")
    parser.add_argument("--deleted", type=int, default=15, help="pods gone at each restart (default 15)")
    parser.add_argument("--restarts", type=int, help="default 5; quick 2")
    parser.add_argument("--few-fields", action="store_true", help="labels, node, address and phase, as other benches")


def run(options: argparse.Namespace) -> Result:
    """kill -9, changes, start; as often as asked."""
    count = options.agents or (100 if options.quick else 2000)
    pods = options.pods or (10_000 if options.quick else 100_000)
    restarts = options.restarts or (2 if options.quick else 5)
    parameters = {"agents": count, "pods": pods, "changed": options.changed, "deleted": options.deleted}
    topic = {"resource": "v1/pods", "fields": list(POD_FIELDS if options.few_fields else _FIELDS)}
    result = Result("resume", parameters | {"restarts": restarts, "topic": topic})
    measured: list[_Return] = []
    with (
        Simulation(pods=pods, runtime_ids=True) as simulation,
        Server(simulation, topics={"pods": topic}) as server,
        Agents(server.port) as agents,
    ):
        server.start()
        server.wait_ready()
        first = ReturningAgent(0, compression=offered_compression())
        synchronise([first], server.port, _TIMEOUT_S)
        snapshot = first.bytes
        pending = _Changes(simulation)
        for number in range(1, restarts + 1):
            say(f"resume: restart {number}: {options.changed} pods changed, {options.deleted} deleted")
            agents.ask("drop")
            server.kill()
            first.disconnect()
            pending.make(options.changed, options.deleted)
            server.start()
            ready_s = server.wait_ready()
            synchronise([first], server.port, _TIMEOUT_S)
            pending.check(first)
            measured.append(_return(server, agents, first, count, ready_s))
        say("resume: comparing all pods")
        _compare(simulation, first)
        first.disconnect()
    most = max(each.bytes for each in measured)
    # A quick run is too small for a goal: few deletions are a large part of few pods.
    goal = None if options.quick else PERCENT_OF_SNAPSHOT
    result.add("a compressed snapshot", snapshot / 1e6, "MB")
    result.add("sent to each, at most", most, "B")
    result.add("of a compressed snapshot", 100 * most / snapshot, "%", at_most=goal)
    result.add("sent to each in all restarts", sum(each.bytes for each in measured), "B")
    result.add("frames to each, at most", max(each.frames for each in measured), "")
    result.add("start of the server to ready, at most", max(each.ready_s for each in measured), "s")
    result.add("all in sync after they connect, at most", max(each.all_s for each in measured), "s")
    result.add("server's CPU for each, at most", 1e3 * max(each.cpu_s for each in measured) / count, "ms")
    add_loop_lag(result, [each.loop_lag for each in measured])
    result.series["sent_to_each"] = [[number, each.bytes] for number, each in enumerate(measured, 1)]
    result.series["a_snapshot_instead"] = [[number, snapshot] for number, _ in enumerate(measured, 1)]
    result.series["all_in_sync_s"] = [[number, each.all_s] for number, each in enumerate(measured, 1)]
    return result


@dataclass(frozen=True, slots=True)
class _Return:
    """One restart: bytes and frames of the agent that got most, seconds, and CPU of the server for all of them."""

    bytes: float
    frames: int
    ready_s: float
    all_s: float
    cpu_s: float
    loop_lag: Latency


def _return(server: Server, agents: Agents, first: ReturningAgent, count: int, ready_s: float) -> _Return:
    time.sleep(_SETTLE_S)
    cpu_s, lag = server.cpu_s(), LoopLag(server)
    agents.ask("connect", count=count, hello=first.hello.hex(), buckets=first.buckets)
    found = agents.ask("synced", timeout_s=_TIMEOUT_S)
    each = max(found["most_bytes"], first.bytes)
    return _Return(each, first.frames, ready_s, found["all_s"], server.cpu_s() - cpu_s, lag.end())


class _Changes:
    """What is done to pods while no server runs, and whether an agent was told of it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._names = [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in _pods(simulation)]
        self._step = 0
        self._changed: dict[str, int] = {}
        self._deleted: list[str] = []

    def make(self, changed: int, deleted: int) -> None:
        """Each pod once: changed ones from the front, deleted ones from the end."""
        self._step += 1
        self._changed = {}
        for place in range(changed):
            namespace, name = self._names[place]
            body = {"metadata": {"labels": {"bench": str(self._step)}}}
            answer = self._simulation.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", body)
            self._changed[f"{namespace}/{name}"] = int(answer["metadata"]["resourceVersion"])
        gone = [self._names.pop() for _ in range(deleted)]
        for namespace, name in gone:
            self._simulation.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")
        self._deleted = [f"{namespace}/{name}" for namespace, name in gone]

    def check(self, agent: ReturningAgent) -> None:
        """BenchError where the agent missed something."""
        versions = agent.versions()
        wrong = [key for key, rv in self._changed.items() if versions.get(key) != rv]
        wrong += [key for key in self._deleted if key in versions]
        if wrong or len(versions) != len(self._names):
            raise BenchError(f"the agent missed {len(wrong)} changes, holds {len(versions)} of {len(self._names)} pods")


def _compare(simulation: Simulation, agent: ReturningAgent) -> None:
    truth = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": int(pod["metadata"]["resourceVersion"])
        for pod in _pods(simulation)
    }
    if agent.versions() != truth:
        raise BenchError("the agent's replica differs from the API server's list")


def _pods(simulation: Simulation) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = simulation.request("GET", "/api/v1/pods")["items"]
    return items
