"""Blocks of host-local IPAM: with USE_POD_CIDR each pod CIDR of a node is a block of that node.

Place: v1/nodes -> the keys of `ipam_block`. Source: rule 4.7; libcalico-go `backend/syncersv1/updateprocessors`.

Invariants
1. Affinity is `host:NODE`; there are no allocations, which such nodes keep to themselves.
2. A pod CIDR that does not parse has no block, the others do; a `spec.podCIDR` that does not parse fails the node, as
   in all of its topics.

Road not taken: remembering the pod CIDRs of each node to delete vanished ones, as Calico does. The topic does that.
"""

from __future__ import annotations

from collections.abc import Sequence

from typha.convert.calico.ipam_block import Block, block_key, node_attribute
from typha.convert.calico.node_facts import facts_of, read_node
from typha.convert.calico.text import cidr
from typha.convert.calico.values import encode
from typha.convert.converter import Converted, form_of

__all__ = ["PodCidrBlocks"]


class PodCidrBlocks:
    """The converter, for clusters with host-local IPAM only."""

    def __init__(self, group: str = "", use_pod_cidr: bool = True) -> None:
        self.form = form_of(converter="calico/pod_cidr_block", version=1, group=group, use_pod_cidr=use_pod_cidr)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._use_pod_cidr = use_pod_cidr

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry for each pod CIDR. Raises ConversionError where Calico makes no node of it."""
        node = read_node(raw)
        facts_of(node, use_pod_cidr=self._use_pod_cidr)
        entries: dict[str, Converted] = {}
        if not self._use_pod_cidr:
            return ()
        for text in node.spec.pod_cidrs:
            try:
                network = cidr.parse(text)[1]
            except ValueError:
                continue
            key = block_key(network)
            value = Block(cidr=network.text, affinity=f"host:{object_name}")
            entries[key] = Converted(key, encode(value), node_attribute(object_name))
        return tuple(entries.values())
