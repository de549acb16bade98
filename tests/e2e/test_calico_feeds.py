"""The built-in feeds on a real API server: the corpus applied and dumped; one watch a resource; CRDs come and go."""

from __future__ import annotations

import asyncio
import time
from asyncio import to_thread
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.controlplane.controlplane import ControlPlane
from tests.corpus.cluster import SERVICE_RANGE_FLAG, Cluster
from tests.corpus.crds import calico_kinds, definition
from tests.corpus.resources import CALICO_CRD, CALICO_V3, KINDS
from tests.e2e.calico import Batch, batches, drawn, dumped, keys_of_made_namespaces, wrong, wrongly_quarantined
from tests.e2e.house import WAIT_S, House
from tests.e2e.typha_process import TyphaProcess
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.calico import calico_feeds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

USE_POD_CIDR = {"calico": {"use_pod_cidr": True}}


@pytest.fixture(scope="module")
def calico_plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """With the kinds of the group crd.projectcalico.org. (`control_plane` is there for its build.)"""
    with ControlPlane(SERVICE_RANGE_FLAG) as own:
        Cluster(own).create_crds()
        yield own


@pytest_asyncio.fixture
async def calico_house(calico_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[House]:
    house = House(calico_plane, tmp_path)
    try:
        yield house
    finally:
        await house.free()
    house.check()


async def serve(house: House, config: dict[str, Any] | None = None, *, ready: bool = True) -> TyphaProcess:
    """A server with the built-in feeds and nothing else."""
    name = f"typha-{len(house.servers)}"
    server = TyphaProcess(name, house.control_plane.folder, house.control_plane.kubeconfig, config or {})
    house.servers.append(server)
    await to_thread(server.start, ready=ready)
    return server


async def dump_all(house: House, server: TyphaProcess) -> list[Any]:
    """All topics of all feeds, each once."""
    lines = {}
    for feed in BUILT_IN_FEEDS:
        for line in await house.dump(server, "--feed", feed):
            lines[line["topic"], line["key"]] = line
    return list(lines.values())


async def wait_held(
    house: House, server: TyphaProcess, cluster: Cluster, batch: Batch, before: set[tuple[str, str]]
) -> None:
    """Until the server holds exactly the batch's lines."""
    topics = tuple(calico_feeds(use_pod_cidr=batch.use_pod_cidr).topics)
    expected, quarantined = batch.expected(topics), batch.quarantined(topics)
    of_server = await to_thread(drawn, house.rest, batch.cases)
    tolerated = before | keys_of_made_namespaces(cluster)
    deadline = time.monotonic() + WAIT_S
    while True:
        text = wrong(dumped(await dump_all(house, server), of_server), expected, tolerated)
        if not text:
            text = wrongly_quarantined(await to_thread(server.status), quarantined)
        if not text:
            return
        assert time.monotonic() < deadline, f"{batch.files}: {text}"
        await asyncio.sleep(0.2)


async def check_corpus(house: House, other_group: str) -> int:
    """Applies the corpus batch by batch and compares; the number of objects."""
    servers: dict[bool, TyphaProcess] = {}
    count = 0
    for batch in await to_thread(batches, other_group):
        if batch.use_pod_cidr not in servers:
            servers[batch.use_pod_cidr] = await serve(house, USE_POD_CIDR if batch.use_pod_cidr else {})
        server = servers[batch.use_pod_cidr]
        before = {(line["topic"], line["key"]) for line in await dump_all(house, server)}
        cluster = Cluster(house.control_plane)
        try:
            await to_thread(cluster.apply, batch.cases)
            await wait_held(house, server, cluster, batch, before)
        finally:
            await to_thread(cluster.remove)
        count += len(batch.cases)
    return count


async def test_feeds_hold_the_whole_corpus(calico_house: House) -> None:
    assert await check_corpus(calico_house, CALICO_V3) > 0


async def test_calico_kinds_served_natively(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Group projectcalico.org instead of crd.projectcalico.org: only cases of the former, and of Kubernetes."""
    only = [
        batch
        for batch in await to_thread(batches, CALICO_CRD)
        if any(case.kind.group == CALICO_V3 for case in batch.cases)
    ]
    assert only
    with ControlPlane(SERVICE_RANGE_FLAG) as own:
        await to_thread(Cluster(own).create_crds, CALICO_V3)
        house = House(own, tmp_path)
        try:
            server = await serve(house)
            for batch in only:
                before = {(line["topic"], line["key"]) for line in await dump_all(house, server)}
                cluster = Cluster(own)
                await to_thread(cluster.apply, batch.cases)
                await wait_held(house, server, cluster, batch, before)
                await to_thread(cluster.remove)
        finally:
            await house.free()
        house.check()


def watches(control_plane: ControlPlane) -> Counter[str]:
    """Open watches by `group/resource`, as the API server counts them."""
    found: Counter[str] = Counter()
    with control_plane.rest._answer("GET", "/metrics", {}, None, {}) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("apiserver_longrunning_requests{"):
                labels, _, number = line.removeprefix("apiserver_longrunning_requests{").partition("} ")
                named = dict(label.split("=", 1) for label in labels.split(","))
                if named["verb"].strip('"') == "WATCH":
                    found[f"{named['group']}/{named['resource']}".replace('"', "")] += int(float(number))
    return found


async def test_one_watch_a_resource_and_nothing_written(calico_house: House) -> None:
    own = calico_house.control_plane
    before = await to_thread(watches, own)
    await serve(calico_house)
    wanted = Counter({f"{s.resource.group}/{s.resource.plural}": 1 for s in calico_feeds().sources()})
    assert set(wanted.values()) == {1}
    await calico_house.wait_page("one watch each", lambda: watches(own) - before == wanted)
    assert not before - watches(own)
    # Calico's own server writes ClusterInformation and three tiers here.
    for kind in calico_kinds():
        assert (await to_thread(own.list_json, kind.resource))["items"] == []


async def test_crds_come_go_and_come_again(fresh_house: House) -> None:
    house, rest = fresh_house, fresh_house.rest
    server = await serve(house, ready=False)
    pools = definition(KINDS["crd.projectcalico.org/v1", "IPPool"])
    await house.wait_page("it is ready without Calico's kinds", lambda: bool(server.status()["ready"]))
    states = {topic["name"]: topic["state"] for topic in await to_thread(lambda: server.status()["topics"])}
    assert states["ippools"] == states["livemigrations"] == "absent"
    assert states["workloadendpoints"] == states["nodes"] == "in_sync"

    async def pool_keys() -> list[str]:
        return [line["key"] for line in await house.dump(server, "--topic", "ippools")]

    async def wait_pools(keys: list[str]) -> None:
        deadline = time.monotonic() + WAIT_S
        while (found := await pool_keys()) != keys:
            assert time.monotonic() < deadline, f"pools are {found}, should be {keys}\n{house.describe()}"

    def create(name: str, cidr: str) -> None:
        body = {"apiVersion": "crd.projectcalico.org/v1", "kind": "IPPool", "metadata": {"name": name}}
        rest.create("crd.projectcalico.org/v1/ippools", {**body, "spec": {"cidr": cidr}})

    await to_thread(Cluster(house.control_plane).create_crds)
    await to_thread(create, "first", "10.0.0.0/16")
    await wait_pools(["/calico/v1/ipam/v4/pool/10.0.0.0-16"])
    await house.wait_page(
        "all topics are in sync", lambda: {topic["state"] for topic in server.status()["topics"]} == {"in_sync"}
    )
    await to_thread(rest.delete_crd, "crd.projectcalico.org", "ippools")
    await wait_pools([])
    await house.wait_page("pools are absent", lambda: bool(server.topic("ippools")["state"] == "absent"))
    await to_thread(rest.create, "apiextensions.k8s.io/v1/customresourcedefinitions", pools)
    await house.wait_page("the kind is served again", lambda: rest.is_served("crd.projectcalico.org/v1/ippools"))
    await to_thread(create, "second", "10.1.0.0/16")
    await wait_pools(["/calico/v1/ipam/v4/pool/10.1.0.0-16"])
