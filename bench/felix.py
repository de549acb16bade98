"""Pods as workload endpoints in the feed `felix`, with all that Calico keeps beside them: list, memory, watch path."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from bench.processes import Server, Simulation
from bench.report import Result, say

QUESTION: Final = (
    "what does the feed `felix` of 100,000 pods cost: time to ready, memory, watch events per core-second?"
)
RSS_MB: Final = 170.0
EVENTS_PER_CORE_S: Final = 25_000.0
# What is freed after the list is given back by then.
_SETTLE_S: Final = 2.0
_WARM_UP_S: Final = 2.0
# So many topics, the largest first, are most of the memory.
_SHOWN_TOPICS: Final = 5
_SHOWN_RESOURCES: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --rate --seconds."""
    parser.add_argument("--pods", type=int, help="default 100,000; quick 10,000")
    parser.add_argument("--rate", type=float, help="changes a second asked of the simulation (default 15,000)")
    parser.add_argument("--seconds", type=float, help="measured for so long (default 20; quick 5)")


def run(options: argparse.Namespace) -> Result:
    """A server on a quiet cluster for its size, then on the same one busy, for its watch path."""
    pods = options.pods or (10_000 if options.quick else 100_000)
    seconds = options.seconds or (5.0 if options.quick else 20.0)
    rate = options.rate or 15_000.0
    result = Result("felix", {"pods": pods, "rate": rate, "seconds": seconds, "agents": 0, "feeds": ["felix"]})
    with (
        Simulation(pods=pods, churn=rate, hold=True, calico=True) as simulation,
        Server(simulation, built_in_feeds=["felix"]) as server,
    ):
        say(f"felix: {pods} pods, quiet")
        server.start()
        ready_s = server.wait_ready()
        cpu_s = server.cpu_s()
        time.sleep(_SETTLE_S)
        result.add("start to ready", ready_s, "s")
        result.add("CPU until ready", cpu_s, "s")
        result.add("whole process", server.rss_bytes() / 1e6, "MB", at_most=RSS_MB)
        result.add("most on the way", server.peak_rss_bytes() / 1e6, "MB")
        _add_sizes(result, server.status()["topics"])
        say(f"felix: {rate:g} changes a second asked for")
        simulation.begin()
        time.sleep(_WARM_UP_S)
        _add_watch_path(result, server, seconds)
    return result


def _add_watch_path(result: Result, server: Server, seconds: float) -> None:
    before, cpu_before_s, began_at = _counters(server), server.cpu_s(), time.monotonic()
    time.sleep(seconds)
    after, cpu_s, took_s = _counters(server), server.cpu_s() - cpu_before_s, time.monotonic() - began_at
    events = {name: after[name][0] - before[name][0] for name in after}
    count = sum(events.values())
    result.add("events of all kinds per core-second", count / cpu_s, "1/s", at_least=EVENTS_PER_CORE_S)
    result.add("events", count / took_s, "1/s")
    for name in sorted(events, key=lambda name: -events[name])[:_SHOWN_RESOURCES]:
        result.add(f"of them {name}", 100 * events[name] / count, "%")
    result.add("server's CPU", 100 * cpu_s / took_s, "%")
    result.add("lists that became necessary", sum(after[name][1] - before[name][1] for name in after), "")
    result.add("whole process under load", server.rss_bytes() / 1e6, "MB")


def _add_sizes(result: Result, topics: list[dict[str, Any]]) -> None:
    ordered = sorted(topics, key=lambda topic: -topic["value_bytes"])
    for topic in ordered[:_SHOWN_TOPICS]:
        result.add(f"{topic['name']}: keys and values", topic["value_bytes"] / 1e6, "MB")
        result.add(f"{topic['name']}: entries", topic["entries"], "")
    rest = ordered[_SHOWN_TOPICS:]
    result.add(f"{len(rest)} other topics: keys and values", sum(each["value_bytes"] for each in rest) / 1e6, "MB")
    result.add("quarantined", sum(each["quarantined_count"] for each in topics), "", at_most=0)


def _counters(server: Server) -> dict[str, tuple[int, int]]:
    """Resource -> (events, lists after the first)."""
    reflectors = server.status()["upstream"]["reflectors"]
    return {each["resource"]: (each["events_total"], each["relists_total"]) for each in reflectors}
