"""Calico's language beside our own: deliveries per CPU-second, joins and memory, of the feed `felix`, in one server.

Where ``TYPHA_GO_BINARY`` names Calico's Typha, it is measured after that: the same agents, cluster and figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.peers import PeerMissing, typha_go
from bench.peers.typha_go import TyphaGo
from bench.processes import Agents, Child, Server, Simulation
from bench.report import Result, say

QUESTION: Final = (
    "what do Calico's own agents cost beside native ones: deliveries, joins of 10,000 pods, memory of each?"
)
LANGUAGES: Final = ("native", "calico", "calico-snappy")
_FEED: Final = "felix"
# What the agents hold while they get changes: it costs their joins, and nothing of what is measured then.
_PODS: Final = 1000
# Real Typha, Go, measured on this kind of machine with 1,000 clients and 500 deltas/s (uncompressed).
TYPHA_PER_CPU_S: Final = 484_000.0
JOIN_CPU_S: Final = 3.0
AGENT_BYTES: Final = 10_000.0
_SETTLE_S: Final = 2.0
_TIMEOUT_S: Final = 300.0
# As many joiners as read a snapshot at a time: the slices that they share are in memory then.
_WARM_UP: Final = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --joiners --rate --seconds --pods --pause-ms."""
    parser.add_argument("--agents", type=int, help="that get the changes (default 1,000; quick 100)")
    parser.add_argument("--joiners", type=int, help="that come at once (default 1,000; quick 100)")
    parser.add_argument(
        "--rate",
        type=float,
        default=850.0,
        help="changes a second of all kinds (default 850, of which each agent gets some 500)",
    )
    parser.add_argument(
        "--pods-only",
        action="store_true",
        help="a cluster without Calico's objects: changes are workload endpoints of some 500 B, as in Typha's figure",
    )
    parser.add_argument("--seconds", type=float, help="measured for each language (default 20; quick 4)")
    parser.add_argument("--pods", type=int, help="that joiners read (default 10,000; quick 1,000)")
    parser.add_argument("--pause-ms", type=float, default=100.0, help="least time between rounds (default 100)")


def run(options: argparse.Namespace) -> Result:
    """One server; one language after the other joins, gets changes, and leaves."""
    count = options.agents or (100 if options.quick else 1000)
    joiners = options.joiners or (100 if options.quick else 1000)
    seconds = options.seconds or (4.0 if options.quick else 20.0)
    pods = options.pods or (1000 if options.quick else 10_000)
    parameters = {
        "pods_only": options.pods_only,
        "agents": count,
        "joiners": joiners,
        "rate": options.rate,
        "seconds": seconds,
        "pods": pods,
    }
    result = Result("calico", parameters | {"pods_of_deliveries": _PODS, "round_pause_ms": options.pause_ms})
    try:
        binary = typha_go.binary()
    except PeerMissing as why:
        say(f"calico: {why}; 484,000 a CPU-second is what was recorded for 1,000 x 500, plain")
        binary = ""
    for each in ("", binary) if binary else ("",):
        languages = LANGUAGES[1:] if each else LANGUAGES
        with _serving(each, pods, 0.0, options.pause_ms) as (_, server, port):
            for language in languages:
                _measure_join(result, server, port, language, joiners)
        for language in languages:
            # A server each: agents take the memory that those before them gave back.
            with _serving(each, _PODS, 0.0, options.pause_ms) as (_, server, port):
                _measure_memory(result, server, port, language, count)
        with _serving(each, _PODS, options.rate, options.pause_ms, calico=not options.pods_only) as (
            simulation,
            server,
            port,
        ):
            simulation.begin()
            alone = _cpu_of(server, seconds)
            for language in languages:
                _measure_deliveries(result, server, port, language, count, seconds, alone)
    return result


