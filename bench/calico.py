"""Calico's language beside our own: joins and memory, of the feed `felix`, in one server (``deliveries`` has the rest).

Where ``TYPHA_GO_BINARY`` names Calico's Typha, it is measured after that: the same agents, cluster and figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.peers import PeerMissing, typha_go
from bench.peers.typha_go import TyphaGo
from bench.processes import Agents, Child, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "what do Calico's own agents cost beside native ones: joins of 10,000 pods, memory of each?"
LANGUAGES: Final = ("native", "calico", "calico-snappy")
_FEED: Final = "felix"
# What the agents hold whose memory is measured.
_PODS: Final = 1000
JOIN_CPU_S: Final = 3.0
AGENT_BYTES: Final = 10_000.0
_SETTLE_S: Final = 2.0
_TIMEOUT_S: Final = 300.0
# As many joiners as read a snapshot at a time: the slices that they share are in memory then.
_WARM_UP: Final = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --joiners --pods."""
    parser.add_argument("--agents", type=int, help="whose memory is measured (default 1,000; quick 100)")
    parser.add_argument("--joiners", type=int, help="that come at once (default 1,000; quick 100)")
    parser.add_argument("--pods", type=int, help="that joiners read (default 10,000; quick 1,000)")


def run(options: argparse.Namespace) -> Result:
    """One server; one language after the other joins, gets changes, and leaves."""
    count = options.agents or (100 if options.quick else 1000)
    joiners = options.joiners or (100 if options.quick else 1000)
    pods = options.pods or (1000 if options.quick else 10_000)
    parameters = {
        "agents": count,
        "joiners": joiners,
        "pods": pods,
    }
    result = Result("calico", parameters)
    try:
        binary = typha_go.binary()
    except PeerMissing as why:
        say(f"calico: {why}")
        binary = ""
    for each in ("", binary) if binary else ("",):
        languages = LANGUAGES[1:] if each else LANGUAGES
        with _serving(each, pods) as (server, port):
            for language in languages:
                _measure_join(result, server, port, language, joiners)
        for language in languages:
            # A server each: agents take the memory that those before them gave back.
            with _serving(each, _PODS) as (server, port):
                _measure_memory(result, server, port, language, count)
    return result


@contextmanager
def _serving(binary: str, pods: int) -> Iterator[tuple[Child, int]]:
    """A cluster at rest, and a server on it: ours, or the peer's ``binary``."""
    with Simulation(pods=pods, calico=True) as simulation:
        if binary:
            with TyphaGo() as peer:
                peer.start(binary, simulation)
                yield peer, peer.port
        else:
            with Server(simulation, built_in_feeds=[_FEED], timing={"max_age_s": 0}) as server:
                server.start()
                server.wait_ready()
                yield server, server.port


def _measure_join(result: Result, server: Child, port: int, language: str, count: int) -> None:
    name = language if isinstance(server, Server) else f"peer, {language}"
    say(f"calico: {count} agents join, {name}")
    with Agents(port) as agents:
        lag = LoopLag(server) if isinstance(server, Server) else None
        agents.ask("connect", count=1, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)  # builds the view, and what all share
        time.sleep(_SETTLE_S)
        cpu_s = server.cpu_s()
        agents.ask("connect", count=count, language=language, feed=_FEED)
        found = agents.ask("synced", timeout_s=_TIMEOUT_S)
        cpu_s = server.cpu_s() - cpu_s
        if lag is not None:
            add_loop_lag(result, [lag.end()], f"{name}, joins")
    goal = JOIN_CPU_S * count / 1000 if name == "calico-snappy" else None
    result.add(f"{name}: all joined, server's CPU", cpu_s, "s", at_most=goal)
    result.add(f"{name}: all joined after", found["all_s"], "s")
    result.add(f"{name}: sent to each", found["bytes"] / (count + 1) / 1e6, "MB")
    time.sleep(_SETTLE_S)


def _measure_memory(result: Result, server: Child, port: int, language: str, count: int) -> None:
    name = language if isinstance(server, Server) else f"peer, {language}"
    say(f"calico: memory of {count} agents, {name}")
    with Agents(port) as agents:
        agents.ask("connect", count=_WARM_UP, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        rss = server.rss_bytes()
        agents.ask("connect", count=count, language=language, feed=_FEED)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        each = (server.rss_bytes() - rss) / count
    goal = AGENT_BYTES if name in LANGUAGES[1:] else None
    result.add(f"{name}: memory of each", each, "B", at_most=goal)
