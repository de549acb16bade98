"""Watch events per second of the server's CPU, without agents: bytes in, decoded, converted, compared, kept."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from bench.processes import Server, Simulation
from bench.report import Result, say

QUESTION: Final = "how many watch events does a core take in a second?"
EVENTS_PER_CORE_S: Final = 20_000.0
# The API server keeps 16,384 events per watch; a start of both processes in the middle of a flood takes this long.
_WARM_UP_S: Final = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --rate --seconds."""
    parser.add_argument("--pods", type=int, help="default 100,000; quick 10,000")
    parser.add_argument("--rate", type=float, help="changes a second asked of the simulation (default 15,000)")
    parser.add_argument("--seconds", type=float, help="measured for so long (default 20; quick 5)")


def run(options: argparse.Namespace) -> Result:
    """As many events as the simulation makes; the server's CPU is what is counted."""
    pods = options.pods or (10_000 if options.quick else 100_000)
    seconds = options.seconds or (5.0 if options.quick else 20.0)
    rate = options.rate or 15_000.0
    result = Result("watch_path", {"pods": pods, "rate": rate, "seconds": seconds, "agents": 0})
    say(f"watch_path: {pods} pods, {rate:g} changes a second asked for")
    with Simulation(pods=pods, churn=rate) as simulation, Server(simulation) as server:
        server.start()
        server.wait_ready()
        time.sleep(_WARM_UP_S)
        before, cpu_before_s, began_at = _reflector(server), server.cpu_s(), time.monotonic()
        time.sleep(seconds)
        after, cpu_s, took_s = _reflector(server), server.cpu_s() - cpu_before_s, time.monotonic() - began_at
        events = after["events_total"] - before["events_total"]
        result.add("events per core-second", events / cpu_s, "1/s", at_least=EVENTS_PER_CORE_S)
        result.add("events", events / took_s, "1/s")
        result.add("server's CPU", 100 * cpu_s / took_s, "%")
        result.add("lists that became necessary", after["relists_total"] - before["relists_total"], "")
        result.add("whole process", server.rss_bytes() / 1e6, "MB")
    return result


def _reflector(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.status()["upstream"]["reflectors"][0]
    return found
