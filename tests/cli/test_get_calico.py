"""`typha get` of Calico's topics against a server in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run
from typha_client.testing import FakeServer

V3 = "/calico/resources/v3/projectcalico.org"
WEB = {"name": "cali1", "ipv4_nets": ["10.0.0.1/32"], "ipv6_nets": None, "labels": {"app": "web"}}
DNS = {"name": "cali2", "ipv4_nets": ["10.0.0.2/32"], "ipv6_nets": None}
KEYS = {
    "web": "/calico/v1/host/n1/workload/k8s/default%2fweb/endpoint/eth0",
    "dns": "/calico/v1/host/n2/workload/k8s/kube-system%2fdns/endpoint/eth0",
}
TOPICS: Mapping[str, Mapping[str, Any]] = {
    "workloadendpoints": {KEYS["web"]: WEB, KEYS["dns"]: DNS},
    "profiles.namespaces": {
        "/calico/v1/policy/profile/kns.default/rules": {},
        "/calico/v1/policy/profile/kns.default/labels": {"pcns.a": "b"},
        f"{V3}/profiles/kns.default": {"spec": {"labelsToApply": {"pcns.a": "b"}}},
    },
    "profiles.serviceaccounts": {"/calico/v1/policy/profile/ksa.default.api/rules": {}},
    "felixconfigurations": {"/calico/v1/config/VXLANVNI": "4096", "/calico/v1/host/n1/config/VXLANVNI": "7"},
    "globalnetworkpolicies": {"/calico/v1/policy/GlobalNetworkPolicy//deny": {"tier": "default", "selector": "all()"}},
    "ippools": {"/calico/v1/ipam/v4/pool/10.0.0.0-16": {"cidr": "10.0.0.0/16"}},
    "gnp": {"mine": {"spec": {"nodeName": "n9"}}},
}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(TOPICS, filters={"workloadendpoints": {"node": "name"}}) as server:
        yield server


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_workload_endpoints_of_a_namespace_and_of_all(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "workloadendpoints", "-s", server.address).stdout) == [
        ["WORKLOAD", "NODE", "NETWORKS", "INTERFACE"],
        ["web", "n1", "10.0.0.1/32", "cali1"],
    ]
    every = rows(run("get", "workloadendpoints", "-A", "-s", server.address).stdout)
    assert every == [
        ["NAMESPACE", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE"],
        ["default", "web", "n1", "10.0.0.1/32", "cali1"],
        ["kube-system", "dns", "n2", "10.0.0.2/32", "cali2"],
    ]


def test_a_pod_is_found_by_each_of_its_names(run: Run, server: FakeServer) -> None:
    for arguments in (
        ("dns", "-n", "kube-system"),
        ("kube-system/dns",),
        ("n2-k8s-dns-eth0", "-n", "kube-system"),
        (KEYS["dns"],),
    ):
        result = run("get", "workloadendpoints", *arguments, "-o", "json", "-s", server.address)
        assert json.loads(result.stdout) == DNS, arguments
    missing = run("get", "workloadendpoints", "dns", "-s", server.address)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "error: topic workloadendpoints has no 'dns' in namespace default" in missing.stderr


def test_legacy(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "workloadendpoints", "-A", "-o", "legacy", "-s", server.address).stdout) == [
        ["HOSTNAME", "ORCHESTRATOR", "WORKLOAD", "NAME"],
        ["n1", "k8s", "default.web", "eth0"],
        ["n2", "k8s", "kube-system.dns", "eth0"],
    ]
    other = run("get", "ippools", "-o", "legacy", "-s", server.address)
    assert other.exit_code == 2
    assert "-o legacy shows workload endpoints only, not ippools" in other.stderr


def test_short_names(run: Run, server: FakeServer) -> None:
    long = run("get", "workloadendpoints", "-A", "-s", server.address).stdout
    assert run("get", "wep", "-A", "-s", server.address).stdout == long
    filtered = run("get", "wep", "-A", "-w", "workloadendpoints.node=cali2", "-s", server.address)
    assert [row[1] for row in rows(filtered.stdout)] == ["WORKLOAD", "dns"]


def test_a_topic_that_is_really_called_so_comes_first(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "gnp", "-s", server.address).stdout)[1] == ["mine", "n9"]
    assert rows(run("get", "globalnetworkpolicies", "-s", server.address).stdout)[1] == ["deny", "default"]


def test_profiles_are_one_table_of_two_topics(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "profiles", "-s", server.address).stdout) == [
        ["NAME"],
        ["kns.default"],
        ["ksa.default.api"],
    ]
    assert rows(run("get", "profiles", "kns.default", "-o", "wide", "-s", server.address).stdout) == [
        ["NAME", "LABELS"],
        ["kns.default", "pcns.a=b"],
    ]


def test_a_configurations_keys_under_its_name(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "felixconfig", "node.n1", "-s", server.address).stdout) == [
        ["NAME", "FIELD", "VALUE"],
        ["node.n1", "VXLANVNI", "7"],
    ]


def test_a_pool_by_its_network(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "ippools", "10.0.0.0/16", "-s", server.address).stdout)[1] == ["10.0.0.0-16", "10.0.0.0/16"]


def test_lists_as_json_and_yaml_have_the_keys(run: Run, server: FakeServer) -> None:
    expected = {"items": [{"key": KEYS["web"], "value": WEB}]}
    assert json.loads(run("get", "wep", "-o", "json", "-s", server.address).stdout) == expected
    assert yaml.safe_load(run("get", "wep", "-o", "yaml", "-s", server.address).stdout) == expected
    names = run("get", "workloadendpoints", "-A", "-o", "name", "-s", server.address)
    assert names.stdout.splitlines() == [f"workloadendpoints/{KEYS['web']}", f"workloadendpoints/{KEYS['dns']}"]


def test_several_entries_under_one_name_are_a_list(run: Run, server: FakeServer) -> None:
    result = run("get", "profiles", "kns.default", "-o", "json", "-s", server.address)
    assert len(json.loads(result.stdout)["items"]) == 3


def test_a_topic_that_is_not_there_is_refused_under_its_full_name(run: Run, server: FakeServer) -> None:
    result = run("get", "hep", "-s", server.address)
    assert result.exit_code == 1
    assert "no topic 'hostendpoints' here" in result.stderr
