"""Pods to workload endpoints: the hottest converter, every pod of the cluster goes through it at each change.

Place: topic `workloadendpoints` of the feed `felix`. Source: rules 4.4 and 4.9 (Pods).

Invariants
1. A pod with a node that is not on the host's network has one key, always the same: a value, or NO_VALUE where it has
   no address (not yet, or no more). Every other pod has none.
2. A pod that cannot be read takes its key away: ConversionError carries it whenever the node can be read.
3. Only the fields in these structs are decoded, unknown annotations are skipped unread; no map is made but the labels.

Differences from Calico: a finished pod, and one without an address, is not looked at further: Calico fails it for an
annotation that nothing will use.

Road not taken: a cache of whole values by the pod's text; pods that come again have changed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from typha.convert.calico.keys import escape
from typha.convert.calico.pod_networks import Nat, PodNetwork, address_nats, networks, source_prefixes
from typha.convert.calico.qos import Direction, QosControls, controls
from typha.convert.calico.values import decoder_of, encode, labels_of
from typha.convert.converter import NO_VALUE, Attribute, ConversionError, Converted, form_of

__all__ = ["WorkloadEndpoints"]

_ORCHESTRATOR: Final = "k8s"
_ENDPOINT: Final = "eth0"
_NAMESPACE_LABEL: Final = "projectcalico.org/namespace"
_ORCHESTRATOR_LABEL: Final = "projectcalico.org/orchestrator"
_SERVICE_ACCOUNT_LABEL: Final = "projectcalico.org/serviceaccount"
# Labels that profiles give to endpoints: a pod must not pretend to be of another namespace or service account.
_PROFILE_LABELS: Final = ("pcns.", "pcsa.")
_NETWORK_STATUS: Final = "k8s.v1.cni.cncf.io/network-status"

# `Completed` is documented, though no API server sets it.
_FINISHED: Final = frozenset(["Failed", "Succeeded", "Completed"])
_PROTOCOLS: Final = {"": "tcp", "TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
_PORT_MAX: Final = 65_535
# An interface's name has 15 characters: 4 for `cali`.
_INTERFACE_DIGITS: Final = 11
# Pairs of node and namespace, of namespace and account: lists come by namespace, so a namespace's nodes are enough.
_SHARED: Final = 8_192

# Annotation names by field; fields beginning with ingress_, egress_ or dscp are QoS.
_ANNOTATIONS: Final = {
    "pod_ips": "cni.projectcalico.org/podIPs",
    "pod_ip": "cni.projectcalico.org/podIP",
    "aws_pod_ips": "vpc.amazonaws.com/pod-ips",
    "floating_ips": "cni.projectcalico.org/floatingIPs",
    "source_prefixes": "cni.projectcalico.org/allowedSourcePrefixes",
    "network_status": _NETWORK_STATUS,
    "ingress_kubernetes": "kubernetes.io/ingress-bandwidth",
    "egress_kubernetes": "kubernetes.io/egress-bandwidth",
    "dscp": "qos.projectcalico.org/dscp",
} | {
    f"{direction}_{field}": f"qos.projectcalico.org/{direction}{name}"
    for direction in ("ingress", "egress")
    for field, name in (
        ("bandwidth", "Bandwidth"),
        ("burst", "Burst"),
        ("peak_rate", "Peakrate"),
        ("min_burst", "Minburst"),
        ("packet_rate", "PacketRate"),
        ("packet_burst", "PacketBurst"),
        ("max_connections", "MaxConnections"),
    )
}


class _Annotations(msgspec.Struct, gc=False, rename=_ANNOTATIONS):
    pod_ips: str | None = None
    pod_ip: str | None = None
    aws_pod_ips: str | None = None
    floating_ips: str | None = None
    source_prefixes: str | None = None
    network_status: str | None = None
    ingress_kubernetes: str | None = None
    ingress_bandwidth: str | None = None
    ingress_burst: str | None = None
    ingress_peak_rate: str | None = None
    ingress_min_burst: str | None = None
    ingress_packet_rate: str | None = None
    ingress_packet_burst: str | None = None
    ingress_max_connections: str | None = None
    egress_kubernetes: str | None = None
    egress_bandwidth: str | None = None
    egress_burst: str | None = None
    egress_peak_rate: str | None = None
    egress_min_burst: str | None = None
    egress_packet_rate: str | None = None
    egress_packet_burst: str | None = None
    egress_max_connections: str | None = None
    dscp: str | None = None


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    labels: dict[str, str] | None = None
    annotations: _Annotations | None = None
    deletion_timestamp: str | None = None
    generate_name: str = ""


class _ContainerPort(msgspec.Struct, gc=False, rename="camel"):
    container_port: int = 0
    name: str = ""
    protocol: str = ""


class _Container(msgspec.Struct, gc=False):
    ports: list[_ContainerPort] | None = None


class _Place(msgspec.Struct, gc=False, rename="camel"):
    node_name: str = ""
    host_network: bool = False


class _Spec(_Place, gc=False, rename="camel"):
    service_account_name: str = ""
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _PodIp(msgspec.Struct, gc=False):
    ip: str = ""


class _Status(msgspec.Struct, gc=False, frozen=True, rename={"pod_ip": "podIP", "pod_ips": "podIPs"}):
    phase: str = ""
    pod_ip: str = ""
    pod_ips: list[_PodIp] | None = None


_NO_ANNOTATIONS: Final = _Annotations()
_NO_STATUS: Final = _Status()


class _Pod(msgspec.Struct, gc=False):
    spec: _Spec
    metadata: _Metadata
    status: _Status = _NO_STATUS


class _PlacedPod(msgspec.Struct, gc=False):
    spec: _Place


class _Port(msgspec.Struct, gc=False):
    name: str
    port: int
    protocol: str


class _Endpoint(msgspec.Struct, gc=False, omit_defaults=True):
    """Calico's `model.WorkloadEndpoint`. Fields without a default are always written."""

    state: str
    name: str
    active_instance_id: str
    mac: None
    profile_ids: list[str]
    ipv4_nets: list[str] | None
    ipv6_nets: list[str] | None
    ipv4_nat: list[Nat] = []
    ipv6_nat: list[Nat] = []
    labels: dict[str, str] = {}
    ports: list[_Port] = []
    generate_name: str = ""
    allow_spoofed_source_ips: list[str] = []
    annotations: dict[str, str] = {}
    qos_controls: QosControls | None = msgspec.field(default=None, name="qosControls")


