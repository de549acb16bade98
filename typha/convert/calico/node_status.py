"""CalicoNodeStatus: what an administrator wants to know of one node, and what that node has answered.

Place: `/calico/resources/v3/projectcalico.org/caliconodestatuses/NAME`, the whole v3 object, for the node that it
names. Source: rules 4.3, 4.8 (CRDs) and 4.9 (v3 CRD objects); Calico's `api`.

Invariants
1. The status is written in full, zeros too: `agent`, `bgp` with its four counts, `routes`; no time is `null`.
2. A status without node, classes or period, or with a period above a day, is quarantined: Calico's validation filter
   drops it.

Road not taken: leaving the status out, which the node itself writes. Calico sends it, and every write of it is a
change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.fields import Int64, canonical_time
from typha.convert.calico.ipam_block import node_attribute
from typha.convert.calico.metadata import Metadata, checked, is_name, restored, v3_object
from typha.convert.calico.reading import reader_of
from typha.convert.calico.values import encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["CalicoNodeStatuses", "keys_of"]

_LONGEST_PERIOD_S: Final = 24 * 60 * 60


class _Spec(msgspec.Struct, omit_defaults=True, kw_only=True):
    node: str = ""
    classes: list[str] | None = None
    update_period_s: Int64 | None = msgspec.field(default=None, name="updatePeriodSeconds")


class _Daemon(msgspec.Struct, omit_defaults=True, rename="camel"):
    state: str = ""
    version: str = ""
    router_id: str = msgspec.field(default="", name="routerID")
    last_boot_time: str = ""
    last_reconfiguration_time: str = ""


class _Agent(msgspec.Struct):
    bird_v4: _Daemon = msgspec.field(default_factory=_Daemon, name="birdV4")
    bird_v6: _Daemon = msgspec.field(default_factory=_Daemon, name="birdV6")


class _Peer(msgspec.Struct, omit_defaults=True):
    peer_ip: str = msgspec.field(default="", name="peerIP")
    type: str = ""
    state: str = ""
    since: str = ""


class _Bgp(msgspec.Struct):
    established_v4: Int64 = msgspec.field(default=0, name="numberEstablishedV4")
    not_established_v4: Int64 = msgspec.field(default=0, name="numberNotEstablishedV4")
    established_v6: Int64 = msgspec.field(default=0, name="numberEstablishedV6")
    not_established_v6: Int64 = msgspec.field(default=0, name="numberNotEstablishedV6")
    peers_v4: list[_Peer] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="peersV4")
    peers_v6: list[_Peer] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="peersV6")


class _LearnedFrom(msgspec.Struct, omit_defaults=True):
    source_type: str = msgspec.field(default="", name="sourceType")
    peer_ip: str = msgspec.field(default="", name="peerIP")


class _Route(msgspec.Struct, omit_defaults=True):
    type: str = ""
    destination: str = ""
    gateway: str = ""
    interface: str = ""
    # Not left out: msgspec knows empty lists and maps as defaults of a factory, and no empty struct.
    learned_from: _LearnedFrom = msgspec.field(default_factory=_LearnedFrom, name="learnedFrom")


class _Routes(msgspec.Struct, omit_defaults=True):
    routes_v4: list[_Route] = msgspec.field(default_factory=list, name="routesV4")
    routes_v6: list[_Route] = msgspec.field(default_factory=list, name="routesV6")


class _Status(msgspec.Struct):
    last_updated: str | None = msgspec.field(default=None, name="lastUpdated")
    agent: _Agent = msgspec.field(default_factory=_Agent)
    bgp: _Bgp = msgspec.field(default_factory=_Bgp)
    routes: _Routes = msgspec.field(default_factory=_Routes)


class _Stored(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_read: Final = reader_of(_Stored)


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the status."""
    return (keys.v3("caliconodestatuses", object_name),)


class CalicoNodeStatuses:
    """The converter; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/node_status", version=1, group=group)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        stored = _read(raw)
        spec, status = stored.spec, stored.status
        _check(spec)
        spec.classes = spec.classes or None
        status.last_updated = canonical_time(status.last_updated, "status.lastUpdated")
        status.bgp.peers_v4 = status.bgp.peers_v4 or msgspec.UNSET
        status.bgp.peers_v6 = status.bgp.peers_v6 or msgspec.UNSET
        metadata = checked(restored(stored.metadata, self._group))
        value = {**v3_object("CalicoNodeStatus", metadata, spec), "status": status}
        return (Converted(keys.v3("caliconodestatuses", object_name), encode(value), node_attribute(spec.node)),)


def _check(spec: _Spec) -> None:
    if not is_name(spec.node):
        raise ConversionError("spec.node: not a name")
    if spec.classes is None:
        raise ConversionError("spec.classes: missing")
    if len(set(spec.classes)) < len(spec.classes):
        raise ConversionError("spec.classes: one is there twice")
    if spec.update_period_s is None or not 0 <= spec.update_period_s <= _LONGEST_PERIOD_S:
        raise ConversionError(f"spec.updatePeriodSeconds: not between 0 and {_LONGEST_PERIOD_S}")
