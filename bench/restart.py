"""What a restart costs: a server that lists everything, beside one that starts from the files of the last (warm start).

*Readable* is the time from the start of the process until an agent that comes back can be served; *ready* until the
API server has confirmed it. A warm server is readable long before it is ready.
"""

from __future__ import annotations

import argparse
import time
from typing import Final

from bench.processes import READY_TIMEOUT_S, BenchError, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "what does a restart cost, with the topics in files and without?"
_POLL_S: Final = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods."""
    parser.add_argument("--pods", type=int, help="default 100,000; quick 10,000")


def run(options: argparse.Namespace) -> Result:
    """One server, started cold, drained, and started again from its files."""
    pods = options.pods or (10_000 if options.quick else 100_000)
    result = Result("restart", {"pods": pods})
    with Simulation(pods=pods) as simulation:
        timing = {"drain_wait_s": 0, "drain_grace_s": 1}
        folder = simulation.folder / "warm"
        with Server(simulation, timing=timing, warm_start={"folder": str(folder)}) as server:
            _measure(result, "cold", server, pods)
            server.stop()
            size = sum(file.stat().st_size for file in folder.iterdir())
            result.add("files", size / 1e6, "MB")
            _measure(result, "warm", server, pods)
    return result


def _measure(result: Result, name: str, server: Server, pods: int) -> None:
    say(f"restart: {name}, {pods} pods")
    server.start()
    while not _holds(server, pods):
        if time.monotonic() - server.started_at > READY_TIMEOUT_S:
            raise BenchError(f"the server does not hold {pods} pods: {server.last_line()}")
        time.sleep(_POLL_S)
    result.add(f"{name}: start to readable", time.monotonic() - server.started_at, "s")
    result.add(f"{name}: CPU until readable", server.cpu_s(), "s")
    result.add(f"{name}: start to ready", server.wait_ready(), "s")
    result.add(f"{name}: CPU until ready", server.cpu_s(), "s")
    result.add(f"{name}: whole process", server.rss_bytes() / 1e6, "MB")


def _holds(server: Server, pods: int) -> bool:
    try:
        return bool(server.status()["topics"][0]["entries"] >= pods)
    except BenchError:
        return False
