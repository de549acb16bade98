"""Latency under load: a pod changed fourteen times a second, and when each change was read by the first and last agent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.processes import Agents, Server, Simulation
from bench.report import percentile, slope

# Of the simulation's changes so many in a hundred reach an agent (measured): heartbeats and endpoints are not
# subscribed to, a pod that terminates keeps its chosen fields, and two changes of one pod in a round are one.
POD_SHARE: Final = 0.64
# No multiple of a pause between rounds, and none of 1 s: all probes would come at one moment of each.
EVERY_S: Final = 0.073
# The last probe has to arrive before it is asked for.
_ARRIVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened in one stretch of time; latencies in seconds, ascending."""

    seconds: float
    versions_per_s: float
    reached_s: list[float]
    lag: list[list[float]]
    changes: int
    changes_per_s: float
    bytes: int
    frames: int
    server_cpu_s: float
    rss_growth_bytes: int

    @property
    def p50_s(self) -> float:
        """Over all probes and agents."""
        return percentile(self.reached_s, 0.5)

    @property
    def p99_s(self) -> float:
        """Over all probes and agents."""
        return percentile(self.reached_s, 0.99)

    @property
    def lag_slope(self) -> float:
        """Seconds of lag of the slowest agent that come with each second."""
        return slope(self.lag)


def measure(
    simulation: Simulation,
    server: Server,
    agents: Agents,
    seconds: float,
    *,
    every_s: float = EVERY_S,
    is_over: Callable[[], bool] = lambda: False,
) -> Stretch:
    """Probe for ``seconds`` while the agents record, or until ``is_over``."""
    agents.ask("record")
    cpu_before_s, rss_before = server.cpu_s(), server.rss_bytes()
    probes, sent_at_s, began_at = [], [], time.monotonic()
    while (since_s := time.monotonic() - began_at) < seconds and not is_over():
        probes.append(simulation.touch_probe())
        sent_at_s.append(since_s)
        time.sleep(max(0.0, began_at + len(probes) * every_s - time.monotonic()))
    cpu_s, took_s = server.cpu_s() - cpu_before_s, time.monotonic() - began_at
    growth = server.rss_bytes() - rss_before
    agents.ask("position", rv=probes[-1][0], timeout_s=_ARRIVAL_S)
    found = agents.ask("stop", probes=probes)
    return Stretch(
        seconds=took_s,
        versions_per_s=(probes[-1][0] - probes[0][0]) / (sent_at_s[-1] - sent_at_s[0]),
        reached_s=found["reached_s"],
        lag=[[at, late] for at, late in zip(sent_at_s, found["last_s"], strict=True)],
        changes=found["changes"],
        changes_per_s=found["changes_of_one"] / took_s,
        bytes=found["bytes"],
        frames=found["frames"],
        server_cpu_s=cpu_s,
        rss_growth_bytes=growth,
    )
