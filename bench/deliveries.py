"""Changes of a workload endpoint to many agents: deliveries per CPU-second and latency, by shape and pacing.

Every change is another label of a running pod, some 450 B as a workload endpoint: the work that Typha's recorded
figures stand for. Languages and the peer take turns on one cluster; the server's CPU is the whole process, and once
more without what the same server needs for the same changes with nobody connected.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final, NamedTuple

from bench.goal_rows import NATIVE_ZSTD, PER_CPU_S, TYPHA_RECORDED, deliveries
from bench.loop_lag import LoopLag, add_loop_lag
from bench.peers import PeerMissing, Shape, nats, typha_go
from bench.probing import measure
from bench.processes import Agents, Child, Server, Simulation
from bench.report import Result, percentile, say
from typha.observe.status import Latency

QUESTION: Final = "what does a delivery cost, by agents, changes a second and pacing, beside NATS and Calico's Typha?"
_FEED: Final = "felix"
_TOPIC: Final = "workloadendpoints"
_NATIVE: Final = ("native", NATIVE_ZSTD)
_PAUSES_MS: Final = (100, 20)
# Calico's agents are paced as its Typha paces them.
_LANGUAGES: Final = {100: (*_NATIVE, "calico", "calico-snappy"), 20: _NATIVE}
# Beside the shapes of the goals, at the shorter pause: the one whose latency is a goal.
_OF_LATENCY: Final = (1000, 1000)
# For each change a second: of those of a round of 100 ms, 2 % meet in one pod.
_PODS: Final = 2.5
_TIMEOUT_S: Final = 120.0
_SETTLE_S: Final = 1.0
# Calico's own agents at 100 ms pacing, whole process, beside what Typha needs for the same shape.
_TIMES_TYPHA: Final = {"calico": 4.0, "calico-snappy": 8.0}
_WHOLE: Final = "deliveries per CPU-second, whole process"


class _Cost(NamedTuple):
    """Of one stretch: deliveries, CPU of the server and that of the same stretch without agents, seconds."""

    deliveries: int
    cpu_s: float
    alone_s: float
    bytes: int

    @property
    def net(self) -> float:
        return self.deliveries / max(self.cpu_s - self.alone_s, 1e-3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--shape --pause-ms --seconds --runs."""
    parser.add_argument("--shape", action="append", metavar="AGENTSxRATE", help="such as 1000x500; again for more")
    parser.add_argument("--pause-ms", type=int, action="append", help="least time between rounds (default 100 and 20)")
    parser.add_argument("--seconds", type=float, help="measured for each (default 4; quick 2)")
    parser.add_argument("--runs", type=int, help="of each language, in turns; the median counts (default 3; quick 1)")
    parser.add_argument("--no-peers", action="store_true", help="neither NATS nor Calico's Typha")


def run(options: argparse.Namespace) -> Result:
    """For each pause and rate a cluster and a server; its shapes in turns."""
    chosen = [_shape(text) for text in options.shape or ()]
    pauses = options.pause_ms or list(_PAUSES_MS)
    seconds = options.seconds or (2.0 if options.quick else 4.0)
    runs = options.runs or (1 if options.quick else 3)
    result = Result("deliveries", {"seconds": seconds, "runs": runs, "shapes": chosen, "pauses": pauses})
    for pause_ms in pauses:
        shapes = chosen or list(TYPHA_RECORDED)[: 1 if options.quick else None]
        with_latency = [] if chosen or options.quick or pause_ms != min(_PAUSES_MS) else [_OF_LATENCY]
        for rate in sorted({rate for _, rate in shapes}):
            counts = sorted(agents for agents, each in shapes + with_latency if each == rate)
            with _cluster(rate) as simulation:
                _ours(result, simulation, counts, rate, pause_ms, seconds, runs)
                if not options.no_peers:
                    _typha(result, simulation, counts, rate, pause_ms, seconds)
        if not options.no_peers:
            for agents, rate in shapes:
                _nats(result, agents, rate, pause_ms, seconds)
    return result


def _shape(text: str) -> tuple[int, int]:
    agents, _, rate = text.partition("x")
    try:
        return int(agents), int(rate)
    except ValueError:
        raise SystemExit(f"--shape {text}: such as 1000x500, agents and changes a second") from None


@contextmanager
def _cluster(rate: int) -> Iterator[Simulation]:
    with Simulation(pods=round(_PODS * rate), churn=rate, hold=True, calico=True, only="relabel") as simulation:
        simulation.create_probe()
        yield simulation


