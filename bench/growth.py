"""Cost as it grows, and its slopes: what a server of one's own size will need.

Over agents: CPU and memory at fixed rates of changes, net of the same server without agents. Two causes are told apart
by least squares over all points: a send (a round to an agent, whatever is in it) and a delivery (a change in it). Over
objects: memory and the time of the first list.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.loop_lag import LoopLag, add_loop_lag
from bench.probing import POD_SHARE
from bench.processes import Agents, Server, Simulation
from bench.report import Result, say, slope
from typha.observe.status import Latency

QUESTION: Final = "what do another agent, another change and another object cost?"
AGENTS: Final = [100, 300, 1000, 3000, 5000]
OBJECTS: Final = [1000, 10_000, 30_000, 100_000]
# Objects beside the agents' own cost: few, so that joins do not cover it.
_PODS: Final = 1000
_SETTLE_S: Final = 2.0
_TIMEOUT_S: Final = 120.0


class Point(NamedTuple):
    """One stretch: CPU-seconds net of 0 agents, and what it carried."""

    agents: int
    rate: float
    cpu_s: float
    sends: int
    deliveries: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --rates --objects --seconds --pause-ms."""
    parser.add_argument("--agents", type=int, nargs="*", help="default 100 300 1000 3000 5000; quick 50 200")
    parser.add_argument(
        "--rates", type=float, nargs="+", help="changes of pods a second (default 100 500; quick 100 400)"
    )
    parser.add_argument("--objects", type=int, nargs="*", help="default 1000 10000 30000 100000; quick 500 2000")
    parser.add_argument("--seconds", type=float, help="of each point (default 10; quick 3)")
    parser.add_argument("--pause-ms", type=float, default=100.0, help="least time between rounds (default 100)")


def run(options: argparse.Namespace) -> Result:
    """Agents, then objects."""
    counts = options.agents if options.agents is not None else ([50, 200] if options.quick else AGENTS)
    rates = options.rates or ([100.0, 400.0] if options.quick else [100.0, 500.0])
    objects = options.objects if options.objects is not None else ([500, 2000] if options.quick else OBJECTS)
    seconds = options.seconds or (3.0 if options.quick else 10.0)
    parameters = {"agents": counts, "rates": rates, "objects": objects, "seconds": seconds, "pods": _PODS}
    result = Result("growth", parameters | {"round_pause_ms": options.pause_ms})
    if counts:
        _over_agents(result, counts, rates, seconds, options.pause_ms)
    if objects:
        _over_objects(result, objects)
    return result


def _over_agents(
    result: Result, counts: Sequence[int], rates: Sequence[float], seconds: float, pause_ms: float
) -> None:
    points: list[Point] = []
    memory: list[list[float]] = []
    late: list[Latency] = []
    for rate in rates:
        with (
            Simulation(pods=_PODS, churn=rate / POD_SHARE) as simulation,
            Server(simulation, timing={"round_pause_ms": pause_ms, "max_age_s": 0}) as server,
        ):
            server.start()
            server.wait_ready()
            time.sleep(_SETTLE_S)
            alone = _cores(server, seconds)
            lag = LoopLag(server)
            with Agents(server.port) as agents:
                connected = 0
                for count in sorted(counts):
                    agents.ask("connect", count=count - connected)
                    connected = count
                    agents.ask("synced", timeout_s=_TIMEOUT_S)
                    time.sleep(_SETTLE_S)
                    point = _point(server, agents, count, rate, seconds, alone)
                    points.append(point)
                    rss = server.rss_bytes()
                    memory.append([count, rss])
                    name = f"{count:,} agents x {rate:g}"
                    result.add(f"{name}: server's CPU", 100 * (point.cpu_s / seconds + alone), "%")
                    result.add(f"{name}: deliveries", point.deliveries / seconds, "1/s")
                    result.add(f"{name}: memory", rss / 1e6, "MB")
                    say(f"growth: {name}: {100 * point.cpu_s / seconds:.0f} % of a core")
                late.append(lag.end())
        of_rate = [point for point in points if point.rate == rate]
        result.series[f"cpu_percent_at_{rate:g}"] = [
            [point.agents, 100 * (point.cpu_s / seconds + alone)] for point in of_rate
        ]
        result.series[f"memory_mb_at_{rate:g}"] = [[count, rss / 1e6] for count, rss in memory[-len(of_rate) :]]
    try:
        per_send, per_delivery = two_slopes([(point.sends, point.deliveries, point.cpu_s) for point in points])
    except ValueError as why:
        say(f"growth: {why}; name another rate")
    else:
        result.add("a send costs", per_send * 1e6, "us")
        result.add("a delivery in it costs", per_delivery * 1e6, "us")
    add_loop_lag(result, late)
    result.add("an agent costs, memory", slope(memory) / 1e3, "KB")


def _point(server: Server, agents: Agents, count: int, rate: float, seconds: float, alone: float) -> Point:
    agents.ask("record")
    cpu_s, began_at = server.cpu_s(), time.monotonic()
    time.sleep(seconds)
    cpu_s, took_s = server.cpu_s() - cpu_s, time.monotonic() - began_at
    found = agents.ask("stop", probes=[])
    return Point(count, rate, cpu_s - alone * took_s, found["frames"], found["changes"])


def _over_objects(result: Result, counts: Sequence[int]) -> None:
    memory, ready = [], []
    for count in counts:
        say(f"growth: {count} objects")
        with Simulation(pods=count) as simulation, Server(simulation) as server:
            server.start()
            ready_s = server.wait_ready()
            cpu_s = server.cpu_s()
            time.sleep(_SETTLE_S)
            rss, value_bytes = server.rss_bytes(), sum(each["value_bytes"] for each in server.status()["topics"])
            peak = server.peak_rss_bytes()
        memory.append([count, rss / 1e6])
        ready.append([count, ready_s])
        result.add(f"{count:,} objects: memory", rss / 1e6, "MB")
        result.add(f"{count:,} objects: most on the way", peak / 1e6, "MB")
        result.add(f"{count:,} objects: keys and values", value_bytes / 1e6, "MB")
        result.add(f"{count:,} objects: start to ready", ready_s, "s")
        result.add(f"{count:,} objects: CPU until ready", cpu_s, "s")
    result.add("an object costs, memory", slope(memory) * 1e6, "B")
    result.add("an object costs, time of the first list", slope(ready) * 1e6, "us")
    result.series["memory_mb_over_objects"] = memory
    result.series["ready_s_over_objects"] = ready


def _cores(server: Server, seconds: float) -> float:
    cpu_s, began_at = server.cpu_s(), time.monotonic()
    time.sleep(seconds / 2)
    return (server.cpu_s() - cpu_s) / (time.monotonic() - began_at)


def two_slopes(points: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Least squares a, b of z = a x + b y through the origin; points are (x, y, z).

    ValueError where the points cannot tell x from y: all have the same ratio.
    """
    xx = sum(x * x for x, _, _ in points)
    yy = sum(y * y for _, y, _ in points)
    xy = sum(x * y for x, y, _ in points)
    xz = sum(x * z for x, _, z in points)
    yz = sum(y * z for _, y, z in points)
    # 0 for points on one line; measured ones are never exactly on it.
    determinant = xx * yy - xy * xy
    if determinant <= 1e-9 * xx * yy:
        raise ValueError("points of one ratio only: the two causes cannot be told apart")
    return (yy * xz - xy * yz) / determinant, (xx * yz - xy * xz) / determinant
