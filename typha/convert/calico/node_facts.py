"""What Calico reads off a Kubernetes Node: annotations checked, tunnel addresses, addresses, pod CIDRs.

Place: `node` makes the v3 Node of it, `host_config` the keys of host configuration, `pod_cidr_block` the blocks of
host-local IPAM. Source: rules 4.7 and 4.9 (Nodes); libcalico-go `backend/k8s/resources`.

Invariants
1. Only what Calico uses is decoded: a heartbeat, a condition, an image list change nothing that follows from this.
2. An annotation that its own check refuses is as good as none. The check of a tunnel address lets a network of one
   address through (`10.0.0.1/32`), which the later checks of the v3 Node refuse.
3. With host-local IPAM the IPIP address is the second of the pod CIDR (in its last byte), whatever the annotation says,
   and so is the WireGuard address if there is a WireGuard key.

Road not taken: one converter for all three topics. Two of them are wanted by other feeds than the third.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from typha.convert.calico.fields import parsed
from typha.convert.calico.metadata import Metadata
from typha.convert.calico.reading import reader_of
from typha.convert.calico.text import cidr

__all__ = ["Facts", "KubernetesNode", "as_number", "facts_of", "is_mac", "is_wireguard_key", "read_node"]

_PREFIX: Final = "projectcalico.org/"
_UINT16: Final = 0xFFFF
_UINT32: Final = 0xFFFFFFFF
_DIGITS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_MAC: Final = re.compile(
    r"[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2})*|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4})+", re.ASCII
)
# Bytes of hardware addresses that Go knows: EUI-48, EUI-64, IP over InfiniBand.
_MAC_BYTES: Final = (6, 8, 20)
# 32 bytes in base64.
_WIREGUARD_KEY: Final = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)


class _Spec(msgspec.Struct):
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    pod_cidrs: list[str] = msgspec.field(default_factory=list, name="podCIDRs")


class _Address(msgspec.Struct):
    type: str = ""
    address: str = ""


class _Status(msgspec.Struct):
    addresses: list[_Address] = []


class KubernetesNode(msgspec.Struct):
    """The fields of a Node that Calico uses."""

    metadata: Metadata = Metadata()
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All texts as written in the annotations; empty where there is none or a bad one."""

    ipv4_address: str
    ipv6_address: str
    as_number: int | None
    route_reflector_cluster_id: str
    ipip_address: str
    vxlan_address_v4: str
    vxlan_mac_v4: str
    vxlan_address_v6: str
    vxlan_mac_v6: str
    wireguard_address_v4: str
    wireguard_address_v6: str
    wireguard_key_v4: str
    wireguard_key_v6: str


read_node: Final = reader_of(KubernetesNode)
"""Raises ConversionError."""


def facts_of(node: KubernetesNode, *, use_pod_cidr: bool) -> Facts:
    """The annotations of a node, checked. Raises ConversionError for a pod CIDR that is none, where it is used."""
    annotations = node.metadata.annotations or {}

    def read(name: str, check: Callable[[str], bool]) -> str:
        text = annotations.get(_PREFIX + name, "")
        return text if text and check(text) else ""

    key_v4 = annotations.get(f"{_PREFIX}WireguardPublicKey", "")
    if use_pod_cidr and node.spec.pod_cidr:
        tunnel = _second_address(node.spec.pod_cidr)
        ipip, wireguard_v4, wireguard_v6 = tunnel, tunnel if key_v4 else "", ""
    else:
        ipip = read("IPv4IPIPTunnelAddr", _is_network_v4)
        wireguard_v4 = read("IPv4WireguardInterfaceAddr", _is_network_v4)
        wireguard_v6 = read("IPv6WireguardInterfaceAddr", _is_network_v6)
    return Facts(
        ipv4_address=read("IPv4Address", lambda text: _family(text) == 4),
        ipv6_address=read("IPv6Address", lambda text: _family(text) == 6),
        as_number=_as_number(annotations.get(f"{_PREFIX}ASNumber", "")),
        route_reflector_cluster_id=read("RouteReflectorClusterID", _is_network_v4),
        ipip_address=ipip,
        vxlan_address_v4=read("IPv4VXLANTunnelAddr", _is_network_v4),
        vxlan_mac_v4=read("VXLANTunnelMACAddr", is_mac),
        vxlan_address_v6=read("IPv6VXLANTunnelAddr", _is_network_v6),
        vxlan_mac_v6=read("VXLANTunnelMACAddrV6", is_mac),
        wireguard_address_v4=wireguard_v4,
        wireguard_address_v6=wireguard_v6,
        wireguard_key_v4=key_v4,
        wireguard_key_v6=annotations.get(f"{_PREFIX}WireguardPublicKeyV6", ""),
    )


def is_mac(text: str) -> bool:
    """Go's ParseMAC: pairs with `:` or `-`, or groups of four digits with `.`."""
    if not _MAC.fullmatch(text):
        return False
    return sum(character not in ":-." for character in text) // 2 in _MAC_BYTES


def is_wireguard_key(text: str) -> bool:
    """32 bytes in base64; Go ignores line ends in it."""
    return _WIREGUARD_KEY.fullmatch(text.replace("\r", "").replace("\n", "")) is not None


def as_number(text: str) -> int:
    """An AS number as text: `65546` or `1.10`. ValueError where it is none."""
    if _DIGITS.fullmatch(text) and (number := int(text)) <= _UINT32:
        return number
    high, dot, low = text.partition(".")
    if dot and _DIGITS.fullmatch(high) and _DIGITS.fullmatch(low) and max(int(high), int(low)) <= _UINT16:
        return (int(high) << 16) + int(low)
    raise ValueError("not an AS number")


def _as_number(text: str) -> int | None:
    try:
        return as_number(text)
    except ValueError:
        return None


def _family(text: str) -> int:
    try:
        return cidr.parse_either(text)[0].version
    except ValueError:
        return 0


def _is_network_v4(text: str) -> bool:
    return _is_network(text, 4)


def _is_network_v6(text: str) -> bool:
    return _is_network(text, 6)


def _is_network(text: str, version: int) -> bool:
    # Host bits must be clear; an address alone has none.
    try:
        address, network = cidr.parse_either(text)
    except ValueError:
        return False
    return address.version == version and network.address == address


def _second_address(pod_cidr: str) -> str:
    address, _ = parsed(cidr.parse, pod_cidr, "spec.podCIDR")
    return address.next().text if address.version == 4 else ""