_decode: Final = decoder_of(_Pod)
_decode_place: Final = decoder_of(_PlacedPod)


class WorkloadEndpoints:
    """Pods to endpoints. `interface_prefix` is Felix's setting: of several, separated by commas, the first counts."""

    def __init__(self, group: str = "", interface_prefix: str = "cali") -> None:
        self.attributes: tuple[str, ...] = ("node", "namespace", "labels")
        self.standing: Sequence[Converted] = ()
        self._prefix = interface_prefix.partition(",")[0]
        self.form = form_of(converter="calico/workload_endpoint", version=1, group=group, prefix=self._prefix)

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """The endpoint's entry; none for pods without a node or on the host's network. Raises ConversionError."""
        try:
            pod = _decode(raw)
        except ConversionError as error:
            spec = _decode_place(raw).spec
            if spec.host_network or not spec.node_name:
                return ()
            raise ConversionError(error.reason, (_key(spec.node_name, object_name),)) from None
        node = pod.spec.node_name
        if pod.spec.host_network or not node:
            return ()
        key = _key(node, object_name)
        namespace, separator, name = object_name.partition("/")
        if not separator:
            raise ConversionError("a pod has a namespace", (key,))
        try:
            value = self._value(pod, namespace, name)
        except ConversionError as error:
            raise ConversionError(error.reason, (key,)) from None
        return (Converted(key, value, _attributes(node, namespace)),)

    def _value(self, pod: _Pod, namespace: str, name: str) -> bytes:
        metadata, spec = pod.metadata, pod.spec
        annotations = metadata.annotations or _NO_ANNOTATIONS
        if _is_finished(pod.status.phase, metadata.deletion_timestamp, annotations):
            return NO_VALUE
        own = networks(_addresses(pod.status, annotations))
        if not own:
            return NO_VALUE
        for part, field in ((spec.node_name, "spec.nodeName"), (name, "metadata.name")):
            if part.startswith("-") or part.endswith("-"):
                raise ConversionError(f"{field} starts or ends with '-'")
        interface = hashlib.sha1(f"{namespace}.{name}".encode(), usedforsecurity=False).hexdigest()
        endpoint = _Endpoint(
            "active",
            self._prefix + interface[:_INTERFACE_DIGITS],
            "",
            None,
            _profiles(namespace, spec.service_account_name),
            [each.text for each in own if not each.is_ipv6] or None,
            [each.text for each in own if each.is_ipv6] or None,
            labels=_labels(metadata.labels, namespace, spec.service_account_name),
            ports=_ports(spec.containers) + _ports(spec.init_containers),
            generate_name=metadata.generate_name,
        )
        if annotations is not _NO_ANNOTATIONS:
            _annotate(endpoint, annotations, own)
        return encode(endpoint)


