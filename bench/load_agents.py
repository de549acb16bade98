"""The load client against a server of one's own: a cluster's, or one that a bench has not started.

What it can know from outside: when agents were in sync, what they got, how far the last agent was behind the first with
the same bytes, and how old the server said its data was. CPU and memory are the server's own metrics.
"""

from __future__ import annotations

import argparse
import time
from typing import Final

from bench.processes import Agents, BenchError
from bench.report import Result, percentile, print_results, say

QUESTION: Final = "what do N agents get from a server that runs already (--server HOST:PORT, plain TCP)?"
_TIMEOUT_S: Final = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--server --agents --feed --topics --language --seconds."""
    parser.add_argument("--server", required=True, metavar="HOST:PORT", help="where it serves agents")
    parser.add_argument("--agents", type=int, default=500, help="that join at once (default 500)")
    parser.add_argument("--feed", default="", help="that they ask for, such as felix")
    parser.add_argument("--topics", nargs="+", default=["pods"], help="instead of a feed (default pods)")
    parser.add_argument("--language", choices=("native", "calico", "calico-snappy"), default="native")
    parser.add_argument("--seconds", type=float, default=30.0, help="that they read (default 30)")


def run(options: argparse.Namespace) -> int:
    """0; 1 where the server does not serve them. Figures are kept in ``load_agents.local.json``."""
    host, _, port = options.server.rpartition(":")
    if not host or not port.isdecimal():
        say(f"load_agents: --server is HOST:PORT, not {options.server!r}")
        return 2
    try:
        result = measure(host.strip("[]"), int(port), options)
    except BenchError as error:
        say(f"load_agents: {error}")
        return 1
    say(f"load_agents: written to {result.save(is_quick=True)}")
    print_results([result])
    return 0


def measure(host: str, port: int, options: argparse.Namespace) -> Result:
    """Join, read for a while, leave. Raises BenchError."""
    asked = {"feed": options.feed} if options.feed else {"topics": options.topics}
    parameters = {"server": options.server, "agents": options.agents, "language": options.language, **asked}
    result = Result("load_agents", parameters | {"seconds": options.seconds})
    with Agents(port, host=host) as agents:
        say(f"load_agents: {options.agents} agents join {options.server}")
        agents.ask("connect", count=options.agents, language=options.language, **asked)
        joined = agents.ask("synced", timeout_s=_TIMEOUT_S)
        result.add("first in sync", joined["first_s"], "s")
        result.add("half of them in sync", joined["median_s"], "s")
        result.add("all in sync", joined["all_s"], "s")
        result.add("sent to each until then", joined["bytes"] / options.agents / 1e6, "MB")
        say(f"load_agents: all in sync, {options.seconds:g} s of changes")
        agents.ask("record")
        cpu_s, began_at = agents.cpu_s(), time.monotonic()
        time.sleep(options.seconds)
        found = agents.ask("stop", probes=[])
        cpu_s, took_s = agents.cpu_s() - cpu_s, time.monotonic() - began_at
        arrivals = agents.ask("arrivals")
    result.add("changes that each agent got", found["changes_of_one"] / took_s, "1/s")
    result.add("deliveries", found["changes"] / took_s, "1/s")
    result.add("frames to each agent", found["frames"] / options.agents / took_s, "1/s")
    result.add("sent per delivery", found["bytes"] / max(1, found["changes"]), "B")
    if arrivals["after_s"]:
        for name, share in (("p50", 0.5), ("p99", 0.99), ("last", 1.0)):
            result.add(f"behind the first agent with the same bytes, {name}", 1e3 * _of(arrivals, share), "ms")
    if arrivals["ages_ms"]:
        result.add("age of the data in Bookmarks, p50", percentile(arrivals["ages_ms"], 0.5), "ms")
        result.add("age of the data in Bookmarks, most", arrivals["ages_ms"][-1], "ms")
    # Near 100: this client is what is slow.
    result.add("CPU of this load client", 100 * cpu_s / took_s, "%")
    return result


def _of(arrivals: dict[str, list[float]], share: float) -> float:
    return percentile(arrivals["after_s"], share)
