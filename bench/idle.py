"""Memory of a connection that is in sync and gets nothing but pings, on asyncio's loop and on uvloop."""

from __future__ import annotations

import argparse
import importlib.util
import time
from typing import Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import Agents, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "how much memory does a connection cost that does nothing?"
CONNECTION_BYTES: Final = 5000.0
_PODS: Final = 100
# A first few make the server import and build what all connections share.
_FIRST: Final = 50
_SETTLE_S: Final = 2.0
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents."""
    parser.add_argument("--agents", type=int, help="default 5,000; quick 1,000")


def run(options: argparse.Namespace) -> Result:
    """Resident memory before and after N connections."""
    count = options.agents or (1000 if options.quick else 5000)
    result = Result("idle", {"agents": count, "pods": _PODS, "kernel": "socket buffers are not counted"})
    loops = ["asyncio"] + (["uvloop"] if importlib.util.find_spec("uvloop") is not None else [])
    for name in loops:
        say(f"idle: {count} connections on {name}")
        with Simulation(pods=_PODS, nodes=10) as simulation, Server(simulation, uvloop=name == "uvloop") as server:
            server.start()
            server.wait_ready()
            if (loop := server.status()["build"]["loop"]) != name:
                raise RuntimeError(f"the server runs on {loop}, not on {name}")
            lag = LoopLag(server)
            with Agents(server.port) as agents:
                agents.ask("connect", count=_FIRST)
                agents.ask("synced", timeout_s=_TIMEOUT_S)
                time.sleep(_SETTLE_S)
                before = server.rss_bytes()
                agents.ask("connect", count=count)
                agents.ask("synced", timeout_s=_TIMEOUT_S)
                time.sleep(_SETTLE_S)
                each = (server.rss_bytes() - before) / count
                cpu_before_s, began_at = server.cpu_s(), time.monotonic()
                time.sleep(_SETTLE_S)
                cpu = (server.cpu_s() - cpu_before_s) / (time.monotonic() - began_at)
                result.add(f"{name}: each connection", each, "B", at_most=CONNECTION_BYTES)
                result.add(f"{name}: server's CPU with all of them idle", 100 * cpu, "%")
                add_loop_lag(result, [lag.end()], name)
                result.add(f"{name}: whole process", server.rss_bytes() / 1e6, "MB")
    return result