def _key(node: str, object_name: str) -> str:
    return f"/calico/v1/host/{node}/workload/{_ORCHESTRATOR}/{escape(object_name)}/endpoint/{_ENDPOINT}"


@lru_cache(_SHARED)
def _attributes(node: str, namespace: str) -> tuple[Attribute, ...]:
    # Interned: most pairs of a large cluster are of one pod, but names come again and again.
    return (sys.intern(node), sys.intern(namespace), labels_of)


@lru_cache(_SHARED)
def _profiles(namespace: str, service_account: str) -> list[str]:
    profile = f"kns.{namespace}"
    return [profile, f"ksa.{namespace}.{service_account}"] if service_account else [profile]


def _is_finished(phase: str, deleted_at: str | None, annotations: _Annotations) -> bool:
    """Whether the pod's addresses are free again. An annotation emptied by the CNI plugin says so before the status."""
    if phase in _FINISHED:
        return True
    return deleted_at is not None and (annotations.pod_ip == "" or annotations.aws_pod_ips == "")


def _addresses(status: _Status, annotations: _Annotations) -> list[str]:
    """The first source that says anything. Lists in annotations are not trimmed: Calico fails `a, b` as well."""
    if status.pod_ips:
        return [each.ip for each in status.pod_ips]
    if status.pod_ip:
        return [status.pod_ip]
    if annotations.pod_ips:
        return annotations.pod_ips.split(",")
    if annotations.pod_ip:
        return [annotations.pod_ip]
    return annotations.aws_pod_ips.split(",") if annotations.aws_pod_ips else []


def _labels(labels: dict[str, str] | None, namespace: str, service_account: str) -> dict[str, str]:
    """The pod's labels, the three of Calico, in sorted order; none that only profiles may give."""
    labels = labels or {}
    labels[_NAMESPACE_LABEL] = namespace
    labels[_ORCHESTRATOR_LABEL] = _ORCHESTRATOR
    if service_account:
        labels[_SERVICE_ACCOUNT_LABEL] = service_account
    return {name: labels[name] for name in sorted(labels) if not name.startswith(_PROFILE_LABELS)}


def _ports(containers: list[_Container] | None) -> list[_Port]:
    """Named ports; those with just a host port are the CNI plugin's business."""
    ports = []
    for container in containers or ():
        for port in container.ports or ():
            protocol = _PROTOCOLS.get(port.protocol)
            if port.name and port.container_port and protocol is not None:
                if not 0 < port.container_port <= _PORT_MAX:
                    raise ConversionError("containerPort is not between 1 and 65535")
                ports.append(_Port(port.name, port.container_port, protocol))
    return ports


def _annotate(endpoint: _Endpoint, annotations: _Annotations, own: Sequence[PodNetwork]) -> None:
    """The parts of the endpoint that come from annotations. Raises ConversionError."""
    if annotations.floating_ips is not None:
        endpoint.ipv4_nat, endpoint.ipv6_nat = address_nats(annotations.floating_ips, own)
    if annotations.source_prefixes:
        endpoint.allow_spoofed_source_ips = source_prefixes(annotations.source_prefixes)
    if annotations.network_status is not None:
        endpoint.annotations = {_NETWORK_STATUS: annotations.network_status}
    endpoint.qos_controls = controls(
        Direction(
            annotations.ingress_kubernetes,
            annotations.ingress_bandwidth,
            annotations.ingress_burst,
            annotations.ingress_peak_rate,
            annotations.ingress_min_burst,
            annotations.ingress_packet_rate,
            annotations.ingress_packet_burst,
            annotations.ingress_max_connections,
        ),
        Direction(
            annotations.egress_kubernetes,
            annotations.egress_bandwidth,
            annotations.egress_burst,
            annotations.egress_peak_rate,
            annotations.egress_min_burst,
            annotations.egress_packet_rate,
            annotations.egress_packet_burst,
            annotations.egress_max_connections,
        ),
        annotations.dscp,
    )
