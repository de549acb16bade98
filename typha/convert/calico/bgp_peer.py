"""The spec of BGPPeer: as Calico writes it, and what its validation filter drops. Source: see `bgp_fields`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from typha.convert.calico.bgp_fields import (
    AsNumber,
    Password,
    as_number_of,
    canonical_duration,
    check_choice,
    check_name,
    check_selector,
)
from typha.convert.calico.fields import Int32, UInt8, parsed
from typha.convert.calico.text import cidr
from typha.convert.converter import ConversionError

__all__ = ["BgpPeerSpec", "peer_address", "settle"]

# The part before the port must still be an address.
_WITH_PORT: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,20})", re.ASCII)
_LAST_PORT: Final = 0xFFFF


class BgpPeerSpec(msgspec.Struct, omit_defaults=True, kw_only=True, rename="camel"):
    """All of its fields, in Calico's order."""

    node: str = ""
    node_selector: str = ""
    peer_ip: str = msgspec.field(default="", name="peerIP")
    as_number: AsNumber = 0
    local_as_number: AsNumber | None = msgspec.field(default=None, name="localASNumber")
    peer_selector: str = ""
    keep_original_next_hop: bool = False
    next_hop_mode: str | None = None
    password: Password | None = None
    source_address: str = ""
    max_restart_time: str | None = None
    keepalive_time: str | None = None
    num_allowed_local_as_numbers: Int32 | None = msgspec.field(default=None, name="numAllowedLocalASNumbers")
    ttl_security: UInt8 | None = msgspec.field(default=None, name="ttlSecurity")
    reachable_by: str = ""
    filters: list[str] = []
    local_workload_selector: str = ""
    reverse_peering: str | None = None


def settle(spec: BgpPeerSpec) -> None:
    """Canonical values in place. Raises ConversionError where Calico drops the object."""
    spec.as_number = as_number_of(spec.as_number, "spec.asNumber")
    if spec.local_as_number is not None:
        spec.local_as_number = as_number_of(spec.local_as_number, "spec.localASNumber")
    spec.max_restart_time = canonical_duration(spec.max_restart_time, "spec.maxRestartTime")
    spec.keepalive_time = canonical_duration(spec.keepalive_time, "spec.keepaliveTime")
    if spec.password is not None:
        spec.password.settle()
    check_name(spec.node, "spec.node")
    check_selector(spec.node_selector, "spec.nodeSelector")
    check_selector(spec.peer_selector, "spec.peerSelector")
    check_selector(spec.local_workload_selector, "spec.localWorkloadSelector")
    check_choice(spec.source_address, "spec.sourceAddress", ("UseNodeIP", "None"))
    check_choice(spec.next_hop_mode, "spec.nextHopMode", ("Auto", "Self", "Keep"))
    check_choice(spec.reverse_peering, "spec.reversePeering", ("Auto", "Manual"))
    for name in spec.filters:
        check_name(name or "-", "spec.filters[]")
    _check_together(spec)


def peer_address(text: str) -> cidr.Address:
    """The address of `peerIP`, which may have a port. ValueError where it is none or the port is 0 or too large."""
    parts = _WITH_PORT.fullmatch(text)
    if parts is None:
        return cidr.parse_address(text)
    bracketed, bare, port = parts.groups()
    if not 1 <= int(port) <= _LAST_PORT:
        raise ValueError("a port that is none")
    return cidr.parse_address(bracketed or bare)


def _check_together(spec: BgpPeerSpec) -> None:
    peer = None
    if spec.peer_ip:
        try:
            peer = peer_address(spec.peer_ip)
        except ValueError:
            raise ConversionError("spec.peerIP: not an IP address, IPv4:port or [IPv6]:port") from None
    workloads = bool(spec.local_workload_selector)
    for is_wrong, reason in (
        (spec.node and spec.node_selector, "node: set together with nodeSelector"),
        (spec.peer_ip and spec.peer_selector, "peerIP: set together with peerSelector"),
        (spec.as_number and spec.peer_selector, "asNumber: set together with peerSelector"),
        (workloads and not spec.as_number, "asNumber: missing although localWorkloadSelector is set"),
        (workloads and spec.peer_ip, "peerIP: set together with localWorkloadSelector"),
        (spec.keep_original_next_hop and spec.next_hop_mode is not None, "keepOriginalNextHop: set with nextHopMode"),
        (spec.reachable_by and peer is None, "reachableBy: set without peerIP"),
    ):
        if is_wrong:
            raise ConversionError(f"spec.{reason}")
    if spec.reachable_by and peer is not None:
        gateway = parsed(cidr.parse_address, spec.reachable_by, "spec.reachableBy")
        if gateway.version != peer.version:
            raise ConversionError("spec.reachableBy: of another family than peerIP")
