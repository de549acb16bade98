"""BGP: Calico's BGPConfiguration, BGPPeer and BGPFilter as whole v3 objects.

Place: `/calico/resources/v3/projectcalico.org/{bgpconfigurations,bgppeers,bgpfilters}/NAME`, for BIRD and Felix.
Source: rules 4.3, 4.8 (CRDs) and 4.9 (validation, v3 CRD objects).

Invariants
1. Only fields that Calico knows are sent, zeros left out or written as its encoder does, durations and AS numbers in
   canonical form.
2. What Calico's validation filter drops is quarantined: a peer with an address or a selector that does not parse, a
   filter rule of the other family, communities that nothing uses, ... (`settle` of each kind's spec).

Road not taken: passing the stored spec on. A field of another version of the CRD would reach agents that were built for
a schema without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from typha.convert.calico import bgp_configuration, bgp_filter, bgp_peer, keys
from typha.convert.calico.bgp_configuration import BgpConfigurationSpec
from typha.convert.calico.bgp_filter import BgpFilterSpec
from typha.convert.calico.bgp_peer import BgpPeerSpec
from typha.convert.calico.ipam_block import node_attribute
from typha.convert.calico.metadata import Metadata, checked, restored
from typha.convert.calico.reading import reader_of
from typha.convert.calico.values import encode
from typha.convert.converter import Converted, form_of

__all__ = [
    "BgpConfigurations",
    "BgpFilters",
    "BgpPeers",
    "configuration_keys_of",
    "filter_keys_of",
    "peer_keys_of",
]


class _StoredConfiguration(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: BgpConfigurationSpec = msgspec.field(default_factory=BgpConfigurationSpec)


class _StoredPeer(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: BgpPeerSpec = msgspec.field(default_factory=BgpPeerSpec)


class _StoredFilter(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: BgpFilterSpec = msgspec.field(default_factory=BgpFilterSpec)


_read_configuration: Final = reader_of(_StoredConfiguration)
_read_peer: Final = reader_of(_StoredPeer)
_read_filter: Final = reader_of(_StoredFilter)


def configuration_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPConfiguration."""
    return (keys.v3("bgpconfigurations", object_name),)


def peer_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPPeer."""
    return (keys.v3("bgppeers", object_name),)


def filter_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPFilter."""
    return (keys.v3("bgpfilters", object_name),)


class BgpConfigurations:
    """The converter of BGPConfigurations; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/bgp_configuration", version=1, group=group)
        self.attributes: tuple[str, ...] = ()
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        stored = _read_configuration(raw)
        bgp_configuration.settle(stored.spec)
        value = _value("BGPConfiguration", stored.metadata, self._group, stored.spec)
        return (Converted(keys.v3("bgpconfigurations", object_name), value),)


class BgpPeers:
    """The converter of BGPPeers; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/bgp_peer", version=1, group=group)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        stored = _read_peer(raw)
        bgp_peer.settle(stored.spec)
        value = _value("BGPPeer", stored.metadata, self._group, stored.spec)
        return (Converted(keys.v3("bgppeers", object_name), value, node_attribute(stored.spec.node or None)),)


class BgpFilters:
    """The converter of BGPFilters; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/bgp_filter", version=1, group=group)
        self.attributes: tuple[str, ...] = ()
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        stored = _read_filter(raw)
        bgp_filter.settle(stored.spec)
        value = _value("BGPFilter", stored.metadata, self._group, stored.spec)
        return (Converted(keys.v3("bgpfilters", object_name), value),)


def _value(kind: str, metadata: Metadata, group: str, spec: Any) -> bytes:
    return encode(
        {
            "kind": kind,
            "apiVersion": "projectcalico.org/v3",
            "metadata": checked(restored(metadata, group)),
            "spec": spec,
        }
    )
