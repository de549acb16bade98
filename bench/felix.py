"""100,000 pods as workload endpoints in the feed `felix`: list, memory, watch path; entries plain and compressed.

1. What is promised of pods is measured with pods alone: no services, policies or address blocks beside them, and only
   their labels change. What a whole cluster adds is measured beside it.
2. What an entry costs is the difference to a server that is ready and holds next to nothing.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from bench.processes import Server, Simulation
from bench.report import Result, say

QUESTION: Final = "what do 100,000 pods cost in the feed `felix`: list, memory (entries plain, compressed), events?"
RSS_MB: Final = 170.0
COMPRESSED_RSS_MB: Final = 120.0
READY_S: Final = 5.0
EVENTS_PER_CORE_S: Final = 25_000.0
COMPRESSED: Final = "compressed entries"
WHOLE_CLUSTER: Final = "whole cluster"
# What is freed after the list is given back by then (typha/heap.py: 3 s, looked at each second).
_SETTLE_S: Final = 5.0
_WARM_UP_S: Final = 2.0
# A server without pods: what it holds is nothing beside the process.
_FEW: Final = 100
# So many topics, the largest first, are most of the memory.
_SHOWN_TOPICS: Final = 5
_SHOWN_RESOURCES: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --rate --seconds."""
    parser.add_argument("--pods", type=int, help="default 100,000; quick 10,000")
    parser.add_argument("--rate", type=float, help="changes a second asked of the simulation (default 15,000)")
    parser.add_argument("--seconds", type=float, help="measured for so long (default 8; quick 4)")


def run(options: argparse.Namespace) -> Result:
    """Servers one after the other: each first on a quiet cluster for its size, then on a busy one."""
    pods = options.pods or (10_000 if options.quick else 100_000)
    seconds = options.seconds or (4.0 if options.quick else 8.0)
    rate = options.rate or 15_000.0
    result = Result("felix", {"pods": pods, "rate": rate, "seconds": seconds, "agents": 0, "feeds": ["felix"]})
    with Simulation(pods=_FEW, calico=True, bare=True) as simulation, _server(simulation, compress=False) as server:
        server.start()
        server.wait_ready()
        time.sleep(_SETTLE_S)
        fixed_bytes = server.rss_bytes()
    result.add(f"whole process with {_FEW} pods", fixed_bytes / 1e6, "MB")
    for compress in (False, True):
        with (
            Simulation(pods=pods, churn=rate, hold=True, calico=True, bare=True, only="relabel") as simulation,
            _server(simulation, compress=compress) as server,
        ):
            _pods_alone(result, simulation, server, seconds, fixed_bytes, compress=compress)
    for compress in (False, True):
        with (
            Simulation(pods=pods, churn=rate, hold=True, calico=True) as simulation,
            _server(simulation, compress=compress) as server,
        ):
            _whole_cluster(result, simulation, server, seconds, compress=compress)
    return result


def _server(simulation: Simulation, *, compress: bool) -> Server:
    return Server(simulation, built_in_feeds=["felix"], memory={"compress_entries": compress})


