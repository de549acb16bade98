"""IPAM blocks: which addresses of a block are taken, by whom, and whose block it is.

Place: Calico's IPAMBlock -> `/calico/ipam/v2/assignment/ipvN/block/CIDR`; `pod_cidr_block` sends the same value for
host-local IPAM. Source: rules 4.3, 4.8 and 4.9 (IPAM); libcalico-go `backend/model`.

Invariants
1. Lists and maps are as stored: `null` where the resource has none, but `attributes` is a list at least.
2. `strictAffinity` is not sent; `affinity` always is.
3. A block marked as deleted is sent with that mark: its addresses are held until it is gone.

Road not taken: leaving deleted blocks out as with affinities: Calico does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from typha.convert.calico.fields import Int64, UInt64, canonical_time, parsed
from typha.convert.calico.metadata import Metadata, restored, sorted_map
from typha.convert.calico.reading import reader_of
from typha.convert.calico.text import cidr
from typha.convert.converter import Attribute, ConversionError, Converted, form_of
from typha.convert.projection import encode_msgpack

__all__ = ["Block", "IpamBlocks", "block_key", "node_attribute"]

_HOST: Final = "host:"


class _StoredAttribute(msgspec.Struct):
    handle_id: str | None = None
    secondary: dict[str, str] | None = None
    # The same thing under the names of the CRD and of the v3 API.
    alternate_owner_attrs: dict[str, str] | None = msgspec.field(default=None, name="alternateOwnerAttrs")
    alternate: dict[str, str] | None = None
    released_at: str | None = msgspec.field(default=None, name="releasedAt")


class _StoredSpec(msgspec.Struct, kw_only=True):
    cidr: str = ""
    affinity: str | None = None
    affinity_claim_time: str | None = msgspec.field(default=None, name="affinityClaimTime")
    allocations: list[Int64 | None] | None = None
    unallocated: list[Int64] | None = None
    attributes: list[_StoredAttribute] = []
    sequence_number: UInt64 = msgspec.field(default=0, name="sequenceNumber")
    sequence_numbers: dict[str, UInt64] | None = msgspec.field(default=None, name="sequenceNumberForAllocation")
    deleted: bool = False


class _Stored(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: _StoredSpec = msgspec.field(default_factory=_StoredSpec)


class _Attribute(msgspec.Struct, omit_defaults=True):
    handle_id: str | None = None
    secondary: dict[str, str] | None = None
    alternate: dict[str, str] | None = None
    released_at: str | None = msgspec.field(default=None, name="releasedAt")


class Block(msgspec.Struct, kw_only=True):
    """The value. All fields are written, but for the time of the claim."""

    cidr: str
    affinity: str | None
    affinity_claim_time: str | msgspec.UnsetType = msgspec.UNSET
    allocations: list[Int64 | None] | None = None
    unallocated: list[Int64] | None = None
    attributes: list[_Attribute] | None = None
    sequence_number: UInt64 = msgspec.field(default=0, name="sequenceNumber")
    sequence_numbers: dict[str, UInt64] | None = msgspec.field(default=None, name="sequenceNumberForAllocation")
    deleted: bool = False


_read: Final = reader_of(_Stored)


def block_key(network: cidr.Network) -> str:
    """The key of the block of that network."""
    return f"/calico/ipam/v2/assignment/ipv{network.version}/block/{cidr.key_text(network)}"


@lru_cache(maxsize=8192)
def node_attribute(node: str | None) -> tuple[Attribute, ...]:
    """The filter attributes of what belongs to that node, one object for all of its entries."""
    return (node,)


class IpamBlocks:
    """The converter; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/ipam_block", version=1, group=group)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError for a bad CIDR (for which Calico gives the whole kind up) or time."""
        stored = _read(raw)
        spec = stored.spec
        network = parsed(cidr.parse, spec.cidr, "spec.cidr")[1]
        key = block_key(network)
        try:
            restored(stored.metadata, self._group)
            value = Block(
                cidr=network.text,
                affinity=spec.affinity,
                affinity_claim_time=canonical_time(spec.affinity_claim_time, "spec.affinityClaimTime") or msgspec.UNSET,
                allocations=spec.allocations,
                unallocated=spec.unallocated,
                attributes=[_attribute(each) for each in spec.attributes],
                sequence_number=spec.sequence_number,
                sequence_numbers=_sorted(spec.sequence_numbers),
                deleted=spec.deleted,
            )
        except ConversionError as error:
            raise ConversionError(error.reason, (key,)) from None
        node = spec.affinity[len(_HOST) :] if spec.affinity and spec.affinity.startswith(_HOST) else None
        return (Converted(key, encode_msgpack(value), node_attribute(node)),)


def _attribute(stored: _StoredAttribute) -> _Attribute:
    return _Attribute(
        handle_id=stored.handle_id,
        secondary=sorted_map(stored.secondary),
        alternate=sorted_map(stored.alternate_owner_attrs or stored.alternate),
        released_at=canonical_time(stored.released_at, "spec.attributes[].releasedAt"),
    )


def _sorted(numbers: dict[str, int] | None) -> dict[str, int] | None:
    return None if numbers is None else dict(sorted(numbers.items()))
