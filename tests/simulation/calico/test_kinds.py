"""Policies, hosts and routing: functions of their arguments, with the parts that agents act on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest

from typha.simulation.calico import hosts, policies, routing
from typha.simulation.calico.documents import Document
from typha.simulation.calico.resources import CALICO
from typha.simulation.discovery import BUILT_IN

REVISED: list[Callable[[int], Document]] = [
    policies.threats,
    policies.default_deny,
    lambda revision: policies.partners("shop", 3, revision),
    lambda revision: policies.web("shop", 3, revision),
    lambda revision: policies.egress_blocks("shop", 3, revision),
    lambda revision: policies.staged("shop", 3, revision),
    hosts.felix_default,
    lambda revision: hosts.felix_of_node("n", revision),
    lambda revision: hosts.uplink(1, "n", revision),
    lambda revision: hosts.node_status("n", 3, revision),
    lambda revision: hosts.migration("shop", "guest", revision),
    lambda revision: routing.top_of_rack(1, revision),
    routing.configuration,
    lambda revision: routing.pools(4, 256, revision)[-1],
]


@pytest.mark.parametrize("make", REVISED)
def test_a_revision_is_another_object_of_the_same_name(make: Callable[[int], Document]) -> None:
    first, second = make(2), make(3)
    assert first == make(2)
    assert (first.resource, first.key) == (second.resource, second.key)
    assert first.obj != second.obj


def test_a_tenant_starts_with_nothing_allowed() -> None:
    made = {document.key: document for document in policies.tenant("shop", 15)}
    deny = made["shop/default-deny"].obj["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert made.keys() == {
        f"shop/{name}"
        for name in (
            *("default-deny", "allow-same-namespace", "allow-dns", "allow-egress-blocks"),
            *("default.web", "partners", "default.next", "no-egress"),
        )
    }
    blocks = [rule["to"][0]["ipBlock"] for rule in made["shop/allow-egress-blocks"].obj["spec"]["egress"]]
    assert blocks[0]["except"] == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]


def test_every_resource_is_served_and_keys_are_unique() -> None:
    served = {resource.name: resource for resource in (*BUILT_IN, *CALICO)}
    made = [*policies.everybody(), *policies.tenant("shop", 0), *routing.pools(4, 256), *routing.peers(3)]
    made += [make(0) for make in REVISED[6:]]
    made += [hosts.host_endpoint(1, "n"), hosts.cluster_information(), routing.bgp_filter()]
    made += [routing.node_peer(1, "n"), routing.bgp_of_node(1, "n")]
    assert {document.resource for document in made} <= served.keys()
    for document in made:
        assert ("namespace" in document.obj["metadata"]) is served[document.resource].namespaced
    distinct = {(document.resource, document.key) for document in chain(policies.everybody(), made[-5:])}
    assert len(distinct) == len(policies.everybody()) + 5


@pytest.mark.parametrize(("nodes", "half"), [(1, 256), (2, 256), (3, 512), (4, 512), (5, 1024), (100, 16384)])
def test_pools_cover_the_pods(nodes: int, half: int) -> None:
    assert routing.half_of(nodes, 256) == half
    cidrs = [pool.obj["spec"]["cidr"] for pool in routing.pools(nodes, 256)]
    assert len(set(cidrs)) == len(cidrs)
    assert cidrs[0] == f"10.0.0.0/{33 - half.bit_length()}"
    assert 2 * half >= nodes * 256


def test_annotations_of_nodes() -> None:
    ipip = hosts.node_annotations(4, "ipip", "10.0.4.0", "10.0.4.1")
    assert ipip["projectcalico.org/IPv4IPIPTunnelAddr"] == "10.0.4.0"
    assert ipip["projectcalico.org/IPv4WireguardInterfaceAddr"] == "10.0.4.1"
    vxlan = hosts.node_annotations(5, "vxlan", "10.0.5.0", "10.0.5.1")
    assert vxlan["projectcalico.org/IPv4VXLANTunnelAddr"] == "10.0.5.0"
    assert len(vxlan["projectcalico.org/VXLANTunnelMACAddr"]) == len("66:11:22:33:44:55")
    assert "projectcalico.org/WireguardPublicKey" not in vxlan
    assert hosts.node_annotations(1, "ipip", "", "", 1) != hosts.node_annotations(1, "ipip", "", "", 2)
    assert "projectcalico.org/RouteReflectorClusterID" in hosts.node_annotations(0, "ipip", "", "")
