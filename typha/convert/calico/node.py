"""Nodes: the v3 Node that Calico makes of a Kubernetes Node and its annotations.

Place: v1/nodes -> `/calico/resources/v3/projectcalico.org/nodes/NODE`, for Felix, BIRD and the tunnel allocator.
Source: rules 4.7 and 4.9 (Nodes); libcalico-go `backend/k8s/resources`, `apis/internalapi`, `validator/v3`.

Invariants
1. Labels are those of the annotation `projectcalico.org/labels` under those of Kubernetes; the latter also stand as
   JSON in the annotation `projectcalico.org/kube-labels` (`null` where there are none). Annotations are those of the
   annotation `projectcalico.org/annotations`, nothing else of the Kubernetes Node's. Either is ignored if it is no
   JSON map of texts, and so is `projectcalico.org/Interfaces` if it is no list of interfaces.
2. The UID is the Kubernetes Node's.
3. A Node that Calico's validation filter drops is quarantined: a tunnel address or cluster ID with a mask, a WireGuard
   key that is none, labels or annotations that Kubernetes would refuse. Host configuration goes out all the same.

Road not taken: sending the other annotations on. Heartbeats of other systems live there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.metadata import checked, labels_of, of_kubernetes, text_map, v3_object
from typha.convert.calico.node_facts import Facts, KubernetesNode, facts_of, is_wireguard_key, read_node
from typha.convert.calico.text import cidr
from typha.convert.calico.values import encode
from typha.convert.converter import Attribute, ConversionError, Converted, form_of

__all__ = ["Nodes", "keys_of", "labels_of"]

_LABELS: Final = "projectcalico.org/labels"
_ANNOTATIONS: Final = "projectcalico.org/annotations"
_KUBE_LABELS: Final = "projectcalico.org/kube-labels"
_INTERFACES: Final = "projectcalico.org/Interfaces"
_ADDRESS_TYPES: Final = ("InternalIP", "ExternalIP")


class _Interface(msgspec.Struct, omit_defaults=True):
    name: str = ""
    addresses: list[str] = []


class _Bgp(msgspec.Struct, omit_defaults=True, kw_only=True):
    as_number: int | None = msgspec.field(default=None, name="asNumber")
    ipv4_address: str = msgspec.field(default="", name="ipv4Address")
    ipv6_address: str = msgspec.field(default="", name="ipv6Address")
    ipip_address: str = msgspec.field(default="", name="ipv4IPIPTunnelAddr")
    route_reflector_cluster_id: str = msgspec.field(default="", name="routeReflectorClusterID")


class _Wireguard(msgspec.Struct, omit_defaults=True, kw_only=True):
    address_v4: str = msgspec.field(default="", name="interfaceIPv4Address")
    address_v6: str = msgspec.field(default="", name="interfaceIPv6Address")


class _Spec(msgspec.Struct, omit_defaults=True, kw_only=True):
    bgp: _Bgp | None = None
    vxlan_address_v4: str = msgspec.field(default="", name="ipv4VXLANTunnelAddr")
    vxlan_mac_v4: str = msgspec.field(default="", name="vxlanTunnelMACAddr")
    vxlan_address_v6: str = msgspec.field(default="", name="ipv6VXLANTunnelAddr")
    vxlan_mac_v6: str = msgspec.field(default="", name="vxlanTunnelMACAddrV6")
    orch_refs: list[dict[str, str]] = msgspec.field(default_factory=list, name="orchRefs")
    wireguard: _Wireguard | None = None
    addresses: list[dict[str, str]] = []
    interfaces: list[_Interface] = []


class _Status(msgspec.Struct, omit_defaults=True, kw_only=True):
    key_v4: str = msgspec.field(default="", name="wireguardPublicKey")
    key_v6: str = msgspec.field(default="", name="wireguardPublicKeyV6")
    pod_cidrs: list[str] = msgspec.field(default_factory=list, name="podCIDRs")


_NO_BGP: Final = _Bgp()
_NO_WIREGUARD: Final = _Wireguard()
_ATTRIBUTES: Final[tuple[Attribute, ...]] = (labels_of,)
_decode_interfaces: Final = msgspec.json.Decoder(list[_Interface] | None).decode


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the node."""
    return (keys.v3("nodes", object_name),)


