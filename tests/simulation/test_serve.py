"""Serving: in this process, again after a stop, and in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.simulation.api_client import PODS, WATCH_LIST, Client, pod
from typha.simulation.cluster import Cluster
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store


async def test_restart_on_the_same_port(store: Store, server: SimulationServer, client: Client) -> None:
    store.create("pods", pod("a"))
    url = server.url
    async with client.watch(resourceVersion="2") as watch:
        await server.stop()
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await watch.line()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(PODS)
    await server.start()
    assert server.url == url
    assert (await client.list_all())[1] == "2"


async def test_silent_requests_do_not_hold_the_end(store: Store) -> None:
    async with serve_simulation(store) as server, aiohttp.ClientSession(server.url) as session:
        arrived = asyncio.Semaphore(0)
        server.faults.on_request(arrived.release, times=2)
        server.faults.silence(resource="pods")
        server.faults.freeze("nodes")
        waiting = [asyncio.create_task(Client(session).get(path)) for path in (PODS, "/api/v1/nodes")]
        for _ in waiting:
            await arrived.acquire()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, aiohttp.ClientError) for each in results)


async def test_a_connection_that_comes_at_the_end_is_closed_too(store: Store) -> None:
    async with serve_simulation(store) as server, aiohttp.ClientSession(server.url) as session:
        waiting = asyncio.create_task(Client(session).get(PODS))
        await asyncio.sleep(0)
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_taken_port_is_an_error(server: SimulationServer, store: Store) -> None:
    with pytest.raises(OSError, match="in use"):
        async with serve_simulation(store, port=server.port):
            pass


async def test_churn_runs_while_the_block_does() -> None:
    store = Store()
    cluster = Cluster(store, nodes=2, pods=20)
    cluster.populate()
    async with (
        serve_simulation(store, cluster, churn_per_s=500) as server,
        aiohttp.ClientSession(server.url) as session,
    ):
        async with Client(session).watch(resourceVersion=store.resource_version) as watch:
            kinds = {(await watch.next())[0] for _ in range(60)}
        assert kinds == {"ADDED", "MODIFIED", "DELETED"}
    changes = cluster.changes
    await asyncio.sleep(0.01)
    assert cluster.changes == changes


async def test_watch_list_of_a_living_cluster_equals_it() -> None:
    """A replica fed by WatchList and events is the store's state at the rv of each bookmark."""
    store = Store(seed=4)
    cluster = Cluster(store, seed=4, nodes=2, pods=50)
    cluster.populate()
    async with serve_simulation(store) as server, aiohttp.ClientSession(server.url) as session:
        async with Client(session).watch(**WATCH_LIST) as watch:
            events, rv = await watch.initial()
            for _ in range(300):
                cluster.step()
            wanted = len(store.history("pods", int(rv)))
            events += [await watch.next() for _ in range(wanted)]
        replica = {}
        for kind, obj in events:
            replica[obj["metadata"]["name"]] = None if kind == "DELETED" else obj["metadata"]["resourceVersion"]
        items, _ = await Client(session).list_all(limit=7)
    truth = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}
    assert {name: rv for name, rv in replica.items() if rv} == truth


async def test_a_process_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    arguments = ["--pods", "30", "--nodes", "3", "--churn", "100", "--seed", "5", "--kubeconfig", str(config)]
    arguments += ["--calico", "--tenants", "7", "--hold"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "typha.simulation", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    async with aiohttp.ClientSession(ready["url"]) as session:
        items, _ = await Client(session).list_all()
        assert len(items) == 30
        sets, _ = await Client(session).list_all("/apis/crd.projectcalico.org/v1/networksets")
        assert len(sets) == 7
        code, counted = await Client(session).get("/simulation/statistics")
        assert (code, counted["requests"]["list pods"]) == (200, 1)
        assert counted["resource_version"] == ready["resource_version"]
        process.send_signal(signal.SIGUSR1)
        while counted["resource_version"] == ready["resource_version"]:
            _, counted = await Client(session).get("/simulation/statistics")
    assert json.loads(config.read_text())["clusters"][0]["cluster"]["server"] == ready["url"]
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_changes_begin_when_they_are_told_to() -> None:
    store = Store()
    cluster = Cluster(store, nodes=1, pods=5)
    cluster.populate()
    begin, changed = asyncio.Event(), asyncio.Event()
    store.subscribe(lambda _table: changed.set())
    async with serve_simulation(store, cluster, churn_per_s=1000, begin=begin):
        for _ in range(3):
            await asyncio.sleep(0)
        assert cluster.changes == 0
        begin.set()
        await changed.wait()
