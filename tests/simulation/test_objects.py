"""Objects: addresses and the fields that converters read."""

from __future__ import annotations

from typha.simulation import objects
from typha.simulation.objects import Endpoint


def test_addresses() -> None:
    assert objects.node_ip(0) == "172.16.0.1"
    assert objects.pod_ip(1, 0, 256) == "10.0.1.2"
    assert objects.pod_ip(3, 10, 1024) == "10.0.12.12"


def test_node_owns_its_block() -> None:
    assert objects.node(3, "n", 1024, "now")["spec"]["podCIDR"] == "10.0.12.0/22"


def test_a_heartbeat_changes_the_status_alone() -> None:
    first, second = objects.node(1, "n", 256, "then"), objects.node(1, "n", 256, "now")
    assert first != second
    assert {**first, "status": None} == {**second, "status": None}


def test_endpoint_slice_names_its_service() -> None:
    made = objects.endpoint_slice("shop", "web", [Endpoint("10.0.0.2", "n1", "web-1", "uid")])
    assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert made["endpoints"][0]["targetRef"]["name"] == "web-1"


def test_revisions_change_namespaces_and_policies() -> None:
    assert objects.namespace("a", 1) != objects.namespace("a", 2)
    assert objects.network_policy("a", 1) != objects.network_policy("a", 2)
