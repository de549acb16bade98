"""The run: a server on the simulation, agents that must not notice, N malformed inputs, and the books at the end.

Checked: each input is answered by a typed Refused or Close, or a close, and by nothing else; healthy agents keep
their connections and equal the API server; memory is back within 5 MB, file handles are exactly where they were;
the server's own counters know every connection.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bench.processes import Server, Simulation
from tests.robustness.healthy import HealthyAgents
from tests.robustness.hostile import send_all
from tests.robustness.inputs import Input, Inputs

MEMORY_BYTES: Final = 5_000_000
_HEALTHY: Final = 5
_AT_ONCE: Final = 100
_PODS: Final = 300
# Changes of the cluster while the inputs come: one for so many inputs.
_CHANGE_EVERY: Final = 20
# The first inputs make the server import and build what all later ones share.
_WARM_UP: Final = 1000
_SETTLE_S: Final = 15.0
_GIVE_BACK_S: Final = 7.0
_SETTINGS: Final[dict[str, Any]] = {
    "feeds": {"all": ["pods"]},
    "limits": {"handshake_timeout_s": 2},
    "timing": {"ping_interval_s": 1, "bookmark_interval_s": 1, "stuck_timeout_s": 5},
}


@dataclass(slots=True)
class Report:
    """What happened; ``breaches`` is empty where nothing did that must not."""

    seed: int
    inputs: int = 0
    past_the_length_check: int = 0
    tolerable: int = 0
    by_kind: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    refused: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    protocol_errors: dict[str, int] = field(default_factory=dict)
    memory_growth_bytes: int = 0
    handles_before: int = 0
    handles_after: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)


def run(inputs: int, seed: int, say: Callable[[str], None]) -> Report:
    """``inputs`` malformed ones, and beside them what turned out to be legal."""
    report, began_at = Report(seed), time.monotonic()
    with Simulation(pods=_PODS, nodes=10) as simulation, Server(simulation, **_SETTINGS) as server:
        server.start()
        server.wait_ready()
        simulation.create_probe()
        with HealthyAgents(server.port, _HEALTHY) as healthy:
            source = iter(Inputs(seed, healthy.cluster, healthy.form))
            say("warming up")
            for _ in send_all(server.port, _take(source, _WARM_UP), at_once=_AT_ONCE):
                pass
            _settle(server)
            before, memory = server.status()["server"], server.rss_bytes()
            report.handles_before = _handles(server, simulation)
            say(f"{inputs} malformed inputs, seed {seed}")
            _send(report, inputs, source, server, simulation, say)
            _settle(server)
            report.memory_growth_bytes = server.rss_bytes() - memory
            report.handles_after = _handles(server, simulation)
            _compare_books(report, before, server.status()["server"])
            truth = {
                f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": int(pod["metadata"]["resourceVersion"])
                for pod in simulation.request("GET", "/api/v1/pods")["items"]
            }
            if different := healthy.differences(truth):
                report.breaches.append(different)
    if report.memory_growth_bytes > MEMORY_BYTES:
        report.breaches.append(f"memory grew by {report.memory_growth_bytes / 1e6:.1f} MB")
    if report.handles_after != report.handles_before:
        report.breaches.append(f"file handles: {report.handles_before} before, {report.handles_after} after")
    if report.past_the_length_check * 2 < report.inputs:
        report.breaches.append("less than half of the inputs pass the length check")
    report.seconds = time.monotonic() - began_at
    return report


def _send(
    report: Report,
    inputs: int,
    source: Iterator[Input],
    server: Server,
    simulation: Simulation,
    say: Callable[[str], None],
) -> None:
    for what, outcome in send_all(server.port, _malformed(source, inputs), at_once=_AT_ONCE):
        report.by_kind[what.kind if what.must_end else f"{what.kind} (legal)"][outcome.ended] += 1
        if what.must_end:
            report.inputs += 1
            report.past_the_length_check += what.passes_length
        else:
            report.tolerable += 1
        if outcome.breach:
            report.breaches.append(f"{what.kind}: {outcome.breach}; {what.data[:60].hex()}")
        sent = report.inputs + report.tolerable
        if sent % _CHANGE_EVERY == 0:
            simulation.touch_probe()
        if sent % 2000 == 0:
            say(f"{report.inputs} of {inputs}, {len(report.breaches)} breaches")


def _take(source: Iterator[Input], count: int) -> Iterator[Input]:
    for _ in range(count):
        yield next(source)


def _malformed(source: Iterator[Input], count: int) -> Iterator[Input]:
    """Until so many of them must be refused; legal ones come on top."""
    while count:
        what = next(source)
        count -= what.must_end
        yield what


def _settle(server: Server) -> None:
    """Until only the healthy agents are left, and the memory of the others was given back (typha/heap.py)."""
    deadline_at = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline_at and server.status()["server"]["connections"] > _HEALTHY:
        time.sleep(0.2)
    time.sleep(_GIVE_BACK_S)


def _handles(server: Server, simulation: Simulation) -> int:
    """But for connections to the API server: those that idle in the pool are closed after 15 s, whatever agents do."""
    usage = server.usage
    upstream = [each for each in usage.net_connections("tcp") if each.raddr and each.raddr.port == simulation.port]
    return int(usage.num_fds()) - len(upstream)


def _compare_books(report: Report, before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, counts in (
        ("refused_total", report.refused),
        ("closed_total", report.closed),
        ("protocol_errors_total", report.protocol_errors),
    ):
        for code, count in after[name].items():
            if count > before[name].get(code, 0):
                counts[code] = count - before[name].get(code, 0)
    accepted = after["accepted_total"] - before["accepted_total"]
    sent = report.inputs + report.tolerable
    if accepted != sent:
        report.breaches.append(f"{sent} connections were made, the server counts {accepted}")
    ended = sum(report.refused.values()) + sum(report.closed.values())
    if ended != sent:
        report.breaches.append(f"{sent} connections ended, the server counts {ended}")
    if after["connections"] != _HEALTHY:
        report.breaches.append(f"{after['connections']} connections are open, {_HEALTHY} should be")
