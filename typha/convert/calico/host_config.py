"""Host configuration: tunnel addresses and WireGuard of one node, as Felix reads them key by key.

Place: v1/nodes -> `/calico/v1/host/NODE/config/FIELD` (text) and `/calico/v1/host/NODE/wireguard`. Source: rules 4.7
and 4.9 (Nodes); libcalico-go `backend/syncersv1/updateprocessors`.

Invariants
1. Addresses are in canonical text, MACs as written. What does not parse as an address has no key.
2. `wireguard` is there if an address or a key is, and holds a key as written, even a bad one, for which the v3 Node is
   dropped: so does Calico.

Road not taken: keys with no value for fields that a node lacks. Absent is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.node_facts import Facts, facts_of, read_node
from typha.convert.calico.text import cidr
from typha.convert.calico.values import encode
from typha.convert.converter import Converted, form_of

__all__ = ["HostConfigs", "keys_of"]

_FIELDS: Final = (
    "IpInIpTunnelAddr",
    "IPv4VXLANTunnelAddr",
    "VXLANTunnelMACAddr",
    "IPv6VXLANTunnelAddr",
    "VXLANTunnelMACAddrV6",
)


class _Wireguard(msgspec.Struct, omit_defaults=True, kw_only=True):
    address_v4: str = msgspec.field(default="", name="interfaceIPv4Addr")
    key_v4: str = msgspec.field(default="", name="publicKey")
    address_v6: str = msgspec.field(default="", name="interfaceIPv6Addr")
    key_v6: str = msgspec.field(default="", name="publicKeyV6")


_NO_WIREGUARD: Final = _Wireguard()


def keys_of(object_name: str) -> Sequence[str]:
    """Five fields and WireGuard."""
    return (*(keys.host_config(object_name, field) for field in _FIELDS), _wireguard_key(object_name))


class HostConfigs:
    """The converter; `use_pod_cidr` as for nodes."""

    def __init__(self, group: str = "", use_pod_cidr: bool = False) -> None:
        self.form = form_of(converter="calico/host_config", version=1, group=group, use_pod_cidr=use_pod_cidr)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._use_pod_cidr = use_pod_cidr

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry for each thing that the node has. Raises ConversionError where Calico makes no node of it."""
        facts = facts_of(read_node(raw), use_pod_cidr=self._use_pod_cidr)
        attributes = (object_name,)
        texts = (
            _address_text(facts.ipip_address),
            _address_text(facts.vxlan_address_v4),
            facts.vxlan_mac_v4,
            _address_text(facts.vxlan_address_v6),
            facts.vxlan_mac_v6,
        )
        entries = [
            Converted(keys.host_config(object_name, field), encode(text), attributes)
            for field, text in zip(_FIELDS, texts, strict=True)
            if text
        ]
        wireguard = _wireguard(facts)
        if wireguard != _NO_WIREGUARD:
            entries.append(Converted(_wireguard_key(object_name), encode(wireguard), attributes))
        return entries


def _wireguard(facts: Facts) -> _Wireguard:
    return _Wireguard(
        address_v4=_address_text(facts.wireguard_address_v4),
        key_v4=facts.wireguard_key_v4,
        address_v6=_address_text(facts.wireguard_address_v6),
        key_v6=facts.wireguard_key_v6,
    )


def _wireguard_key(node: str) -> str:
    return f"/calico/v1/host/{node}/wireguard"


def _address_text(text: str) -> str:
    try:
        return cidr.parse_address(text).text if text else ""
    except ValueError:
        return ""  # a network of one address