def _ours(
    result: Result, simulation: Simulation, counts: list[int], rate: int, pause_ms: int, seconds: float, runs: int
) -> None:
    timing = {"round_pause_ms": pause_ms, "max_age_s": 0}
    with Server(simulation, built_in_feeds=[_FEED], timing=timing) as server:
        server.start()
        server.wait_ready()
        simulation.begin()
        for count in counts:
            languages = _LANGUAGES.get(pause_ms, _NATIVE)
            costs: dict[str, list[_Cost]] = {language: [] for language in languages}
            late: dict[str, list[float]] = {language: [] for language in _NATIVE}
            late_loop: list[Latency] = []
            for number in range(runs):
                for language in languages:
                    say(f"deliveries: {count} x {rate}, {pause_ms} ms, {language}, {number + 1} of {runs}")
                    alone = _cores(server, seconds / 2)
                    lag = LoopLag(server)
                    with _agents(server.port, count, language) as agents:
                        costs[language].append(_stretch(server, agents, seconds, alone))
                        if language in late:
                            stretch = measure(simulation, server, agents, seconds)
                            late[language] += [value for _, value in stretch.lag]
                        late_loop.append(lag.end())
            for language, found in costs.items():
                _add(result, language, (count, rate, pause_ms), found)
            for language, seconds_late in late.items():
                name = deliveries(language, count, rate, pause_ms, "latency p99 of the last agent")
                result.add(name, percentile(sorted(seconds_late), 0.99) * 1e3, "ms")
            add_loop_lag(result, late_loop, f"{count:,} x {rate:,}, {pause_ms} ms")


def _typha(result: Result, simulation: Simulation, counts: list[int], rate: int, pause_ms: int, seconds: float) -> None:
    binary = os.environ.get("TYPHA_GO_BINARY", "")
    if not binary:
        return
    with typha_go.TyphaGo() as peer:
        peer.start(binary, simulation)
        for count in counts:
            alone = _cores(peer, seconds / 2)
            for language, name in (("calico", "typha-go"), ("calico-snappy", "typha-go snappy")):
                with _agents(peer.port, count, language) as agents:
                    _add(result, name, (count, rate, pause_ms), [_stretch(peer, agents, seconds, alone)])


@contextmanager
def _agents(port: int, count: int, language: str) -> Iterator[Agents]:
    with Agents(port) as agents:
        topics = {"topics": [_TOPIC]} if language in _NATIVE else {"feed": _FEED}
        agents.ask("connect", count=count, language=language, **topics)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        yield agents


def _stretch(server: Child, agents: Agents, seconds: float, alone: float) -> _Cost:
    agents.ask("record")
    cpu_s, began_at = server.cpu_s(), time.monotonic()
    time.sleep(seconds)
    found = agents.ask("stop", probes=[])
    cpu_s, took_s = server.cpu_s() - cpu_s, time.monotonic() - began_at
    return _Cost(found["changes"], cpu_s, alone * took_s, found["bytes"])


def _cores(server: Child, seconds: float) -> float:
    """Used while nobody is connected."""
    time.sleep(_SETTLE_S)
    cpu_s, began_at = server.cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (server.cpu_s() - cpu_s) / (time.monotonic() - began_at)


def _add(result: Result, who: str, shape: tuple[int, int, int], costs: list[_Cost]) -> None:
    result.add(deliveries(who, *shape, PER_CPU_S), median(cost.net for cost in costs), "1/s")
    whole = median(cost.deliveries / cost.cpu_s for cost in costs)
    result.add(deliveries(who, *shape, _WHOLE), whole, "1/s")
    count, rate, pause_ms = shape
    recorded = TYPHA_RECORDED.get((count, rate))
    if recorded is not None and who in _TIMES_TYPHA and pause_ms == max(_PAUSES_MS):
        name = deliveries(who, *shape, f"whole process, {recorded.note}")
        result.add(name, whole / recorded.value, "x", at_least=_TIMES_TYPHA[who])
    sent = sum(cost.bytes for cost in costs) / max(1, sum(cost.deliveries for cost in costs))
    result.add(deliveries(who, *shape, "sent per delivery"), sent, "B")


def _nats(result: Result, agents: int, rate: int, pause_ms: int, seconds: float) -> None:
    for who, round_s in (("nats", 0.0), ("nats joined", pause_ms / 1000)):
        say(f"deliveries: {agents} x {rate}, {pause_ms} ms, {who}")
        try:
            cost = nats.measure(Shape(agents, rate, round_s=round_s, seconds=seconds))
            alone = nats.measure(Shape(0, rate, round_s=round_s, seconds=seconds))
        except PeerMissing as why:
            say(f"deliveries: {why}")
            return
        net_s = max(cost.cpu_s - alone.cpu_s * cost.seconds / max(alone.seconds, 1e-3), 1e-3)
        result.add(deliveries(who, agents, rate, pause_ms, PER_CPU_S), cost.deliveries / net_s, "1/s")
        if cost.reached_s:
            p99 = percentile(cost.reached_s, 0.99) * 1e3
            result.add(deliveries(who, agents, rate, pause_ms, "latency p99"), p99, "ms")
