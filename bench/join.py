"""A storm: thousands of agents come at once for a large topic. When are they in sync, and who else feels it?

The topic is whole pods, some 100 MB of values. Joiners offer zstd. Agents that were in sync before get a light load
of changes all the time: their latency with the storm is compared with that before and after it. The joiners' process
yields the processor to theirs: agents have machines of their own.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.probing import measure
from bench.processes import Agents, PeakRss, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "5,000 agents join at once for 100 MB of values: when are they in sync, and who else feels it?"
# What field measurements of the design reached with such a storm: 13.6 s, 43 MB.
ALL_S: Final = 18.0
EXTRA_MB: Final = 64.0
FIRST_S: Final = 1.0
P99_RATIO: Final = 2.0
_WHOLE_PODS: Final = {"pods": {"resource": "v1/pods"}}
# A light load: who has joined gets it too, and 5,000 sends of one change cost 40 ms.
_CHANGES_PER_S: Final = 2.0
# Not in step with those changes: each probe, or none, would wait for the round of one of them.
_PROBE_EVERY_S: Final = 0.17
_NICENESS: Final = 10
_SETTLE_S: Final = 3.0
_TIMEOUT_S: Final = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --live --pods --seconds --language."""
    parser.add_argument("--agents", type=int, help="that join (default 5,000; quick 200)")
    parser.add_argument("--live", type=int, default=100, help="that are in sync before (default 100)")
    parser.add_argument("--pods", type=int, help="default 60,000, which are 100 MB; quick 5,000")
    parser.add_argument("--seconds", type=float, help="measured before and after (default 10; quick 3)")
    parser.add_argument("--language", default="native-zstd", help="of the joiners (default native-zstd)")


def run(options: argparse.Namespace) -> Result:
    """Before, storm, after; the same live agents all the time."""
    count = options.agents or (200 if options.quick else 5000)
    pods = options.pods or (5_000 if options.quick else 60_000)
    seconds = options.seconds or (3.0 if options.quick else 10.0)
    parameters = {"agents": count, "live": options.live, "pods": pods, "language": options.language}
    result = Result("join", parameters | {"changes_per_s": _CHANGES_PER_S + 1 / _PROBE_EVERY_S})
    with (
        Simulation(pods=pods, churn=_CHANGES_PER_S, runtime_ids=True) as simulation,
        Server(simulation, topics=_WHOLE_PODS) as server,
        Agents(server.port) as live,
        Agents(server.port, niceness=_NICENESS) as joiners,
    ):
        server.start()
        server.wait_ready()
        simulation.create_probe()
        # One agent without zstd tells how large the values are.
        plain = joiners.ask("connect", count=1) | joiners.ask("synced", timeout_s=_TIMEOUT_S)
        joiners.ask("drop")
        lag = LoopLag(server)
        live.ask("connect", count=options.live, language="native-zstd")
        live.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        say(f"join: {options.live} agents are in sync")
        before = measure(simulation, server, live, seconds, every_s=_PROBE_EVERY_S)
        say(f"join: {count} agents come")
        rss_before, cpu_before_s, built = server.rss_bytes(), server.cpu_s(), _built(server)
        with ThreadPoolExecutor(1) as pool, PeakRss(server) as peak:
            storm = pool.submit(_join, joiners, count, options.language)
            during = measure(simulation, server, live, _TIMEOUT_S, every_s=_PROBE_EVERY_S, is_over=storm.done)
            found = storm.result()
        cpu_s, built = server.cpu_s() - cpu_before_s, _built(server) - built
        joiners_cpu_s = joiners.cpu_s()
        say("join: all are in sync")
        time.sleep(_SETTLE_S)
        rss_after = server.rss_bytes()
        after = measure(simulation, server, live, seconds, every_s=_PROBE_EVERY_S)
        late_loop = lag.end()
    each = found["bytes"] / count
    quiet_p99_s = (before.p99_s + after.p99_s) / 2
    result.add("values of the topic, as one agent reads them", plain["bytes"] / 1e6, "MB")
    result.add("sent to each", each / 1e6, "MB")
    result.add("compressed", plain["bytes"] / each, "x")
    result.add("first in sync", found["first_s"], "s", at_most=FIRST_S)
    result.add("half of them in sync", found["median_s"], "s")
    result.add("all in sync", found["all_s"], "s", at_most=ALL_S)
    result.add("sent in all", found["bytes"] / found["all_s"] / 1e6, "MB/s")
    result.add("extra memory at its most", (peak.bytes - rss_before) / 1e6, "MB", at_most=EXTRA_MB)
    result.add("extra memory afterwards", (rss_after - rss_before) / 1e6, "MB")
    result.add("server's CPU for each", 1e3 * cpu_s / count, "ms")
    result.add("joiners' CPU for each", 1e3 * joiners_cpu_s / count, "ms")
    result.add("snapshots built", built, "")
    result.add("live agents' p50 before", before.p50_s * 1e3, "ms")
    result.add("live agents' p50 in the storm", during.p50_s * 1e3, "ms")
    result.add("live agents' p99 before", before.p99_s * 1e3, "ms")
    result.add("live agents' p99 in the storm", during.p99_s * 1e3, "ms")
    result.add("live agents' p99 after", after.p99_s * 1e3, "ms")
    result.add("live agents' p99, storm to quiet", during.p99_s / quiet_p99_s, "x", at_most=P99_RATIO)
    add_loop_lag(result, [late_loop])
    result.series["lag_before_s"], result.series["lag_in_the_storm_s"] = before.lag, during.lag
    return result


def _join(joiners: Agents, count: int, language: str) -> dict[str, Any]:
    joiners.ask("connect", count=count, language=language)
    return joiners.ask("synced", timeout_s=_TIMEOUT_S)


def _built(server: Server) -> int:
    return int(server.status()["server"]["snapshots_built_total"])
