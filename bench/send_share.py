"""The write path beside the cheapest thing that writes: a C loop of send(), of the same bytes to as many sockets.

They take turns, so that what the kernel costs today is in both. CPU is of the process that writes; the server's is net
of the same stretch without subscribers. A share is the C loop's CPU for a send divided by the server's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from dataclasses import replace
from typing import Any, Final

from bench.peers import PeerMissing, Shape, send_loop
from bench.processes import Agents, BenchError, Child
from bench.report import Result, say

QUESTION: Final = "how near is a send of the server to one of a C loop that does nothing else?"
SHARES: Final = {"asyncio": 0.80, "uvloop": 0.85}
DELTA_BYTES: Final = 450
# Name -> deltas a round.
KINDS: Final = {"single": 1, "coalesced": 50}
# Well above the server's pause between rounds, so that each change is a round, and 1,000 readers of 22 KB keep up.
_INTERVAL_S: Final = 0.05
# Rounds that a busy machine joins to one; the C loop gets frames of the size that there was on average.
_ROUNDS_KEPT: Final = 0.9
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--sockets --kinds --seconds --runs."""
    parser.add_argument("--sockets", type=int, nargs="+", help="default 500 1000; quick 200")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS), help="default both")
    parser.add_argument("--seconds", type=float, help="of each run (default 4; quick 2)")
    parser.add_argument("--runs", type=int, help="of which the median counts (default 5; quick 1)")


def run(options: argparse.Namespace) -> Result:
    """For each shape: the server on each loop, then C; and again."""
    sockets = options.sockets or ([200] if options.quick else [500, 1000])
    seconds = options.seconds or (2.0 if options.quick else 4.0)
    runs = options.runs or (1 if options.quick else 5)
    parameters = {"sockets": sockets, "seconds": seconds, "runs": runs, "delta_bytes": DELTA_BYTES}
    result = Result("send_share", parameters | {"kinds": options.kinds, "interval_s": _INTERVAL_S})
    loops = [name for name in SHARES if name == "asyncio" or importlib.util.find_spec("uvloop") is not None]
    for kind in options.kinds:
        idle = {name: _idle_cpu(name, KINDS[kind], seconds) for name in loops}
        for count in sockets:
            say(f"send_share: {count} sockets, {kind}")
            _measure(result, kind, count, seconds, runs, idle)
    return result


def _measure(result: Result, kind: str, count: int, seconds: float, runs: int, idle: dict[str, float]) -> None:
    per_send: dict[str, list[float]] = {}
    shape = Shape(count, KINDS[kind] / _INTERVAL_S, DELTA_BYTES, _INTERVAL_S, seconds)
    for _ in range(runs):
        try:
            for name, idle_cpu_s in idle.items():
                ours, sent_bytes = _of_server(name, kind, shape, idle_cpu_s)
                per_send.setdefault(name, []).append(ours)
            exact = replace(shape, delta_bytes=sent_bytes / KINDS[kind])
            cost = send_loop.measure(exact)
            per_send.setdefault("C", []).append(cost.cpu_s / cost.sends)
        except PeerMissing as why:
            say(f"send_share: the C loop is not run: {why}")
    medians = {name: statistics.median(values) for name, values in per_send.items()}
    for name, value in medians.items():
        result.add(f"{name}, {count} sockets, {kind}: CPU of a send", value * 1e6, "us")
        if name != "C" and "C" in medians:
            share = medians["C"] / value
            result.add(f"{name}, {count} sockets, {kind}: share of the C loop", share, "x", at_least=SHARES[name])


def _of_server(name: str, kind: str, shape: Shape, idle_cpu_s: float) -> tuple[float, float]:
    """CPU-seconds of a send, net; bytes of a send."""
    with PublisherProcess(name) as publisher, Agents(publisher.port) as agents:
        agents.ask("connect", count=shape.agents)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        agents.ask("record")
        found = publisher.publish(KINDS[kind], shape.seconds)
        agents.ask("stop", probes=[])
    wanted = round(shape.seconds / _INTERVAL_S)
    if found["rounds"] < _ROUNDS_KEPT * wanted:
        raise BenchError(f"{found['rounds']} rounds for {wanted} changes: this machine is too busy for {shape}")
    sends = found["sends"] + found["own_sends"]
    return (found["cpu_s"] - idle_cpu_s) / sends, found["bytes"] / sends


def _idle_cpu(name: str, deltas: int, seconds: float) -> float:
    with PublisherProcess(name) as publisher:
        return float(publisher.publish(deltas, seconds)["cpu_s"])


class PublisherProcess(Child):
    """``bench.publisher`` on that loop."""

    def __init__(self, loop: str) -> None:
        super().__init__()
        self._output = self.spawn([sys.executable, "-m", "bench.publisher", loop], stdin=subprocess.PIPE)
        found = self._answer()
        if found["loop"] != loop:
            raise BenchError(f"the publisher runs on {found['loop']}, not on {loop}")
        self.port = int(found["port"])

    def publish(self, deltas: int, seconds: float) -> dict[str, Any]:
        """See ``bench.publisher.Publisher.publish``."""
        assert self.process is not None
        assert self.process.stdin is not None
        wanted = {"deltas": deltas, "interval_s": _INTERVAL_S, "seconds": seconds, "frame_bytes": DELTA_BYTES}
        self.process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._output.readline()
        if not line:
            raise BenchError(f"the publisher ended: {self.last_line()}")
        decoded: dict[str, Any] = json.loads(line)
        return decoded
