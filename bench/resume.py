"""kill -9, k changes while nobody listens, restart: what is sent to each agent that comes back?"""

from __future__ import annotations

import argparse
from typing import Any, Final

from bench.processes import BenchError, Server, Simulation
from bench.report import Result, say
from bench.returning_agents import ReturningAgent, synchronise

QUESTION: Final = "what is sent to an agent that comes back to a restarted server?"
FRAMES_PER_CHANGE: Final = 2.0
# Beside the changes themselves: Welcome, Status, key digests, Bookmark.
OVERHEAD_BYTES: Final = 4096.0
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --pods --changes."""
    parser.add_argument("--agents", type=int, help="default 50; quick 10")
    parser.add_argument("--pods", type=int, default=2000, help="default 2,000")
    parser.add_argument("--changes", type=int, nargs="+", help="k (default 0 10 100 1000; quick 10 100)")


def run(options: argparse.Namespace) -> Result:
    """For each k: a third of the changes are births, a third deaths, a third new labels."""
    count = options.agents or (10 if options.quick else 50)
    changes = options.changes or ([10, 100] if options.quick else [0, 10, 100, 1000])
    result = Result("resume", {"agents": count, "pods": options.pods, "changes": changes})
    agents = [ReturningAgent(number) for number in range(count)]
    with Simulation(pods=options.pods) as simulation, Server(simulation) as server:
        server.start()
        server.wait_ready()
        synchronise(agents, server.port, _TIMEOUT_S)
        whole = max(agent.bytes for agent in agents)
        result.add("first time: sent to each", whole, "B")
        for k in changes:
            say(f"resume: kill -9, {k} changes, restart")
            server.kill()
            for agent in agents:
                agent.disconnect()
            value_bytes = _change(simulation, k)
            server.start()
            server.wait_ready()
            took_s = synchronise(agents, server.port, _TIMEOUT_S)
            _compare(simulation, agents)
            sent = max(agent.bytes for agent in agents)
            frames = max(agent.frames for agent in agents)
            result.add(f"k={k}: frames to each", frames, "", at_most=max(FRAMES_PER_CHANGE * k, 8))
            result.add(f"k={k}: sent to each", sent, "B", at_most=value_bytes + OVERHEAD_BYTES if k else OVERHEAD_BYTES)
            result.add(f"k={k}: all in sync after", took_s, "s")
        for agent in agents:
            agent.disconnect()
    return result


def _change(simulation: Simulation, k: int) -> int:
    """Make k changes of pods; about the bytes that they are on the wire."""
    items = _pods(simulation)
    size = 0
    for number in range(k):
        metadata = items[number]["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        # Key, two labels maps, node, address and phase as msgpack, measured at 200 to 230 bytes.
        size += 256
        match number % 3:
            case 0:
                simulation.request("PATCH", f"{path}/{metadata['name']}", {"metadata": {"labels": {"k": str(number)}}})
            case 1:
                simulation.request("DELETE", f"{path}/{metadata['name']}")
            case _:
                # Of versions, so that no name comes twice.
                born = {"name": f"born-{metadata['resourceVersion']}-{k}", "namespace": metadata["namespace"]}
                simulation.request("POST", path, {"metadata": born, "spec": items[number]["spec"]})
    return size


def _compare(simulation: Simulation, agents: list[ReturningAgent]) -> None:
    truth = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": int(pod["metadata"]["resourceVersion"])
        for pod in _pods(simulation)
    }
    for agent in agents:
        if agent.versions() != truth:
            raise BenchError("an agent's replica differs from the API server's list")


def _pods(simulation: Simulation) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = simulation.request("GET", "/api/v1/pods")["items"]
    return items
