"""Does every agent hold what the server holds, under the load of a bench? Digests at each Bookmark and each commit.

The server runs with ``TYPHA_VERIFY=1``: it checks its topics' invariants in every round and logs the digest of each
topic that changed (``typha.downstream.verification``). Agents with the client's own replica read the same changes as a
crowd of raw readers, while others of the crowd join, again and again; some of them come back every second, with what
they held or with nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import selectors
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench.processes import Agents, BenchError, Server, Simulation
from bench.report import Result, say
from bench.returning_agents import ReturningAgent, synchronise
from typha_client.session import offered_compression

QUESTION: Final = "does every agent hold what the server holds at each Bookmark, under fan-out and joins?"
_SAID: Final = "topic digest"
_RETURN_EVERY_S: Final = 1.0
# Of the agents, at a time: the others stay in the groups that rounds serve.
_RETURNING: Final = 1 / 4
_TIMEOUT_S: Final = 60.0

Digests = Mapping[tuple[str, int], str]
"""(topic, head) -> digest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --crowd --pods --rate --seconds."""
    parser.add_argument("--agents", type=int, help="with a replica each (default 20; quick 8)")
    parser.add_argument("--crowd", type=int, help="of raw readers, half of which join anew (default 1,000; quick 50)")
    parser.add_argument("--pods", type=int, help="default 5,000; quick 500")
    parser.add_argument("--rate", type=float, default=200.0, help="changes of pods a second (default 200)")
    parser.add_argument("--seconds", type=float, help="default 30; quick 4")


def run(options: argparse.Namespace) -> Result:
    """Load, collect, compare."""
    count = options.agents or (8 if options.quick else 20)
    crowd = options.crowd or (50 if options.quick else 1000)
    pods = options.pods or (500 if options.quick else 5000)
    seconds = options.seconds or (4.0 if options.quick else 30.0)
    parameters = {"agents": count, "crowd": crowd, "pods": pods, "rate": options.rate, "seconds": seconds}
    result = Result("verify", parameters)
    agents = [ReturningAgent(n, compression=_compression(n), verify=True) for n in range(count)]
    with (
        Simulation(pods=pods, churn=options.rate) as simulation,
        Server(
            simulation, verify=True, log={"level": "info", "format": "json"}, timing={"bookmark_interval_s": 1}
        ) as server,
        Agents(server.port) as fed,
        Agents(server.port) as joining,
    ):
        server.start()
        server.wait_ready()
        fed.ask("connect", count=crowd // 2)
        fed.ask("synced", timeout_s=_TIMEOUT_S)
        synchronise(agents, server.port, _TIMEOUT_S)
        say(f"verify: {count} agents and a crowd of {crowd} for {seconds:g} s")
        returned = _load(agents, joining, server.port, crowd // 2, seconds)
        joined = server.status()["server"]["joined_total"]
        said = digests_said((server.folder / "log").read_text(encoding="utf-8").splitlines())
        for agent in agents:
            agent.disconnect()
    compared, unknown, differing = compare(agents, said)
    result.add("digests compared", compared, "", at_least=1)
    result.add("digests that differ", differing, "", at_most=0)
    result.add("Bookmarks at positions that no round named", unknown, "", at_most=0)
    result.add("positions at which the server said a digest", len(said), "")
    result.add("agents that came back", returned, "")
    for mode, number in sorted(joined.items()):
        result.add(f"topics joined by {mode}", number, "")
    return result


def _compression(number: int) -> tuple[str, ...]:
    """Plain and compressed readers get other frames."""
    return offered_compression() if number % 2 else ()


def _load(agents: list[ReturningAgent], joining: Agents, port: int, count: int, seconds: float) -> int:
    """Read for so long; raw readers join and leave all the time. How many agents came back."""
    chosen, returned = random.Random(0), 0
    stop_at = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for agent in agents:
            if agent.socket is not None:
                selector.register(agent.socket, selectors.EVENT_READ, agent)
        joining.tell("connect", count=count)
        while (now := time.monotonic()) < stop_at:
            turn_ends_at = min(stop_at, now + _RETURN_EVERY_S)
            while time.monotonic() < turn_ends_at:
                for key, _ in selector.select(0.05):
                    key.data.read()
            for agent in chosen.sample(agents, max(1, int(len(agents) * _RETURNING))):
                if agent.socket is not None:
                    selector.unregister(agent.socket)
                    agent.disconnect()
                if chosen.random() < 1 / 2:
                    agent.forget()
                selector.register(agent.connect(port), selectors.EVENT_READ, agent)
                returned += 1
            joining.answer()
            joining.ask("drop")
            joining.tell("connect", count=count)
        joining.answer()
        _read_to_the_end(agents, selector)
    return returned


def _read_to_the_end(agents: list[ReturningAgent], selector: selectors.BaseSelector) -> None:
    deadline_at = time.monotonic() + _TIMEOUT_S
    while not all(agent.is_synced for agent in agents):
        for key, _ in selector.select(0.05):
            key.data.read()
        if time.monotonic() > deadline_at:
            raise BenchError(f"agents are not in sync {_TIMEOUT_S:g} s after the load")


def digests_said(lines: Iterable[str]) -> dict[tuple[str, int], str]:
    """What the server's log says, JSON lines. BenchError where two rounds say different things of one position."""
    said: dict[tuple[str, int], str] = {}
    for line in lines:
        if not line.startswith("{"):
            continue
        fields: dict[str, Any] = json.loads(line)
        if fields["msg"] == _SAID:
            place = fields["topic"], fields["head"]
            if said.setdefault(place, fields["digest"]) != fields["digest"]:
                raise BenchError(f"two contents of {place[0]} at {place[1]}")
    return said


def compare(agents: Iterable[ReturningAgent], said: Digests) -> tuple[int, int, int]:
    """(compared, Bookmarks at positions that the server did not name, differing).

    A reader that catches up may commit in between two positions of its stream: nobody names those.
    """
    compared = unknown = differing = 0
    for agent in agents:
        for held in agent.digests:
            truth = said.get((held.topic, held.cursor))
            unknown += truth is None and held.is_bookmark
            compared += truth is not None
            differing += truth is not None and truth != held.digest
    return compared, unknown, differing
