"""Everything in the cluster that is not a pod: namespaces, nodes, services, their endpoints, policies. Pure.

Place: `cluster` creates and replaces these through the ordinary write path of `store`.

Invariants:
1. An object is a function of its arguments alone; what changes over time comes in (`now`, `revision`).
2. Addresses: node n owns the block `10.0.0.0 + n * block`; nodes are 172.16.0.0 + n; services 10.240.0.0/13.

Not taken: Lease objects as heartbeats; a node's own status is what watchers of nodes see change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

# etcd's identity for us: typha takes the cluster's name from the UID of this namespace.
SYSTEM_NAMESPACE: Final = "kube-system"
_NODE_NET: Final = 172 << 24 | 16 << 16
_POD_NET: Final = 10 << 24
# Pods may fill 10.0.0.0 to 10.239.255.255.
POD_ADDRESSES: Final = 240 << 16
_SERVICE_NET: Final = 10 << 24 | 240 << 16
SERVICE_PORT: Final = 80
TARGET_PORT: Final = 8080


class Endpoint(msgspec.Struct, frozen=True):
    """One address behind a service."""

    ip: str
    node: str
    pod: str
    uid: str


def address(number: int) -> str:
    """Dotted form of an IPv4 address."""
    return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def node_ip(node: int) -> str:
    """The node's own address."""
    return address(_NODE_NET + node + 1)


def pod_ip(node: int, slot: int, block: int) -> str:
    """The address of `slot` in the node's block of `block` addresses, whose first two are not for pods."""
    return range_ip(node, slot + 2, block)


def range_ip(node: int, offset: int, block: int) -> str:
    """The address at `offset` in the node's block of `block` addresses."""
    return address(_POD_NET + node * block + offset)


def namespace(name: str, revision: int = 0) -> dict[str, Any]:
    """A Namespace; the team label changes with `revision`."""
    labels = {"kubernetes.io/metadata.name": name, "team": f"team-{revision % 7}"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def service_account(space: str) -> dict[str, Any]:
    """The default ServiceAccount of a namespace."""
    return {"metadata": {"name": "default", "namespace": space}}


def node(number: int, name: str, block: int, now: str) -> dict[str, Any]:
    """A Node whose kubelet was heard at `now`."""
    cidr = f"{address(_POD_NET + number * block)}/{33 - block.bit_length()}"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{number % 3}",
    }
    conditions = [
        {"type": kind, "status": state, "reason": reason, "lastHeartbeatTime": now}
        for kind, state, reason in (
            ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            ("Ready", "True", "KubeletReady"),
        )
    ]
    resources = {"cpu": "16", "memory": "65536Mi", "pods": str(block)}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": node_ip(number)}, {"type": "Hostname", "address": name}],
            "capacity": resources,
            "allocatable": resources,
            "conditions": conditions,
            "nodeInfo": {"kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64"},
        },
    }


def service(space: str, app: str, number: int) -> dict[str, Any]:
    """A ClusterIP Service in front of the pods of `app`."""
    ip = address(_SERVICE_NET + number + 1)
    ports = [{"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": TARGET_PORT}]
    return {
        "metadata": {"name": app, "namespace": space, "labels": {"app": app}},
        "spec": {"selector": {"app": app}, "clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "ports": ports},
        "status": {"loadBalancer": {}},
    }


def endpoint_slice(space: str, app: str, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The EndpointSlice of a service."""
    labels = {"kubernetes.io/service-name": app, "endpointslice.kubernetes.io/managed-by": "simulation"}
    return {
        "metadata": {"name": f"{app}-slice", "namespace": space, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [each.ip],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": each.node,
                "targetRef": {"kind": "Pod", "namespace": space, "name": each.pod, "uid": each.uid},
            }
            for each in endpoints
        ],
        "ports": [{"name": "http", "protocol": "TCP", "port": TARGET_PORT}],
    }


def network_policy(space: str, revision: int = 0) -> dict[str, Any]:
    """A NetworkPolicy that lets one team in; which one changes with `revision`."""
    peer = {"namespaceSelector": {"matchLabels": {"team": f"team-{revision % 7}"}}}
    return {
        "metadata": {"name": "allow-team", "namespace": space},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [peer], "ports": [{"protocol": "TCP", "port": TARGET_PORT}]}],
        },
    }