def _pods_alone(
    result: Result, simulation: Simulation, server: Server, seconds: float, fixed_bytes: int, *, compress: bool
) -> None:
    prefix = f"{COMPRESSED}: " if compress else ""
    say(f"felix: {prefix}pods alone, quiet")
    server.start()
    ready_s = server.wait_ready()
    result.add(f"{prefix}start to ready", ready_s, "s", at_most=READY_S)
    result.add(f"{prefix}CPU until ready", server.cpu_s(), "s")
    time.sleep(_SETTLE_S)
    rss = server.rss_bytes()
    result.add(f"{prefix}whole process", rss / 1e6, "MB", at_most=COMPRESSED_RSS_MB if compress else RSS_MB)
    result.add(f"{prefix}most on the way", server.peak_rss_bytes() / 1e6, "MB")
    topics = server.status()["topics"]
    entries, held = (sum(topic[name] for topic in topics) for name in ("entries", "held_bytes"))
    result.add(f"{prefix}keys and values as held", held / 1e6, "MB")
    result.add(f"{prefix}encoded to held", sum(topic["value_bytes"] for topic in topics) / held, "x")
    result.add(f"{prefix}each entry", (rss - fixed_bytes) / entries, "B")
    result.add(f"{prefix}each entry beside its key and value", (rss - fixed_bytes - held) / entries, "B")
    say(f"felix: {prefix}pods alone, busy")
    simulation.begin()
    time.sleep(_WARM_UP_S)
    before, cpu_before_s, began_at = _counters(server), server.cpu_s(), time.monotonic()
    time.sleep(seconds)
    after, cpu_s, took_s = _counters(server), server.cpu_s() - cpu_before_s, time.monotonic() - began_at
    count = sum(after[name][0] - before[name][0] for name in after)
    result.add(f"{prefix}events per core-second", count / cpu_s, "1/s", at_least=EVENTS_PER_CORE_S)
    result.add(f"{prefix}events", count / took_s, "1/s")
    result.add(
        f"{prefix}lists that became necessary", sum(after[name][1] - before[name][1] for name in after), "", at_most=0
    )
    result.add(f"{prefix}whole process under load", server.rss_bytes() / 1e6, "MB")


def _whole_cluster(result: Result, simulation: Simulation, server: Server, seconds: float, *, compress: bool) -> None:
    prefix = f"{WHOLE_CLUSTER}, {COMPRESSED}: " if compress else f"{WHOLE_CLUSTER}: "
    say(f"felix: {prefix}quiet")
    server.start()
    result.add(f"{prefix}start to ready", server.wait_ready(), "s")
    result.add(f"{prefix}CPU until ready", server.cpu_s(), "s")
    time.sleep(_SETTLE_S)
    result.add(f"{prefix}whole process", server.rss_bytes() / 1e6, "MB")
    result.add(f"{prefix}most on the way", server.peak_rss_bytes() / 1e6, "MB")
    _add_sizes(result, prefix, server.status()["topics"])
    if compress:
        return
    say(f"felix: {prefix}busy")
    simulation.begin()
    time.sleep(_WARM_UP_S)
    before, cpu_before_s = _counters(server), server.cpu_s()
    time.sleep(seconds)
    after, cpu_s = _counters(server), server.cpu_s() - cpu_before_s
    events = {name: after[name][0] - before[name][0] for name in after}
    count = sum(events.values())
    result.add(f"{prefix}events of all kinds per core-second", count / cpu_s, "1/s")
    for name in sorted(events, key=lambda name: -events[name])[:_SHOWN_RESOURCES]:
        result.add(f"{prefix}of them {name}", 100 * events[name] / count, "%")


def _add_sizes(result: Result, prefix: str, topics: list[dict[str, Any]]) -> None:
    ordered = sorted(topics, key=lambda topic: -topic["value_bytes"])
    for topic in ordered[:_SHOWN_TOPICS]:
        result.add(f"{prefix}{topic['name']}: entries", topic["entries"], "")
        result.add(f"{prefix}{topic['name']}: keys and values as held", topic["held_bytes"] / 1e6, "MB")
    rest = ordered[_SHOWN_TOPICS:]
    held = sum(topic["held_bytes"] for topic in rest)
    result.add(f"{prefix}{len(rest)} other topics: keys and values as held", held / 1e6, "MB")
    result.add(f"{prefix}quarantined", sum(each["quarantined_count"] for each in topics), "", at_most=0)


def _counters(server: Server) -> dict[str, tuple[int, int]]:
    """Resource -> (events, lists begun)."""
    reflectors = server.status()["upstream"]["reflectors"]
    return {each["resource"]: (each["events_total"], each["lists_total"]) for each in reflectors}
