"""Pools of addresses and how routes to them travel: BGP configuration, peers, filters. Pure.

Place: `installation` creates these and replaces some with a later `revision`.

Invariants:
1. An object is a function of its arguments alone; another `revision` is another object.
2. The lower half of the pods' range is one pool over IPIP, the upper half one over VXLAN; both families have a pool.
3. No two pools have one CIDR, so each pool's key has one owner.

Not taken: a full mesh; with route reflectors the peers select nodes, which is what agents have to resolve.
"""

from __future__ import annotations

from typing import Any, Final

from typha.simulation.calico.documents import Document, calico
from typha.simulation.calico.ipam import V6_NET
from typha.simulation.objects import address, node_ip

_POD_NET: Final = 10 << 24
_REFLECTOR: Final = "has(route-reflector)"


def half_of(nodes: int, span: int) -> int:
    """Addresses in each of the two IPv4 pools of pods: a power of two, at least one node's range."""
    half = span
    while half * 2 < nodes * span:
        half *= 2
    return half


def pools(nodes: int, span: int, revision: int = 0) -> list[Document]:
    """All pools; `revision` switches the one that is kept for later on and off."""
    half = half_of(nodes, span)
    bits = 33 - half.bit_length()

    def pool(name: str, cidr: str, **spec: Any) -> Document:
        kept: dict[str, Any] = {"cidr": cidr, "nodeSelector": "all()", "allowedUses": ["Workload", "Tunnel"], **spec}
        return calico("ippools", name, {"ipipMode": "Never", "vxlanMode": "Never", **kept})

    return [
        pool(
            "default-ipv4-ippool", f"{address(_POD_NET)}/{bits}", blockSize=26, ipipMode="CrossSubnet", natOutgoing=True
        ),
        pool(
            "vxlan-ipv4-ippool",
            f"{address(_POD_NET + half)}/{bits}",
            blockSize=26,
            vxlanMode="Always",
            natOutgoing=True,
        ),
        pool("default-ipv6-ippool", f"{V6_NET}/48", blockSize=122, natOutgoing=True),
        pool(
            "services-ippool", "198.51.100.0/24", blockSize=32, allowedUses=["LoadBalancer"], assignmentMode="Automatic"
        ),
        pool("later-ippool", "192.168.0.0/16", blockSize=26, disabled=revision % 2 == 0),
    ]


def configuration(revision: int = 0) -> Document:
    """BGPConfiguration `default`: no mesh; `revision` changes a community."""
    spec = {
        "asNumber": 64512,
        "nodeToNodeMeshEnabled": False,
        "logSeverityScreen": "Info",
        "serviceClusterIPs": [{"cidr": "10.240.0.0/13"}],
        "serviceLoadBalancerIPs": [{"cidr": "198.51.100.0/24"}],
        "communities": [{"name": "pods", "value": f"64512:{100 + revision % 9}"}],
        "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["pods"]}],
    }
    return calico("bgpconfigurations", "default", spec)


def peers(racks: int, revision: int = 0) -> list[Document]:
    """Nodes to reflectors, reflectors among themselves, and a top-of-rack switch for each rack."""
    between = {
        "reflectors": {"nodeSelector": _REFLECTOR, "peerSelector": _REFLECTOR},
        "nodes-to-reflectors": {"nodeSelector": f"!{_REFLECTOR}", "peerSelector": _REFLECTOR},
    }
    made = [calico("bgppeers", name, spec) for name, spec in between.items()]
    return made + [top_of_rack(rack, revision) for rack in range(racks)]


def top_of_rack(rack: int, revision: int = 0) -> Document:
    """The switch of a zone; `revision` changes how long it waits after a restart."""
    spec = {
        "peerIP": f"192.0.2.{rack + 1}",
        "asNumber": 65001 + rack,
        "nodeSelector": f"topology.kubernetes.io/zone == 'zone-{rack}'",
        "filters": ["no-default"],
        "maxRestartTime": f"{60 + revision % 7 * 10}s",
        "keepOriginalNextHop": False,
    }
    return calico("bgppeers", f"rack-{rack}", spec)


def node_peer(number: int, node: str) -> Document:
    """A peer of one node alone."""
    spec = {"node": node, "peerIP": f"203.0.113.{number % 250 + 1}", "asNumber": 65100, "sourceAddress": "UseNodeIP"}
    return calico("bgppeers", f"{node}-uplink", spec)


def bgp_filter() -> Document:
    """The filter that the racks' peers use."""
    spec: dict[str, Any] = {
        "exportV4": [{"action": "Accept", "matchOperator": "In", "cidr": "10.0.0.0/8"}, {"action": "Reject"}],
        "importV4": [{"action": "Reject", "matchOperator": "Equal", "cidr": "0.0.0.0/0"}],
        "exportV6": [{"action": "Reject", "matchOperator": "NotIn", "cidr": f"{V6_NET}/48"}],
    }
    return calico("bgpfilters", "no-default", spec)


def bgp_of_node(number: int, node: str) -> Document:
    """BGPConfiguration of one node."""
    advertised = [{"cidr": f"{node_ip(number)}/32", "communities": ["64512:120"]}]
    spec = {"logSeverityScreen": "Debug", "ignoredInterfaces": ["docker0"], "prefixAdvertisements": advertised}
    return calico("bgpconfigurations", f"node.{node}", spec)
