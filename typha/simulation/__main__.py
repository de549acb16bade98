"""`python -m typha.simulation`: the simulated API server in a process of its own, for benches.

Place: outside the process that is measured. Prints one JSON line when it is ready, then serves until SIGTERM or Ctrl-C
(exit 0). `GET /simulation/statistics` answers its counters.

Invariants:
1. Nothing is read but the arguments; equal arguments give equal clusters and, change by change, equal histories.

Not taken: typha's own CLI library; whoever measures the CLI should not start it twice.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path

from typha.simulation.calico.resources import CALICO
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.serve import serve_simulation
from typha.simulation.store import Store
from typha.simulation.watches import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the simulation; returns the exit code."""
    options = _parser().parse_args(arguments)
    asyncio.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    started_at = time.perf_counter()
    store = Store(seed=options.seed, resources=(*BUILT_IN, *CALICO) if options.calico else BUILT_IN)
    cluster = Cluster(
        store,
        seed=options.seed,
        nodes=options.nodes,
        pods=options.pods,
        namespaces=options.tenants,
        calico=options.calico and not options.bare,
        bare=options.bare,
        only=options.only,
        runtime_ids=options.runtime_ids,
    )
    cluster.populate()
    gc.freeze()  # the objects stay: a full collection has nothing to find in them
    populated_s = time.perf_counter() - started_at
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    begin = asyncio.Event() if options.hold else None
    if begin is not None:
        loop.add_signal_handler(signal.SIGUSR1, begin.set)
    settings = Settings(watch_list=not options.no_watch_list)
    serving = serve_simulation(store, cluster, options.port, churn_per_s=options.churn, begin=begin, settings=settings)
    async with serving as server:
        ready: dict[str, object] = {"url": server.url, "pid": os.getpid(), "populated_s": round(populated_s, 3)}
        ready |= {"resource_version": store.resource_version, "pods": cluster.pods}
        if options.kubeconfig is not None:
            ready["kubeconfig"] = str(server.kubeconfig(options.kubeconfig))
        print(json.dumps(ready), flush=True)
        await done.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m typha.simulation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pods", type=int, default=2000, help="pods that exist at first (default 2000)")
    parser.add_argument("--nodes", type=int, default=50, help="nodes (default 50)")
    parser.add_argument("--tenants", type=int, help="namespaces beside the system's (default: one for 200 pods)")
    parser.add_argument("--calico", action="store_true", help="with Calico installed")
    parser.add_argument("--bare", action="store_true", help="pods alone: no services, no policies, nothing of Calico's")
    parser.add_argument("--runtime-ids", action="store_true", help="pods with random ids, as runtimes give them")
    parser.add_argument("--churn", type=float, default=0.0, help="changes per second (default 0: none)")
    parser.add_argument("--only", metavar="KIND", help="changes of one kind alone: relabel is one running pod's labels")
    parser.add_argument("--hold", action="store_true", help="no changes before SIGUSR1")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds, equal clusters (default 0)")
    parser.add_argument("--port", type=int, default=0, help="loopback port (default 0: a free one)")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig for the server here")
    parser.add_argument("--no-watch-list", action="store_true", help="answer 422 to sendInitialEvents")
    return parser


if __name__ == "__main__":
    sys.exit(main())
