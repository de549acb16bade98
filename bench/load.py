"""From the start of the process to /readyz 200 with 100,000 pods, and how large it is then."""

from __future__ import annotations

import argparse
import time
from typing import Final

from bench.processes import Server, Simulation
from bench.report import Result, say

QUESTION: Final = "how long from the start of the process to ready with 100,000 pods, and how large is it then?"
READY_S: Final = 6.0
RSS_MB: Final = 200.0
# What is freed after the list is given back by then.
_SETTLE_S: Final = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods."""
    parser.add_argument("--pods", type=int, help="default 100,000; quick 20,000")


def run(options: argparse.Namespace) -> Result:
    """Both ways to list, a fresh server each."""
    pods = options.pods or (20_000 if options.quick else 100_000)
    result = Result("load", {"pods": pods, "ready_is": "GET /readyz 200, asked every 20 ms"})
    for name, watch_list in (("WatchList", True), ("pages of 500", False)):
        say(f"load: {pods} pods by {name}")
        with Simulation(pods=pods, watch_list=watch_list) as simulation, Server(simulation) as server:
            server.start()
            ready_s = server.wait_ready()
            cpu_s = server.cpu_s()
            time.sleep(_SETTLE_S)
            result.add(f"{name}: start to ready", ready_s, "s", at_most=READY_S)
            result.add(f"{name}: whole process", server.rss_bytes() / 1e6, "MB", at_most=RSS_MB)
            result.add(f"{name}: most on the way", server.peak_rss_bytes() / 1e6, "MB")
            result.add(f"{name}: CPU", cpu_s, "s")
    return result
