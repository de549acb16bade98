"""The spec of BGPConfiguration: as Calico writes it, and what its validation filter drops. Source: see `bgp_fields`."""

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
    check_network,
    check_pattern,
)
from typha.convert.calico.fields import Int64, UInt16, parsed
from typha.convert.calico.text import cidr, communities
from typha.convert.converter import ConversionError

__all__ = ["BgpConfigurationSpec", "settle"]

_LOG_LEVELS: Final = ("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
_SWITCH: Final = ("Enabled", "Disabled")
_CLUSTER_ROUTES: Final = (*_SWITCH, "EnabledIPIPOnly", "EnabledNoEncapOnly")
# A lone * would ignore every interface.
_IGNORED_INTERFACE: Final = re.compile(r"(?!\*$)[a-zA-Z0-9_.*-]{1,15}", re.ASCII)


class _Block(msgspec.Struct, omit_defaults=True):
    cidr: str = ""


class _Community(msgspec.Struct, omit_defaults=True):
    name: str = ""
    value: str = ""


class _Advertisement(msgspec.Struct, omit_defaults=True):
    cidr: str = ""
    # Calico tells a list that is not there from an empty one, and writes neither.
    communities: list[str] | None = None


class BgpConfigurationSpec(msgspec.Struct, omit_defaults=True, kw_only=True, rename="camel"):
    """All of its fields, in Calico's order."""

    log_severity_screen: str = ""
    node_to_node_mesh_enabled: bool | None = None
    as_number: AsNumber | None = None
    service_load_balancer_ips: list[_Block] = msgspec.field(default_factory=list, name="serviceLoadBalancerIPs")
    service_external_ips: list[_Block] = msgspec.field(default_factory=list, name="serviceExternalIPs")
    service_cluster_ips: list[_Block] = msgspec.field(default_factory=list, name="serviceClusterIPs")
    service_load_balancer_aggregation: str = ""
    communities: list[_Community] = []
    prefix_advertisements: list[_Advertisement] = []
    listen_port: UInt16 = 0
    node_mesh_password: Password | None = None
    node_mesh_max_restart_time: str | None = None
    bind_mode: str | None = None
    ignored_interfaces: list[str] = []
    local_workload_peering_ipv4: str = msgspec.field(default="", name="localWorkloadPeeringIPV4")
    local_workload_peering_ipv6: str = msgspec.field(default="", name="localWorkloadPeeringIPV6")
    program_cluster_routes: str | None = None
    ipv4_normal_route_priority: Int64 | None = msgspec.field(default=None, name="ipv4NormalRoutePriority")
    ipv6_normal_route_priority: Int64 | None = msgspec.field(default=None, name="ipv6NormalRoutePriority")


def settle(spec: BgpConfigurationSpec) -> None:
    """Canonical values in place. Raises ConversionError where Calico drops the object."""
    if spec.as_number is not None:
        spec.as_number = as_number_of(spec.as_number, "spec.asNumber")
    spec.node_mesh_max_restart_time = canonical_duration(spec.node_mesh_max_restart_time, "spec.nodeMeshMaxRestartTime")
    if spec.node_mesh_password is not None:
        spec.node_mesh_password.settle()
    check_choice(spec.log_severity_screen, "spec.logSeverityScreen", _LOG_LEVELS)
    check_choice(spec.service_load_balancer_aggregation, "spec.serviceLoadBalancerAggregation", _SWITCH)
    check_choice(spec.bind_mode, "spec.bindMode", ("None", "NodeIP"))
    check_choice(spec.program_cluster_routes, "spec.programClusterRoutes", _CLUSTER_ROUTES)
    for field, blocks in (
        ("serviceLoadBalancerIPs", spec.service_load_balancer_ips),
        ("serviceExternalIPs", spec.service_external_ips),
        ("serviceClusterIPs", spec.service_cluster_ips),
    ):
        for block in blocks:
            check_network(block.cidr, f"spec.{field}[].cidr")
    for interface in spec.ignored_interfaces:
        check_pattern(
            interface or "*", "spec.ignoredInterfaces[]", _IGNORED_INTERFACE, "a name of interfaces, or only *"
        )
    _check_address(spec.local_workload_peering_ipv4, 4)
    _check_address(spec.local_workload_peering_ipv6, 6)
    _check_communities(spec)
    if spec.node_to_node_mesh_enabled is False:
        for field, value in (
            ("nodeMeshPassword", spec.node_mesh_password),
            ("nodeMeshMaxRestartTime", spec.node_mesh_max_restart_time),
        ):
            if value is not None:
                raise ConversionError(f"spec.{field}: set although nodeToNodeMeshEnabled is false")


def _check_address(text: str, version: int) -> None:
    field = f"spec.localWorkloadPeeringIPV{version}"
    if text and parsed(cidr.parse_address, text, field).version != version:
        raise ConversionError(f"{field}: not an address of IPv{version}")


def _check_communities(spec: BgpConfigurationSpec) -> None:
    for community in spec.communities:
        if not community.name:
            raise ConversionError("spec.communities[].name: missing")
        check_name(community.name, "spec.communities[].name")
        if not communities.is_community(community.value) or not communities.is_in_range(community.value):
            raise ConversionError("spec.communities[].value: neither aa:nn (16 bits) nor aa:nn:mm (32 bits)")
    if spec.communities and not spec.prefix_advertisements:
        raise ConversionError("spec.communities: defined, and used in no prefixAdvertisements")
    names = {community.name for community in spec.communities}
    for advertisement in spec.prefix_advertisements:
        if not advertisement.cidr:
            raise ConversionError("spec.prefixAdvertisements[].cidr: missing")
        check_network(advertisement.cidr, "spec.prefixAdvertisements[].cidr")
        field = "spec.prefixAdvertisements[].communities"
        if advertisement.communities is None:
            raise ConversionError(f"{field}: missing")
        for used in advertisement.communities:
            if communities.is_community(used):
                if not communities.is_in_range(used):
                    raise ConversionError(f"{field}: neither aa:nn (16 bits) nor aa:nn:mm (32 bits)")
            elif used not in names:
                raise ConversionError(f"{field}: neither a community nor the name of one in spec.communities")
        advertisement.communities = advertisement.communities or None
