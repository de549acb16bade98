"""Host endpoints: interfaces of hosts that policy applies to.

Place: Calico's HostEndpoint -> `/calico/v1/host/NODE/endpoint/NAME`. Source: rules 4.3, 4.8 and 4.9;
libcalico-go `syncersv1/updateprocessors/hostendpointprocessor.go`.

Invariants
1. The key holds `spec.node`, so that it changes with it; without a node there is no key and the object is quarantined.
2. Expected IPs are split by family, in the order written. One that does not parse is left out, as in Calico: it is no
   address of the host, and no selector ever matched it.
3. `labels` is always written, null where there are none.
4. What Calico's validation drops is quarantined (see `validation`): the host's interface is then unprotected by name in
   Calico and here alike.

Road not taken: refusing what only the v3 API refuses (no interface and no IP). Agents get it from Calico too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from typha.convert.calico import qos, validation
from typha.convert.calico.identity import identity_of
from typha.convert.calico.keys import escape
from typha.convert.calico.metadata import Metadata
from typha.convert.calico.text import cidr, ports
from typha.convert.calico.values import decoder_of, encode, labels_of
from typha.convert.converter import Converted, form_of

__all__ = ["HostEndpoints"]

_DSCP_ANNOTATION: Final = "qos.projectcalico.org/dscp"
_NOT_LIMITED: Final = qos.Direction(None, None, None, None, None, None, None, None)


class _Port(msgspec.Struct):
    name: str = ""
    protocol: int | str = 0
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0


class _Spec(msgspec.Struct, rename="camel"):
    node: str = ""
    interface_name: str = ""
    expected_ips: list[str] | None = msgspec.field(default=None, name="expectedIPs")
    profiles: list[str] | None = None
    ports: list[_Port] | None = None


class _HostEndpoint(msgspec.Struct):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _PortValue(msgspec.Struct):
    name: str
    protocol: int | str
    port: int


class _Value(msgspec.Struct, omit_defaults=True, kw_only=True):
    name: str = ""
    expected_ipv4_addrs: list[str] | None = None
    expected_ipv6_addrs: list[str] | None = None
    labels: dict[str, str] | None
    profile_ids: list[str] | None = None
    ports: list[_PortValue] | None = None
    controls: qos.QosControls | None = msgspec.field(default=None, name="qosControls")


_decode: Final = decoder_of(_HostEndpoint)


class HostEndpoints:
    """The converter; `group` is one of Calico's two API groups. Its topic keeps claims (invariant 1)."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/host_endpoint", version=1, group=group)
        self.attributes = ("node", "labels")
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where Calico's validation drops it or a field has another type."""
        written = _decode(raw)
        spec = written.spec
        validation.node_name(spec.node, "spec.node")
        validation.interface_name(spec.interface_name, "spec.interfaceName")
        validation.profile_names(spec.profiles or (), "spec.profiles")
        identity = identity_of(written.metadata, self._group)
        ipv4, ipv6 = _by_family(spec.expected_ips or ())
        value = _Value(
            name=spec.interface_name,
            expected_ipv4_addrs=ipv4 or None,
            expected_ipv6_addrs=ipv6 or None,
            labels=identity.labels,
            profile_ids=spec.profiles or None,
            ports=[_port(each, f"spec.ports[{index}]") for index, each in enumerate(spec.ports or ())] or None,
            controls=qos.controls(_NOT_LIMITED, _NOT_LIMITED, identity.annotations.get(_DSCP_ANNOTATION)),
        )
        key = f"/calico/v1/host/{spec.node}/endpoint/{escape(object_name)}"
        return (Converted(key, encode(value), (spec.node, labels_of)),)


def _by_family(written: Sequence[str]) -> tuple[list[str], list[str]]:
    ipv4: list[str] = []
    ipv6: list[str] = []
    for text in written:
        try:
            address = cidr.parse_address(text)
        except ValueError:
            continue
        (ipv4 if address.version == 4 else ipv6).append(address.text)
    return ipv4, ipv6


def _port(written: _Port, field: str) -> _PortValue:
    protocol = ports.protocol(written.protocol, f"{field}.protocol")
    validation.endpoint_port(written.name, protocol, written.port, field)
    return _PortValue(written.name, protocol, written.port)
