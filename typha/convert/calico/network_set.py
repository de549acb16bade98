"""Network sets: labelled lists of networks that rules select like endpoints.

Place: Calico's NetworkSet and GlobalNetworkSet -> `/calico/v1/netset/[NS%2f]NAME`. Source: rules 4.3 and 4.8.

Invariants
1. Networks are written as Go prints them: host bits cleared, an address with its full mask.
2. A network that does not parse is left out, the rest stays: so does Calico with a GlobalNetworkSet (at a NetworkSet it
   crashes). A set is part of rules that allow, of rules that deny and of negations: a set without the networks that
   are good would make some of those wider, whereas what does not parse never matched anything.
3. A NetworkSet has the label of its namespace, which wins over a label of that name, and the namespace's profile.

Road not taken: quarantine of the whole set, as for policies, because of 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico.identity import identity_of
from typha.convert.calico.keys import escape
from typha.convert.calico.metadata import Metadata
from typha.convert.calico.rules import NAMESPACE_LABEL
from typha.convert.calico.text import cidr
from typha.convert.calico.values import decoder_of, encode, labels_of
from typha.convert.converter import Converted, form_of

__all__ = ["GlobalNetworkSets", "NetworkSets", "keys_of"]


class _Spec(msgspec.Struct):
    nets: list[str] | None = None


class _NetworkSet(msgspec.Struct):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Value(msgspec.Struct, omit_defaults=True, kw_only=True):
    nets: list[str] | None = None
    labels: dict[str, str] | None
    profile_ids: list[str] | None = None


_decode: Final = decoder_of(_NetworkSet)


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the set `namespace/name` or `name`."""
    return (f"/calico/v1/netset/{escape(object_name)}",)


class GlobalNetworkSets:
    """The converter of GlobalNetworkSets; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/global_network_set", version=1, group=group)
        self.attributes = ("labels",)
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where a field has another type."""
        written = _decode(raw)
        labels = identity_of(written.metadata, self._group).labels
        (key,) = keys_of(object_name)
        return (Converted(key, encode(_Value(nets=_networks(written.spec), labels=labels)), (labels_of,)),)


class NetworkSets:
    """The converter of NetworkSets; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/network_set", version=1, group=group)
        self.attributes = ("namespace", "labels")
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where a field has another type."""
        written = _decode(raw)
        namespace = object_name.partition("/")[0]
        labels = {**(identity_of(written.metadata, self._group).labels or {}), NAMESPACE_LABEL: namespace}
        value = _Value(
            nets=_networks(written.spec), labels=dict(sorted(labels.items())), profile_ids=[f"kns.{namespace}"]
        )
        (key,) = keys_of(object_name)
        return (Converted(key, encode(value), (namespace, labels_of)),)


def _networks(spec: _Spec) -> list[str] | None:
    networks: list[str] = []
    for written in spec.nets or ():
        try:
            networks.append(cidr.parse_either(written)[1].text)
        except ValueError:
            continue
    return networks or None
