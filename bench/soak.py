"""Does memory grow with changes? Churn of all kinds, agents that come, fall behind, wake up and go, and the slope.

1. What may grow is waited for or taken off: tombstones are few, and measured from when they are at their limit; what
   topics hold more is taken off.
2. The slope is of bytes over changes, not over seconds: a leak is what one more change leaves behind. Its points are
   the least of each wave of agents: what a wave needs for a while is no leak.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.processes import Agents, Server, Simulation
from bench.report import Result, say, slope

QUESTION: Final = "does the server's memory grow with changes, and with agents that come, fall behind and go?"
# Every change makes several objects of 50 B or more: a leak of one for every fifth change shows. Beside it stands what
# the process's size wavers by: 2 MB over 600,000 changes.
LEAK_BYTES: Final = 10_000.0
_FEED: Final = "felix"
# Within the warm-up each pod is replaced twice: its entry may be of another size then, and share less.
_CHANGES_PER_S: Final = 1_500.0
_LANGUAGES: Final = ("native", "calico-snappy")
# Pods reach it within the warm-up; fewer, and those who fall behind would read snapshots again and again.
_TOMBSTONES: Final = 5_000
# After 60 s the process still grew by 10 MB in the next 30, whatever came later.
_WARM_UP_S: Final = 180.0
_ASLEEP_S: Final = 3
_AWAKE_S: Final = 2
# The server gives memory back 3 s after the last time at the soonest (typha/heap.py).
_REST_S: Final = 5
# Of each language. They are not what is measured: each is sent every change of the feed, 10 KB blocks among them.
_STAY: Final = 2
_COME: Final = 4
# On a machine that has other work, too.
_TIMEOUT_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment: process size, bytes of keys and values in it, changes so far."""

    at_s: float
    rss_bytes: int
    value_bytes: int
    changes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --rate --seconds --warm-up."""
    parser.add_argument("--pods", type=int, help="default 20,000; quick 2,000")
    parser.add_argument("--rate", type=float, help="changes a second of all kinds (default 1,500; quick 300)")
    parser.add_argument("--seconds", type=float, help="measured for so long (default 400; quick 20)")
    parser.add_argument("--warm-up", type=float, help="seconds before (default 180; quick 20)")


def run(options: argparse.Namespace) -> Result:
    """The goal is on the slope, but not in a quick run, which is shorter than the wavering."""
    pods = options.pods or (2_000 if options.quick else 20_000)
    rate = options.rate or (300.0 if options.quick else _CHANGES_PER_S)
    seconds = options.seconds or (20.0 if options.quick else 400.0)
    warm_up_s = options.warm_up or (20.0 if options.quick else _WARM_UP_S)
    result = Result("soak", {"pods": pods, "rate": rate, "seconds": seconds, "warm_up_s": warm_up_s, "feed": _FEED})
    with (
        Simulation(pods=pods, churn=rate, hold=True, calico=True) as simulation,
        Server(simulation, built_in_feeds=[_FEED], tombstones=_TOMBSTONES) as server,
        Agents(server.port) as staying,
        Agents(server.port) as coming,
    ):
        server.start()
        server.wait_ready()
        for language in _LANGUAGES:
            staying.ask("connect", count=_STAY, language=language, feed=_FEED)
        staying.ask("synced", timeout_s=_TIMEOUT_S)
        simulation.begin()
        say(f"soak: {warm_up_s:g} s of warm-up, {rate:g} changes a second asked for")
        _soak(server, coming, warm_up_s)
        say(f"soak: {seconds:g} s")
        waves = _soak(server, coming, seconds)
    add_growth(result, waves, at_most=None if options.quick else LEAK_BYTES)
    result.add("agents that came and went", len(waves) * _COME * len(_LANGUAGES), "")
    result.series["rss_mb"] = [[each.at_s, each.rss_bytes / 1e6] for wave in waves for each in wave]
    return result


def add_growth(result: Result, waves: Sequence[Sequence[Sample]], at_most: float | None) -> None:
    """What another 1,000 changes leave in the process beside keys and values, and the figures that it is made of."""
    samples = [sample for wave in waves for sample in wave]
    least = [min(wave, key=lambda each: each.rss_bytes) for wave in waves]
    first, last = least[0], least[-1]
    changes = last.changes - first.changes
    grown = [[each.changes / 1000, each.rss_bytes - each.value_bytes] for each in least]
    result.add("growth for 1,000 changes", slope(grown), "B", at_most=at_most)
    result.add("changes", changes, "")
    result.add("changes a second", changes / (last.at_s - first.at_s), "1/s")
    result.add("whole process, first wave's least", first.rss_bytes / 1e6, "MB")
    result.add("whole process, last wave's least", last.rss_bytes / 1e6, "MB")
    result.add("whole process, most", max(each.rss_bytes for each in samples) / 1e6, "MB")
    result.add("keys and values, last", last.value_bytes / 1e6, "MB")


def _soak(server: Server, agents: Agents, seconds: float) -> list[list[Sample]]:
    """Waves of agents for so long; the samples of each, one a second."""
    began_at = time.monotonic()
    waves: list[list[Sample]] = []
    while time.monotonic() - began_at < seconds:
        for language in _LANGUAGES:
            agents.ask("connect", count=_COME, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        agents.ask("sleep", agent=0)
        agents.ask("sleep", agent=_COME)
        samples = [_sample(server, began_at) for _ in _each_second(_ASLEEP_S)]
        agents.ask("wake", agent=0)  # the other goes in its sleep
        samples += [_sample(server, began_at) for _ in _each_second(_AWAKE_S)]
        agents.ask("drop")
        samples += [_sample(server, began_at) for _ in _each_second(_REST_S)]
        waves.append(samples)
    return waves


def _each_second(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(1.0)
        yield number


def _sample(server: Server, began_at: float) -> Sample:
    status = server.status()
    return Sample(
        at_s=time.monotonic() - began_at,
        rss_bytes=server.rss_bytes(),
        value_bytes=sum(topic["value_bytes"] for topic in status["topics"]),
        changes=sum(each["events_total"] for each in status["upstream"]["reflectors"]),
    )
