"""One agent stops reading: what do the others, the server's memory, and the agent itself notice?"""

from __future__ import annotations

import argparse
from typing import Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.probing import POD_SHARE, measure
from bench.processes import Agents, Server, Simulation
from bench.report import Result, say

QUESTION: Final = "what do the others notice of an agent that stops reading for a minute?"
P99_RATIO: Final = 1.2
GROWTH_MB: Final = 5.0
_TIMEOUT_S: Final = 60.0
# Small, so that the sleeper's socket is full within seconds and not within the minute.
_RECEIVE_BUFFER_BYTES: Final = 64 * 1024
_WARM_UP_S: Final = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --rate --seconds --pods."""
    parser.add_argument("--agents", type=int, help="beside the sleeper (default 200; quick 50)")
    parser.add_argument("--rate", type=float, default=1000.0, help="changes of pods a second (default 1,000)")
    parser.add_argument("--seconds", type=float, help="of sleep (default 60; quick 10)")
    parser.add_argument("--pods", type=int, default=10_000, help="default 10,000")


def run(options: argparse.Namespace) -> Result:
    """Awake, asleep, awake: the stretch asleep against the mean of the two around it."""
    count = options.agents or (50 if options.quick else 200)
    seconds = options.seconds or (10.0 if options.quick else 60.0)
    parameters = {"agents": count, "rate": options.rate, "seconds": seconds, "pods": options.pods}
    result = Result("sleeper", parameters)
    with (
        Simulation(pods=options.pods, churn=options.rate / POD_SHARE) as simulation,
        Server(simulation) as server,
        Agents(server.port) as agents,
    ):
        server.start()
        server.wait_ready()
        simulation.create_probe()
        lag = LoopLag(server)
        agents.ask("connect", count=1, receive_buffer_bytes=_RECEIVE_BUFFER_BYTES)
        agents.ask("connect", count=count)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        measure(simulation, server, agents, _WARM_UP_S)
        say("sleeper: all awake")
        before = measure(simulation, server, agents, seconds)
        slept_at = agents.ask("sleep", agent=0)["position"]
        say(f"sleeper: one asleep for {seconds:g} s")
        during = measure(simulation, server, agents, seconds)
        lagging = server.status()["server"]["lagging"]
        newest_rv, _ = simulation.touch_probe()
        agents.ask("wake", agent=0)
        caught_up_s = agents.ask("position", rv=newest_rv, timeout_s=_TIMEOUT_S)["after_s"]
        say("sleeper: all awake again")
        after = measure(simulation, server, agents, seconds)
        awake_p99_s = (before.p99_s + after.p99_s) / 2
        result.add("others' p99 awake, before", before.p99_s * 1e3, "ms")
        result.add("others' p99 awake, after", after.p99_s * 1e3, "ms")
        result.add("others' p99 with one asleep", during.p99_s * 1e3, "ms")
        result.add("others' p99, asleep to awake", during.p99_s / awake_p99_s, "x", at_most=P99_RATIO)
        result.add("others' p50, asleep to awake", during.p50_s / ((before.p50_s + after.p50_s) / 2), "x")
        add_loop_lag(result, [lag.end()])
        result.add("server's memory, growth", during.rss_growth_bytes / 1e6, "MB", at_most=GROWTH_MB)
        result.add("server's memory, growth in the same time awake", before.rss_growth_bytes / 1e6, "MB")
        # A few seconds of changes fit the sockets' buffers.
        result.add("agents that the server holds to be behind", lagging, "", at_least=None if options.quick else 1)
        result.add("versions that the sleeper was behind", newest_rv - slept_at, "")
        result.add("sleeper at the newest state after", caught_up_s, "s")
        result.series["lag_awake_s"], result.series["lag_asleep_s"] = before.lag, during.lag
    return result
