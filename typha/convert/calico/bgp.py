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

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from typha.convert.calico import bgp_configuration, bgp_filter, bgp_peer, keys
from typha.convert.calico.bgp_configuration import BgpConfigurationSpec
from typha.convert.calico.bgp_filter import BgpFilterSpec
from typha.convert.calico.bgp_peer import BgpPeerSpec
from typha.convert.calico.ipam_block import node_attribute
from typha.convert.calico.metadata import Metadata, checked, restored, v3_object
from typha.convert.calico.reading import reader_of
from typha.convert.calico.values import encode
from typha.convert.converter import Attribute, Converted, form_of

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


class _Kind(NamedTuple):
    """What tells the three apart. `read` gives an object with `metadata` and a `spec`, which `settle` takes."""

    converter: str
    kind: str
    plural: str
    read: Callable[[bytes], Any]
    settle: Callable[[Any], None]

    def key_of(self, object_name: str) -> str:
        """The one key of an object."""
        return keys.v3(self.plural, object_name)


_CONFIGURATION: Final = _Kind(
    "calico/bgp_configuration",
    "BGPConfiguration",
    "bgpconfigurations",
    reader_of(_StoredConfiguration),
    bgp_configuration.settle,
)
_PEER: Final = _Kind("calico/bgp_peer", "BGPPeer", "bgppeers", reader_of(_StoredPeer), bgp_peer.settle)
_FILTER: Final = _Kind("calico/bgp_filter", "BGPFilter", "bgpfilters", reader_of(_StoredFilter), bgp_filter.settle)


def configuration_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPConfiguration."""
    return (_CONFIGURATION.key_of(object_name),)


def peer_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPPeer."""
    return (_PEER.key_of(object_name),)


def filter_keys_of(object_name: str) -> Sequence[str]:
    """The one key of a BGPFilter."""
    return (_FILTER.key_of(object_name),)


class _Converter:
    attributes: tuple[str, ...] = ()
    standing: Sequence[Converted] = ()
    _kind: _Kind

    def __init__(self, group: str) -> None:
        self.form = form_of(converter=self._kind.converter, version=1, group=group)
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        stored = self._kind.read(raw)
        self._kind.settle(stored.spec)
        value = v3_object(self._kind.kind, checked(restored(stored.metadata, self._group)), stored.spec)
        return (Converted(self._kind.key_of(object_name), encode(value), self._attributes_of(stored.spec)),)

    def _attributes_of(self, spec: Any) -> tuple[Attribute, ...]:
        return ()


class BgpConfigurations(_Converter):
    """The converter of BGPConfigurations; `group` is one of Calico's two API groups."""

    _kind = _CONFIGURATION


class BgpPeers(_Converter):
    """The converter of BGPPeers; `group` is one of Calico's two API groups."""

    attributes = ("node",)
    _kind = _PEER

    def _attributes_of(self, spec: BgpPeerSpec) -> tuple[Attribute, ...]:
        return node_attribute(spec.node or None)


class BgpFilters(_Converter):
    """The converter of BGPFilters; `group` is one of Calico's two API groups."""

    _kind = _FILTER
