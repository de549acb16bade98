"""Memory of a connection that is in sync and gets nothing but pings: on asyncio's loop and on uvloop; plain, with TLS,
and where agents show a certificate, too (mTLS). Of that also what comes before: a storm of handshakes.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.certificates import issue
from bench.handshakes import add_storm
from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import Agents, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "how much memory does a connection cost that does nothing?"
CONNECTION_BYTES: Final = {"asyncio": 5_000.0, "uvloop": 3_000.0, "asyncio, TLS": 45_000.0, "uvloop, TLS": 30_000.0}
_KINDS: Final = ("", ", TLS", ", mTLS")
_PODS: Final = 100
# A first few make the server import and build what all connections share.
_FIRST: Final = 50
_SETTLE_S: Final = 2.0
# 5,000 handshakes of both sides, one after the other, are 15 s.
_TIMEOUT_S: Final = 60.0
# Beside a storm of handshakes: enough for a p99, few enough to leave a core to the storm.
_LIVE: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --seconds."""
    parser.add_argument("--agents", type=int, help="default 5,000; quick 1,000")
    parser.add_argument("--seconds", type=float, help="of each storm of handshakes (default 8; quick 3)")


def run(options: argparse.Namespace) -> Result:
    """Resident memory before and after N connections; then the storms."""
    count = options.agents or (1000 if options.quick else 5000)
    seconds = options.seconds or (3.0 if options.quick else 8.0)
    parameters = {"agents": count, "pods": _PODS, "storm_s": seconds, "kernel": "socket buffers are not counted"}
    result = Result("idle", parameters)
    loops = ["asyncio"] + (["uvloop"] if importlib.util.find_spec("uvloop") is not None else [])
    with tempfile.TemporaryDirectory(prefix="typha-bench-") as folder:
        mtls = issue(Path(folder))
        server_only = {name: file for name, file in mtls.items() if name != "client_ca"}
        for kind, loop in itertools.product(_KINDS, loops):
            tls = {"": None, ", TLS": server_only, ", mTLS": mtls}[kind]
            settings: dict[str, Any] = {"tls": tls} if tls else {}
            say(f"idle: {count} connections on {loop}{kind}")
            with (
                Simulation(pods=_PODS, nodes=10) as simulation,
                Server(simulation, uvloop=loop == "uvloop", **settings) as server,
            ):
                server.start()
                server.wait_ready()
                if (found := server.status()["build"]["loop"]) != loop:
                    raise RuntimeError(f"the server runs on {found}, not on {loop}")
                _add_memory(result, f"{loop}{kind}", server, count, folder if tls else "")
                if tls is mtls:
                    _add_storm(result, f"{loop}{kind}", simulation, server, Path(folder), seconds)
    return result


def _add_memory(result: Result, name: str, server: Server, count: int, tls: str) -> None:
    lag = LoopLag(server)
    with Agents(server.port) as agents:
        agents.ask("connect", count=_FIRST, tls=tls)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        before = server.rss_bytes()
        agents.ask("connect", count=count, tls=tls)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        each = (server.rss_bytes() - before) / count
        cpu_before_s, began_at = server.cpu_s(), time.monotonic()
        time.sleep(_SETTLE_S)
        cpu = (server.cpu_s() - cpu_before_s) / (time.monotonic() - began_at)
        result.add(f"{name}: each connection", each, "B", at_most=CONNECTION_BYTES.get(name))
        result.add(f"{name}: server's CPU with all of them idle", 100 * cpu, "%")
        add_loop_lag(result, [lag.end()], name)
        result.add(f"{name}: whole process", server.rss_bytes() / 1e6, "MB")


def _add_storm(result: Result, name: str, simulation: Simulation, server: Server, folder: Path, seconds: float) -> None:
    say(f"idle: handshakes on {name}")
    simulation.create_probe()
    with Agents(server.port) as agents:
        agents.ask("connect", count=_LIVE, tls=str(folder))
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        add_storm(result, name, simulation, server, agents, folder, seconds)
