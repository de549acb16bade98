"""What Calico keeps about nodes and for its agents on them: annotations, host endpoints, configuration, status. Pure.

Place: `installation` adds the annotations to each node that `cluster` writes, and creates and replaces the rest.

Invariants:
1. An object is a function of its arguments alone; another `revision` is another object.
2. A node's tunnel addresses are the two of its range that no pod gets (`objects.pod_ip`).

Not taken: a WireGuard key for each node; a third of them has one, as in a cluster that is being moved to it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from typha.simulation.calico.documents import Document, calico, kubernetes
from typha.simulation.objects import node_ip

MIGRATIONS: Final = "kubevirt.io/v1/virtualmachineinstancemigrations"
REFLECTORS: Final = 3
"""So many of the first nodes reflect routes."""
_ANNOTATION: Final = "projectcalico.org/"


def has_wireguard(number: int) -> bool:
    """Whether node `number` has a WireGuard key and address."""
    return number % 3 == 1


def node_annotations(number: int, tunnel: str, tunnel_ip: str, wireguard_ip: str, revision: int = 0) -> dict[str, str]:
    """A node's; `tunnel` is `ipip` or `vxlan`, `revision` changes its WireGuard key."""
    found = {"IPv4Address": f"{node_ip(number)}/12"}
    if tunnel == "ipip":
        found["IPv4IPIPTunnelAddr"] = tunnel_ip
    else:
        found["IPv4VXLANTunnelAddr"] = tunnel_ip
        mac = hashlib.sha256(b"vxlan %d" % number).digest()
        found["VXLANTunnelMACAddr"] = "66:" + ":".join(f"{each:02x}" for each in mac[:5])
    if has_wireguard(number):
        key = hashlib.sha256(b"wireguard %d %d" % (number, revision)).digest()
        found["IPv4WireguardInterfaceAddr"] = wireguard_ip
        found["WireguardPublicKey"] = base64.b64encode(key).decode()
    if number < REFLECTORS:
        found |= {"RouteReflectorClusterID": "244.0.0.1", "ASNumber": "64512"}
    return {f"{_ANNOTATION}{name}": value for name, value in found.items()}


def node_labels(number: int) -> dict[str, str]:
    """Labels that Calico's selectors of nodes look for."""
    return {"route-reflector": "true"} if number < REFLECTORS else {}


def host_endpoint(number: int, node: str) -> Document:
    """What kube-controllers create for each node: all its interfaces."""
    spec = {
        "node": node,
        "interfaceName": "*",
        "expectedIPs": [node_ip(number)],
        "profiles": ["projectcalico-default-allow"],
    }
    kept = {"projectcalico.org/created-by": "calico-kube-controllers", "kubernetes.io/hostname": node}
    return calico("hostendpoints", f"{node}-auto-hep", spec, labels=kept)


def uplink(number: int, node: str, revision: int = 0) -> Document:
    """An operator's own host endpoint of the node's first interface; `revision` changes its labels."""
    ports = [{"name": "ssh", "port": 22, "protocol": "TCP"}, {"name": "bgp", "port": 179, "protocol": "TCP"}]
    spec = {"node": node, "interfaceName": "eth0", "expectedIPs": [node_ip(number)], "ports": ports}
    return calico("hostendpoints", f"{node}-eth0", spec, labels={"host-endpoint": "uplink", "wave": f"w{revision % 9}"})


def felix_default(revision: int = 0) -> Document:
    """FelixConfiguration `default`; every second `revision` leaves a field out, so that a key goes and comes."""
    spec: dict[str, Any] = {
        "bpfConnectTimeLoadBalancing": "TCP",
        "floatingIPs": "Disabled",
        "healthPort": 9099,
        "ipipEnabled": True,
        "iptablesRefreshInterval": f"{60 + revision % 5 * 30}s",
        "logSeverityScreen": "Info",
        "reportingInterval": "0s",
        "vxlanEnabled": True,
        "wireguardEnabled": True,
        "failsafeInboundHostPorts": [
            {"protocol": "tcp", "port": 22},
            {"protocol": "udp", "port": 68, "net": "0.0.0.0/0"},
        ],
        "routeTableRanges": [{"min": 1, "max": 250}],
    }
    if revision % 2:
        spec["prometheusMetricsEnabled"] = True
    return calico("felixconfigurations", "default", spec)


def felix_of_node(node: str, revision: int = 0) -> Document:
    """FelixConfiguration of one node: more logging for now."""
    spec = {"logSeverityScreen": ("Debug", "Warning")[revision % 2], "interfaceExclude": "kube-ipvs0,dummy0"}
    return calico("felixconfigurations", f"node.{node}", spec)


def cluster_information() -> Document:
    """ClusterInformation `default`."""
    spec = {
        "calicoVersion": "v3.31.0",
        "clusterGUID": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "clusterType": "typha,kdd,k8s,bgp,kubeadm",
        "datastoreReady": True,
    }
    return calico("clusterinformations", "default", spec)


def node_status(node: str, peers: int, revision: int = 0) -> Document:
    """A CalicoNodeStatus that the node keeps writing."""
    minute, second = divmod(revision, 60)
    status = {
        "lastUpdated": f"2026-01-01T{minute // 60 % 24:02d}:{minute % 60:02d}:{second:02d}Z",
        "agent": {"birdV4": {"state": "Ready", "version": "v0.3.3+birdv1.6.8", "routerID": "172.16.0.1"}},
        "bgp": {
            "numberEstablishedV4": peers,
            "numberNotEstablishedV4": revision % 2,
            "numberEstablishedV6": 0,
            "numberNotEstablishedV6": 0,
            "peersV4": [{"peerIP": node_ip(0), "type": "NodePeer", "state": "Established", "since": "09:19:28"}],
        },
    }
    spec = {"node": node, "classes": ["Agent", "BGP"], "updatePeriodSeconds": 10}
    document = calico("caliconodestatuses", f"status-{node}", spec)
    return Document(document.resource, document.obj | {"status": status})


def migration(space: str, source: str, revision: int = 0) -> Document:
    """A KubeVirt migration, which `revision` takes through its phases."""
    phase = ("Pending", "Scheduling", "Scheduled", "TargetReady", "Running", "Succeeded")[revision % 6]
    status: dict[str, Any] = {"phase": phase}
    if phase in {"TargetReady", "Running", "Succeeded"}:
        status["migrationState"] = {"sourcePod": source, "targetPod": f"{source}-target"}
    return kubernetes(MIGRATIONS, "evacuate", {"vmiName": "guest"}, space=space, status=status)