@contextmanager
def _serving(
    binary: str, pods: int, rate: float, pause_ms: float, *, calico: bool = True
) -> Iterator[tuple[Simulation, Child, int]]:
    """A cluster that holds its changes, and a server on it: ours, or the peer's ``binary``."""
    timing = {"round_pause_ms": pause_ms, "max_age_s": 0}
    with Simulation(pods=pods, churn=rate, hold=True, calico=calico) as simulation:
        if binary:
            with TyphaGo() as peer:
                peer.start(binary, simulation)
                yield simulation, peer, peer.port
        else:
            with Server(simulation, built_in_feeds=[_FEED], timing=timing) as server:
                server.start()
                server.wait_ready()
                yield simulation, server, server.port


def _measure_join(result: Result, server: Child, port: int, language: str, count: int) -> None:
    name = language if isinstance(server, Server) else f"peer, {language}"
    say(f"calico: {count} agents join, {name}")
    with Agents(port) as agents:
        agents.ask("connect", count=1, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)  # builds the view, and what all share
        time.sleep(_SETTLE_S)
        cpu_s = server.cpu_s()
        agents.ask("connect", count=count, language=language, feed=_FEED)
        found = agents.ask("synced", timeout_s=_TIMEOUT_S)
        cpu_s = server.cpu_s() - cpu_s
    goal = JOIN_CPU_S * count / 1000 if name == "calico-snappy" else None
    result.add(f"{name}: all joined, server's CPU", cpu_s, "s", at_most=goal)
    result.add(f"{name}: all joined after", found["all_s"], "s")
    result.add(f"{name}: sent to each", found["bytes"] / (count + 1) / 1e6, "MB")
    time.sleep(_SETTLE_S)


def _measure_memory(result: Result, server: Child, port: int, language: str, count: int) -> None:
    name = language if isinstance(server, Server) else f"peer, {language}"
    say(f"calico: memory of {count} agents, {name}")
    with Agents(port) as agents:
        agents.ask("connect", count=_WARM_UP, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        rss = server.rss_bytes()
        agents.ask("connect", count=count, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        each = (server.rss_bytes() - rss) / count
    goal = AGENT_BYTES if name in LANGUAGES[1:] else None
    result.add(f"{name}: memory of each", each, "B", at_most=goal)


def _measure_deliveries(
    result: Result, server: Child, port: int, language: str, count: int, seconds: float, alone: float
) -> None:
    name = language if isinstance(server, Server) else f"peer, {language}"
    say(f"calico: {count} agents, {name}")
    with Agents(port) as agents:
        agents.ask("connect", count=count, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        agents.ask("record")
        cpu_s, began_at = server.cpu_s(), time.monotonic()
        time.sleep(seconds)
        cpu_s, took_s = server.cpu_s() - cpu_s, time.monotonic() - began_at
        if isinstance(server, Server):
            lagging = server.status()["server"]["lagging"]
            result.add(f"{name}: agents that fell back to their cursor", lagging, "")
        found = agents.ask("stop", probes=[])
    changes, net_s = found["changes"], max(cpu_s - alone * took_s, 1e-3)
    result.add(f"{name}: changes that each agent got", changes / count / took_s, "1/s")
    result.add(f"{name}: deliveries per CPU-second", changes / cpu_s, "1/s")
    result.add(f"{name}: the same, net of 0 agents", changes / net_s, "1/s")
    result.add(f"{name}: the same beside Typha's 484,000", changes / cpu_s / TYPHA_PER_CPU_S, "x")
    result.add(f"{name}: sent per delivery", found["bytes"] / max(changes, 1), "B")
    result.add(f"{name}: server's CPU", 100 * cpu_s / took_s, "%")
    time.sleep(_SETTLE_S)


def _cpu_of(server: Child, seconds: float) -> float:
    """Cores used while nobody is connected."""
    time.sleep(_SETTLE_S)
    cpu_s, began_at = server.cpu_s(), time.monotonic()
    time.sleep(seconds / 2)
    return (server.cpu_s() - cpu_s) / (time.monotonic() - began_at)
