"""What is written at the start, on a real API server with Calico's CRDs of either group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.credentials import User
from tests.corpus.cluster import Cluster
from typha.drop_in.datastore import way_to_api_server
from typha.drop_in.ensure_initialized import GROUPS, TIERS, Group, ensure_initialized, wanted_information
from typha.upstream.kubernetes_client import Configuration

Load = Callable[[], Awaitable[Configuration]]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (None, {"clusterGUID": "new", "datastoreReady": True, "clusterType": "typha,kdd"}),
        ({}, {"clusterGUID": "new", "datastoreReady": True, "clusterType": "typha,kdd"}),
        (
            {"clusterGUID": "", "clusterType": "k8s,bgp", "calicoVersion": "v3.30.0", "variant": "Calico"},
            {
                "clusterGUID": "new",
                "clusterType": "k8s,bgp,typha,kdd",
                "calicoVersion": "v3.30.0",
                "variant": "Calico",
                "datastoreReady": True,
            },
        ),
        (
            {"clusterGUID": "old", "clusterType": "kdd,k8s", "datastoreReady": False},
            {"clusterGUID": "old", "clusterType": "kdd,k8s,typha", "datastoreReady": False},
        ),
        ({"clusterGUID": "old", "clusterType": "typha,kdd", "datastoreReady": False}, None),
        ({"clusterGUID": "old", "clusterType": "typhax,typha,kdd", "datastoreReady": True}, None),
    ],
)
def test_only_what_is_missing_is_added(spec: dict[str, Any] | None, wanted: dict[str, Any] | None) -> None:
    assert wanted_information(spec, "new") == wanted


def test_what_was_read_is_not_changed() -> None:
    spec: dict[str, Any] = {"clusterType": "k8s"}
    wanted_information(spec, "new")
    assert spec == {"clusterType": "k8s"}


def load_as(control_plane: ControlPlane, user: User | None = None) -> Load:
    kubeconfig = control_plane.write_kubeconfig(user or control_plane.admin)
    return way_to_api_server({"KUBECONFIG": str(kubeconfig)})


async def initialize(load: Load) -> None:
    await asyncio.wait_for(ensure_initialized(load, random=lambda: 0.1, now=time.monotonic), 60)


@pytest.mark.e2e
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
async def test_a_bare_cluster_and_once_more(fresh_control_plane: ControlPlane, group: Group) -> None:
    control_plane, resource = fresh_control_plane, f"{group.name}/{group.version}"
    load = load_as(control_plane)
    early = asyncio.create_task(initialize(load))  # before there are any CRDs: it tries again
    await asyncio.to_thread(Cluster(control_plane).create_crds, group.name)
    await early
    rest = control_plane.rest
    information = rest.get(f"{resource}/clusterinformations", "default")
    spec = information["spec"]
    assert len(bytes.fromhex(spec.pop("clusterGUID"))) == 16
    assert spec == {"datastoreReady": True, "clusterType": "typha,kdd"}
    tiers = {tier["metadata"]["name"]: tier["spec"] for tier in rest.list(f"{resource}/tiers")["items"]}
    assert tiers == {tier.name: {"order": tier.order, "defaultAction": tier.default_action} for tier in TIERS}

    rest.patch(f"{resource}/tiers", "kube-admin", {"spec": {"order": 7}})
    rest.patch(f"{resource}/clusterinformations", "default", {"spec": {"clusterType": "k8s", "datastoreReady": False}})
    await initialize(load)
    again = rest.get(f"{resource}/clusterinformations", "default")
    assert again["spec"] | {"clusterGUID": ""} == {
        "clusterGUID": "",
        "datastoreReady": False,
        "clusterType": "k8s,typha,kdd",
    }
    assert again["metadata"]["uid"] == information["metadata"]["uid"]
    assert rest.get(f"{resource}/tiers", "kube-admin")["spec"]["order"] == 7
    await initialize(load)
    last = rest.get(f"{resource}/clusterinformations", "default")
    assert last["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


@pytest.mark.e2e
async def test_a_tier_that_may_not_be_created_is_a_warning(
    control_plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(control_plane)
    await asyncio.to_thread(cluster.create_crds)
    user = control_plane.rest.create_service_account("default", "initializes")
    verbs = ("get", "list", "create", "update")
    control_plane.rest.allow(user, "crd.projectcalico.org/v1/clusterinformations", verbs=verbs)
    await initialize(load_as(control_plane, user))
    assert [record.__dict__["tier"] for record in caplog.records if "may not be created" in record.message] == [
        tier.name for tier in TIERS
    ]
