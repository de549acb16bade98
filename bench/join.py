"""N agents come at once: when are they in sync, and what do they cost meanwhile?"""

from __future__ import annotations

import argparse
from typing import Final

from bench.processes import Agents, PeakRss, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "how long until N agents that come at once are in sync, and what do they cost meanwhile?"
_TIMEOUT_S: Final = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --pods --churn."""
    parser.add_argument("--agents", type=int, help="default 500; quick 100")
    parser.add_argument("--pods", type=int, help="default 20,000; quick 5,000")
    parser.add_argument("--churn", type=float, default=100.0, help="changes a second meanwhile (default 100)")


def run(options: argparse.Namespace) -> Result:
    """Whole snapshots to agents that hold nothing."""
    count = options.agents or (100 if options.quick else 500)
    pods = options.pods or (5_000 if options.quick else 20_000)
    result = Result("join", {"agents": count, "pods": pods, "churn": options.churn})
    with (
        Simulation(pods=pods, churn=options.churn) as simulation,
        Server(simulation) as server,
        Agents(server.port) as agents,
    ):
        server.start()
        server.wait_ready()
        say(f"join: {count} agents, {pods} pods")
        rss_before, cpu_before_s = server.rss_bytes(), server.cpu_s()
        with PeakRss(server) as peak:
            agents.ask("connect", count=count)
            found = agents.ask("synced", timeout_s=_TIMEOUT_S)
        cpu_s = server.cpu_s() - cpu_before_s
        result.add("first in sync", found["first_s"], "s")
        result.add("half of them in sync", found["median_s"], "s")
        result.add("all in sync", found["all_s"], "s")
        result.add("sent to each", found["bytes"] / count / 1e6, "MB")
        result.add("sent in all", found["bytes"] / found["all_s"] / 1e6, "MB/s")
        result.add("extra memory at its most", (peak.bytes - rss_before) / 1e6, "MB")
        result.add("server's CPU for each", 1e3 * cpu_s / count, "ms")
        result.add("snapshots built", server.status()["server"]["snapshots_built_total"], "")
    return result