class Nodes:
    """The converter; `use_pod_cidr` says that tunnel addresses follow from the pod CIDR (host-local IPAM)."""

    def __init__(self, group: str = "", use_pod_cidr: bool = False) -> None:
        self.form = form_of(converter="calico/node", version=1, group=group, use_pod_cidr=use_pod_cidr)
        self.attributes = ("labels",)
        self.standing: Sequence[Converted] = ()
        self._use_pod_cidr = use_pod_cidr

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """The v3 Node. Raises ConversionError where Calico drops it."""
        node = read_node(raw)
        facts = facts_of(node, use_pod_cidr=self._use_pod_cidr)
        _check(facts)
        stored = node.metadata
        labels = {**_texts(stored.annotations, _LABELS), **(stored.labels or {})}
        annotations = {**_texts(stored.annotations, _ANNOTATIONS), _KUBE_LABELS: _labels_text(stored.labels)}
        metadata = checked(of_kubernetes(stored, labels, annotations))
        value = {
            **v3_object("Node", metadata, _spec(object_name, node, facts)),
            "status": _Status(
                key_v4=facts.wireguard_key_v4, key_v6=facts.wireguard_key_v6, pod_cidrs=node.spec.pod_cidrs
            ),
        }
        return (Converted(keys.v3("nodes", object_name), encode(value), _ATTRIBUTES),)


def _spec(name: str, node: KubernetesNode, facts: Facts) -> _Spec:
    bgp = _Bgp(
        as_number=facts.as_number,
        ipv4_address=facts.ipv4_address,
        ipv6_address=facts.ipv6_address,
        ipip_address=facts.ipip_address,
        route_reflector_cluster_id=facts.route_reflector_cluster_id,
    )
    wireguard = _Wireguard(address_v4=facts.wireguard_address_v4, address_v6=facts.wireguard_address_v6)
    addresses = [{"address": text, "type": "CalicoNodeIP"} for text in (facts.ipv4_address, facts.ipv6_address) if text]
    addresses += [
        {"address": each.address, "type": each.type} for each in node.status.addresses if each.type in _ADDRESS_TYPES
    ]
    return _Spec(
        bgp=None if bgp == _NO_BGP else bgp,
        vxlan_address_v4=facts.vxlan_address_v4,
        vxlan_mac_v4=facts.vxlan_mac_v4,
        vxlan_address_v6=facts.vxlan_address_v6,
        vxlan_mac_v6=facts.vxlan_mac_v6,
        orch_refs=[{"nodeName": name, "orchestrator": "k8s"}],
        wireguard=None if wireguard == _NO_WIREGUARD else wireguard,
        addresses=addresses,
        interfaces=_interfaces((node.metadata.annotations or {}).get(_INTERFACES, "")),
    )


def _check(facts: Facts) -> None:
    # What the annotations' own checks let through and Calico's validation of the v3 Node does not.
    addresses = (
        ("IPv4IPIPTunnelAddr", facts.ipip_address),
        ("RouteReflectorClusterID", facts.route_reflector_cluster_id),
        ("IPv4VXLANTunnelAddr", facts.vxlan_address_v4),
        ("IPv6VXLANTunnelAddr", facts.vxlan_address_v6),
        ("IPv4WireguardInterfaceAddr", facts.wireguard_address_v4),
        ("IPv6WireguardInterfaceAddr", facts.wireguard_address_v6),
    )
    for name, text in addresses:
        if text:
            try:
                cidr.parse_address(text)
            except ValueError:
                raise ConversionError(
                    f"annotation projectcalico.org/{name}: an address must stand without mask"
                ) from None
    for name, text in (
        ("WireguardPublicKey", facts.wireguard_key_v4),
        ("WireguardPublicKeyV6", facts.wireguard_key_v6),
    ):
        if text and not is_wireguard_key(text):
            raise ConversionError(f"annotation projectcalico.org/{name}: not a WireGuard key (32 bytes in base64)")


def _texts(annotations: Mapping[str, str] | None, name: str) -> dict[str, str]:
    text = (annotations or {}).get(name)
    if text is None:
        return {}
    try:
        return text_map(text)
    except ValueError:
        return {}


def _labels_text(labels: Mapping[str, str] | None) -> str:
    if not labels:
        return "null"
    return json.dumps(dict(sorted(labels.items())), separators=(",", ":"))


def _interfaces(text: str) -> list[_Interface]:
    try:
        interfaces: list[_Interface] | None = _decode_interfaces(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []
    return interfaces or []
