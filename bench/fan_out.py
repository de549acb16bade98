"""Do the agents keep up with the changes, how late are they, and what does a delivery cost the server?"""

from __future__ import annotations

import argparse
import time
from typing import Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.probing import POD_SHARE, measure
from bench.processes import Agents, Server, Simulation
from bench.report import Result, quantiles, say

QUESTION: Final = "do 1,000 agents keep up with 1,000 changes a second, how late are they, what does a delivery cost?"
# Of lag per second: a tenth of a second in ten is noise of the machine, a backlog grows by more than that in one.
LAG_SLOPE_MS_PER_S: Final = 10.0
_CONNECT_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --rate --seconds --pods."""
    parser.add_argument("--agents", type=int, help="default 1,000; quick 200")
    parser.add_argument("--rate", type=float, default=1000.0, help="changes of pods a second (default 1,000)")
    parser.add_argument("--seconds", type=float, help="measured for so long (default 30; quick 6)")
    parser.add_argument("--pods", type=int, default=10_000, help="default 10,000")


def run(options: argparse.Namespace) -> Result:
    """One server: first without agents, then with all of them."""
    count = options.agents or (200 if options.quick else 1000)
    seconds = options.seconds or (6.0 if options.quick else 30.0)
    parameters = {"agents": count, "rate": options.rate, "seconds": seconds, "pods": options.pods}
    result = Result("fan_out", parameters)
    with (
        Simulation(pods=options.pods, churn=options.rate / POD_SHARE) as simulation,
        Server(simulation) as server,
    ):
        server.start()
        server.wait_ready()
        simulation.create_probe()
        say("fan_out: without agents")
        cpu_before_s, began_at = server.cpu_s(), time.monotonic()
        time.sleep(seconds / 2)
        alone = (server.cpu_s() - cpu_before_s) / (time.monotonic() - began_at)
        lag = LoopLag(server)
        with Agents(server.port) as agents:
            agents.ask("connect", count=count)
            agents.ask("synced", timeout_s=_CONNECT_TIMEOUT_S)
            say(f"fan_out: {count} agents are in sync")
            stretch = measure(simulation, server, agents, seconds)
            agents_cpu = agents.cpu_s()
            late_loop = lag.end()
        net_cpu_s = stretch.server_cpu_s - alone * stretch.seconds
        result.add("changes at the API server, all resources", stretch.versions_per_s, "1/s")
        result.add("changes that each agent got", stretch.changes_per_s, "1/s")
        result.add("latency p50, all agents", stretch.p50_s * 1e3, "ms")
        result.add("latency p99, all agents", stretch.p99_s * 1e3, "ms")
        late = sorted(value for _, value in stretch.lag)
        result.add("slowest agent, worst", late[-1] * 1e3, "ms")
        result.add("slowest agent, growth", stretch.lag_slope * 1e3, "ms/s", at_most=LAG_SLOPE_MS_PER_S)
        add_loop_lag(result, [late_loop])
        result.add("deliveries", stretch.changes / stretch.seconds, "1/s")
        result.add("deliveries per CPU-second of the server", stretch.changes / stretch.server_cpu_s, "1/s")
        result.add("deliveries per CPU-second, net of 0 agents", stretch.changes / max(net_cpu_s, 1e-3), "1/s")
        result.add("sent per delivery", stretch.bytes / stretch.changes, "B")
        result.add("frames to each agent", stretch.frames / count / stretch.seconds, "1/s")
        result.add("server's CPU", 100 * stretch.server_cpu_s / stretch.seconds, "%")
        result.add("server's CPU without agents", 100 * alone, "%")
        result.add("agents' CPU, connecting included", agents_cpu, "s")
        result.add("server's memory", server.rss_bytes() / 1e6, "MB")
        result.add("agents that fell back to their cursor", server.status()["server"]["lagging"], "")
        result.series["lag_of_the_slowest_s"] = stretch.lag
        result.series["latency_ms_by_share"] = [[share, late * 1e3] for share, late in quantiles(stretch.reached_s)]
    return result
