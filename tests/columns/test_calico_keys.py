"""What a Calico key says, and what calicoctl's names mean."""

from __future__ import annotations

import pytest

from typha.columns.calico_keys import TOPICS, is_namespaced, place_of, v3_name

V3 = "/calico/resources/v3/projectcalico.org"


@pytest.mark.parametrize(
    ("key", "layout", "namespace", "name", "node"),
    [
        ("/calico/v1/host/n1/workload/k8s/prod%2fweb-0/endpoint/eth0", "workloadendpoint", "prod", "web-0", "n1"),
        ("/calico/v1/host/n1/endpoint/eth1-of-n1", "hostendpoint", "", "eth1-of-n1", "n1"),
        ("/calico/v1/host/n1/config/IpInIpMtu", "configuration", "", "node.n1", "n1"),
        ("/calico/v1/host/n1/wireguard", "configuration", "", "node.n1", "n1"),
        ("/calico/v1/config/VXLANVNI", "configuration", "", "default", ""),
        ("/calico/v1/Ready", "configuration", "", "default", ""),
        (f"{V3}/felixconfigurations/gpu", "configuration", "", "gpu", ""),
        ("/calico/v1/policy/GlobalNetworkPolicy//default.deny", "policy", "", "default.deny", ""),
        ("/calico/v1/policy/NetworkPolicy/prod/default.web", "policy", "prod", "default.web", ""),
        ("/calico/v1/policy/tier/default/metadata", "tier", "", "default", ""),
        ("/calico/v1/policy/profile/kns.prod/rules", "profile", "", "kns.prod", ""),
        (f"{V3}/profiles/kns.prod", "profile", "", "kns.prod", ""),
        ("/calico/v1/netset/office", "networkset", "", "office", ""),
        ("/calico/v1/netset/prod%2foffice", "networkset", "prod", "office", ""),
        ("/calico/v1/ipam/v4/pool/10.0.0.0-16", "ippool", "", "10.0.0.0-16", ""),
        ("/calico/ipam/v2/assignment/ipv6/block/fd00::-122", "ipamblock", "", "fd00::-122", ""),
        ("/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26", "blockaffinity", "", "10.0.0.0-26", "n1"),
        ("/calico/ipam/v2/virtual/lb/ipv4/block/10.0.0.0-26", "blockaffinity", "", "10.0.0.0-26", "lb"),
        (f"{V3}/nodes/n1", "node", "", "n1", ""),
        (f"{V3}/kubernetesservice/prod/web", "object", "prod", "web", ""),
    ],
)
def test_places(key: str, layout: str, namespace: str, name: str, node: str) -> None:
    place = place_of(key)
    assert place is not None
    assert (place.layout, place.namespace, place.name, place.node) == (layout, namespace, name, node)


@pytest.mark.parametrize("key", ["prod/web-0", "n1", "/calico/v9/host/n1", "/calico/v1/host/n1/config/a/b", ""])
def test_keys_that_are_not_calicos(key: str) -> None:
    assert place_of(key) is None


def test_names_of_a_workload_endpoint() -> None:
    place = place_of("/calico/v1/host/node-1/workload/k8s/prod%2fmy-web/endpoint/eth0")
    assert place is not None
    assert place.is_named("my-web")
    assert place.is_named("prod/my-web")
    assert place.is_named("node--1-k8s-my--web-eth0")
    assert not place.is_named("dev/my-web")
    assert not place.is_named("my")
    assert v3_name("node-1", "k8s", "my-web", "eth0") == "node--1-k8s-my--web-eth0"


def test_networks_are_named_with_a_slash_or_a_dash() -> None:
    place = place_of("/calico/v1/ipam/v4/pool/10.0.0.0-16")
    assert place is not None
    assert place.is_named("10.0.0.0/16")
    assert place.is_named("10.0.0.0-16")


def test_escapes_are_undone_in_their_order() -> None:
    place = place_of("/calico/v1/host/n1/workload/k8s/prod%2fa%252fb/endpoint/eth0")
    assert place is not None
    assert (place.namespace, place.name) == ("prod", "a%2fb")


def test_ready_has_its_fields_name() -> None:
    place = place_of("/calico/v1/Ready")
    assert place is not None
    assert place.field == "DatastoreReady"


def test_every_short_name_means_one_thing() -> None:
    assert TOPICS["wep"] == ("workloadendpoints",)
    assert TOPICS["profiles"] == ("profiles.namespaces", "profiles.serviceaccounts")
    assert TOPICS["np"] == ("networkpolicies",)
    topics = {topic for meant in TOPICS.values() for topic in meant}
    assert not topics & TOPICS.keys()
    assert is_namespaced("policy")
    assert not is_namespaced("node")
