"""Who holds which address: blocks of 64, each with an affinity to one node. Pure.

Place: `installation` takes and releases addresses here when pods start and end, and writes the blocks they touch.

Invariants:
1. The address `offset` of node n is number `n * span + offset` of either family's net (`objects.pod_ip` agrees), and
   its block is the 64 addresses around it: a block belongs to one node for ever.
2. A block lists exactly the addresses that are held, each with attributes of its own, in the order of the ordinals.
3. Each write of a block has the next sequence number, and an allocation keeps that of its own time.

Not taken: affinities that are given back, and blocks borrowed by other nodes: the simulated nodes own their ranges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, Final

from typha.simulation.calico.documents import Document, calico
from typha.simulation.objects import address

BLOCK_SIZE: Final = 64
_V4: Final = 10 << 24
V6_NET: Final = "fd00:10:244::"
_V6: Final = int(IPv6Address(V6_NET))


Owner = Mapping[str, Any]
"""What holds an address, as an element of `spec.attributes`: the handle, and what Calico keeps beside it."""


def owner_of_pod(space: str, pod: str, node: str, container: str) -> Owner:
    """A pod's container `container` (64 hex digits)."""
    return {
        "handle_id": f"k8s-pod-network.{container}",
        "secondary": {"namespace": space, "node": node, "pod": pod},
    }


def owner_of_tunnel(node: str, kind: str) -> Owner:
    """A node's tunnel device: `ipip`, `vxlan` or `wireguard`."""
    return {
        "handle_id": f"{kind}-tunnel-addr-{node}",
        "secondary": {"node": node, "type": f"{kind}TunnelAddress"},
    }


def v6_address(number: int) -> str:
    """Address `number` of the cluster's IPv6 net."""
    return str(IPv6Address(_V6 + number))


@dataclass(slots=True)
class Block:
    """64 addresses of one family, from `first` on, of the node `node`."""

    node: str
    first: int
    version: int
    owners: dict[int, Owner] = field(default_factory=dict)
    free: list[int] = field(default_factory=lambda: list(range(BLOCK_SIZE)))
    sequences: dict[int, int] = field(default_factory=dict)
    sequence: int = 0

    @property
    def cidr(self) -> str:
        """As in `spec.cidr`."""
        return f"{address(_V4 + self.first)}/26" if self.version == 4 else f"{v6_address(self.first)}/122"

    def affinity(self) -> Document:
        """The BlockAffinity that gives the block to its node."""
        spec = {"cidr": self.cidr, "deleted": "false", "node": self.node, "state": "confirmed", "type": "host"}
        return calico("blockaffinities", f"{self.node}-{_name(self.cidr)}", spec)

    def document(self) -> Document:
        """The IPAMBlock as it is now."""
        held = sorted(self.owners)
        allocations: list[int | None] = [None] * BLOCK_SIZE
        for index, ordinal in enumerate(held):
            allocations[ordinal] = index
        spec: dict[str, Any] = {
            "cidr": self.cidr,
            "affinity": f"host:{self.node}",
            "allocations": allocations,
            "unallocated": self.free,
            "attributes": [self.owners[each] for each in held],
            "sequenceNumber": self.sequence,
            "sequenceNumberForAllocation": {str(each): self.sequences[each] for each in held},
            "deleted": False,
            "strictAffinity": False,
        }
        return calico("ipamblocks", _name(self.cidr), spec)


class Ipam:
    """All blocks of a cluster whose nodes have ranges of `span` addresses."""

    def __init__(self, nodes: Sequence[str], span: int) -> None:
        self._nodes = nodes
        self._span = span
        self._blocks: dict[tuple[int, int], Block] = {}

    def take(self, node: int, offset: int, owner: Owner, version: int = 4) -> Block:
        """Give the free address to `owner`; the block that changed, `sequence` 0 where it is new."""
        block, ordinal = self._find(node, offset, version)
        block.free.remove(ordinal)
        block.owners[ordinal] = owner
        block.sequences[ordinal] = block.sequence
        return block

    def release(self, node: int, offset: int, version: int = 4) -> Block:
        """Take the address back; the block that changed."""
        block, ordinal = self._find(node, offset, version)
        del block.owners[ordinal], block.sequences[ordinal]
        block.free.append(ordinal)
        return block

    def blocks(self) -> Iterator[Block]:
        """All, in the order in which they were needed."""
        return iter(self._blocks.values())

    def _find(self, node: int, offset: int, version: int) -> tuple[Block, int]:
        number, ordinal = divmod(node * self._span + offset, BLOCK_SIZE)
        block = self._blocks.get((number, version))
        if block is None:
            block = Block(self._nodes[node], number * BLOCK_SIZE, version)
            self._blocks[number, version] = block
        return block, ordinal


def _name(cidr: str) -> str:
    # Calico's names for objects of a CIDR: its dots, colons and the slash become dashes.
    return cidr.replace(".", "-").replace(":", "-").replace("/", "-")
