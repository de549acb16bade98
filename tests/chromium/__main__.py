"""`python -m tests.chromium FOLDER`: pictures of the status page, wide and narrow, light and dark.

A simulated cluster with Calico, two servers, agents, an object that cannot be converted, and a right that was withdrawn
and given back: a page with something to see on it. `page.png` is the one in the README.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.chromium.find import ChromiumError, find_or_install
from tests.chromium.window import window
from tests.e2e.typha_process import TyphaProcess
from typha.simulation.calico.resources import CALICO
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store
from typha_client import connect

PODS, NODES, CHURN_PER_S, REPLICAS = 3000, 60, 25.0, 2
# Longer than an outage must last for a picture that is made once a second.
OUTAGE_S: Final = 5.0


class Shot(NamedTuple):
    """One picture. ``height`` 0: the whole page."""

    name: str
    width: int
    height: int
    scheme: str


SHOTS: Final = (
    Shot("page", 1440, 960, "light"),
    Shot("page-dark", 1440, 960, "dark"),
    Shot("page-whole", 1440, 0, "light"),
    Shot("page-narrow", 360, 0, "light"),
    Shot("page-narrow-dark", 360, 0, "dark"),
)


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where there is no browser."""
    parser = argparse.ArgumentParser(prog="python -m tests.chromium", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--only", action="append", choices=[shot.name for shot in SHOTS], help="these, not all")
    parser.add_argument("--seconds", type=float, default=60.0, help="of history on the charts (default 60)")
    parser.add_argument("--agents", type=int, default=NODES, help=f"that are connected (default {NODES})")
    options = parser.parse_args(arguments)
    try:
        chromium = find_or_install(lambda text: print(text, file=sys.stderr))
    except ChromiumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    logging.getLogger("typha_client").setLevel(logging.ERROR)  # agents are moved between the two: no news here
    options.folder.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not options.only or shot.name in options.only]
    asyncio.run(_run(chromium, options.folder, shots, seconds=options.seconds, agents=options.agents))
    return 0


async def _run(chromium: Path, folder: Path, shots: Sequence[Shot], *, seconds: float, agents: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with _cluster() as api_server, contextlib.AsyncExitStack() as stack:
            kubeconfig = api_server.kubeconfig(Path(scratch) / "kubeconfig")
            servers = [
                TyphaProcess(f"typha-{number}", Path(scratch), kubeconfig, {}, verify=False)
                for number in range(REPLICAS)
            ]
            addresses = [server.address for server in servers]
            for server in servers:
                server.config |= {"advertise": addresses, "replicas": {"interval_s": 1}}
                stack.callback(server.kill)
                await asyncio.to_thread(server.start)
            crowd = asyncio.gather(*(_agent(addresses, f"node-{number:04d}") for number in range(agents)))
            stack.callback(crowd.cancel)
            await asyncio.sleep(seconds / 2)
            await _outage(api_server)
            await asyncio.sleep(seconds / 2)
            for shot in shots:
                await _shoot(chromium, servers[0].admin_url, folder, shot)
            crowd.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await crowd


@contextlib.asynccontextmanager
async def _cluster() -> AsyncIterator[SimulationServer]:
    store = Store(seed=0, resources=(*BUILT_IN, *CALICO))
    cluster = Cluster(store, seed=0, nodes=NODES, pods=PODS, calico=True)
    cluster.populate()
    policy = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "default.allow-checkout"},
        "spec": {"selector": "app ==", "types": ["Ingress"]},
    }
    store.create("globalnetworkpolicies", policy)
    async with serve_simulation(store, cluster, churn_per_s=CHURN_PER_S) as server:
        yield server


async def _agent(addresses: list[str], node: str) -> None:
    where = {"workloadendpoints": {"node": node}}
    async with connect(addresses, feed="felix", where=where, node=node):
        await asyncio.Event().wait()


async def _outage(server: SimulationServer) -> None:
    """A right is withdrawn, and given back."""
    server.faults.forbid("endpointslices")
    server.faults.cut_open("reset", resource="endpointslices")
    await asyncio.sleep(OUTAGE_S)
    server.faults.allow("endpointslices")


async def _shoot(chromium: Path, url: str, folder: Path, shot: Shot) -> None:
    async with window(chromium, width=shot.width, height=shot.height or 900, scheme=shot.scheme) as one:
        await one.open(url)
        await one.page.locator("#subscribers-table tbody tr").first.wait_for()
        await one.page.locator("#search-tables tbody tr").first.wait_for()
        await asyncio.sleep(1.5)  # a second picture: rates of subscribers come from two
        path = folder / f"{shot.name}.png"
        await one.page.screenshot(path=path, full_page=not shot.height)
        print(path)
        for complaint in one.complaints:
            print(f"  the browser says: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
