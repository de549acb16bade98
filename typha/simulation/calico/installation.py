"""Calico in a simulated cluster: it writes its objects, gives pods their addresses, and changes something at a time.

Place: `cluster` owns one where it was asked for Calico; all that is written goes to the same `store`.

Invariants:
1. `change` makes exactly one change in the store, and which one depends on the seed and the calls before alone.
2. After `populate`, and whenever no `Write` is left to do, blocks and pods' addresses agree.
3. Every fourth node has two address families, and so have its pods.

Not taken: the order in which a real CNI plugin retries; each step succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from typha.simulation import objects
from typha.simulation.calico import hosts, policies, routing
from typha.simulation.calico.documents import Document
from typha.simulation.calico.ipam import Block, Ipam, owner_of_pod, owner_of_tunnel, v6_address
from typha.simulation.store import Store

Write = Callable[[], None]
"""Makes one change in the store."""

# Out of 100 changes of Calico's own objects: sets of bad addresses change most, pools hardly ever.
_WEIGHTS: Final = {
    "threats": 18,
    "partners": 14,
    "web": 14,
    "egress": 14,
    "node_status": 12,
    "staged": 6,
    "uplink": 5,
    "felix_of_node": 4,
    "felix": 3,
    "deny": 2,
    "peer": 2,
    "bgp": 2,
    "migration": 1,
    "pool": 3,
}
_KINDS: Final = tuple(_WEIGHTS)
_SHARES: Final = tuple(_WEIGHTS.values())
_RACKS: Final = 3
_UPLINK_EVERY: Final = 4
_DUAL_EVERY: Final = 4
# Nodes with a configuration, a status and a peer of their own.
_SINGLED_OUT: Final = 3
# Offsets in a node's range that pods do not get.
_TUNNEL: Final = 0
_WIREGUARD: Final = 1
FIRST_POD: Final = 2


class Installation:
    """Calico's part of a cluster of `nodes` with `span` addresses each and one tenant per namespace of `spaces`."""

    def __init__(self, store: Store, *, seed: int, nodes: Sequence[str], spaces: Sequence[str], span: int) -> None:
        self._store = store
        self._random = Random(seed)
        self._nodes = nodes
        self._spaces = spaces
        self._span = span
        self._half = routing.half_of(len(nodes), span)
        self._ipam = Ipam(nodes, span)
        self._keys = [0] * len(nodes)
        self._revision = 0

    # Nodes and pods, as `cluster` writes them

    def node(self, number: int, now: str) -> dict[str, Any]:
        """The Node with what Calico adds to it."""
        made = objects.node(number, self._nodes[number], self._span, now)
        tunnel_ip, wireguard_ip = (objects.range_ip(number, each, self._span) for each in (_TUNNEL, _WIREGUARD))
        made["metadata"]["annotations"] |= hosts.node_annotations(
            number, self._tunnel(number), tunnel_ip, wireguard_ip, self._keys[number]
        )
        made["metadata"]["labels"] |= hosts.node_labels(number)
        return made

    def rotate_key(self, number: int) -> bool:
        """Give node `number` another WireGuard key with its next write; False where it has none."""
        self._keys[number] += hosts.has_wireguard(number)
        return hosts.has_wireguard(number)

    def addresses(self, node: int, slot: int) -> list[str]:
        """A pod's addresses, IPv4 first."""
        v4 = objects.pod_ip(node, slot, self._span)
        return [v4, v6_address(node * self._span + slot + FIRST_POD)] if _is_dual(node) else [v4]

    def take(self, node: int, slot: int, space: str, pod: str, container: str) -> list[Write]:
        """A pod gets the addresses of `slot`: the changes to make, blocks first."""
        owner = owner_of_pod(space, pod, self._nodes[node], container)
        blocks = [self._ipam.take(node, slot + FIRST_POD, owner, version) for version in _versions(node)]
        return [write for block in blocks for write in self._writes(block)]

    def release(self, node: int, slot: int) -> list[Write]:
        """A pod gives them back: the changes to make."""
        blocks = [self._ipam.release(node, slot + FIRST_POD, version) for version in _versions(node)]
        return [write for block in blocks for write in self._writes(block)]

    def start_with(self, node: int, slot: int, space: str, pod: str, container: str) -> None:
        """As `take`, before `populate_blocks` writes all blocks at once."""
        owner = owner_of_pod(space, pod, self._nodes[node], container)
        for version in _versions(node):
            self._ipam.take(node, slot + FIRST_POD, owner, version)

    # The whole

    def populate(self) -> None:
        """Everything but the blocks of addresses."""
        made = [hosts.cluster_information(), hosts.felix_default(), routing.configuration(), routing.bgp_filter()]
        made += [*routing.pools(len(self._nodes), self._span), *routing.peers(_RACKS), *policies.everybody()]
        for number, space in enumerate(self._spaces):
            made += policies.tenant(space, number)
        for number, node in enumerate(self._nodes):
            made.append(hosts.host_endpoint(number, node))
            if number % _UPLINK_EVERY == 0:
                made.append(hosts.uplink(number, node))
            self._ipam.take(number, _TUNNEL, owner_of_tunnel(node, self._tunnel(number)))
            if hosts.has_wireguard(number):
                self._ipam.take(number, _WIREGUARD, owner_of_tunnel(node, "wireguard"))
        for number, node in enumerate(self._nodes[:_SINGLED_OUT]):
            made += [hosts.felix_of_node(node), hosts.node_status(node, _SINGLED_OUT)]
            made += [routing.node_peer(number, node), routing.bgp_of_node(number, node)]
        made.append(hosts.migration(self._spaces[0], "virt-launcher-guest"))
        for document in made:
            self._store.create(*document)

    def populate_blocks(self) -> None:
        """The blocks and affinities of all addresses that are held."""
        for block in self._ipam.blocks():
            for write in self._writes(block):
                write()

    def change(self) -> None:
        """Edit one of Calico's objects."""
        self._revision += 1
        before = self._store.resource_version
        self._put(self._edited(self._random.choices(_KINDS, weights=_SHARES)[0]))
        if self._store.resource_version == before:
            # Chance has made what was there already; a status never repeats.
            self._put(hosts.node_status(self._nodes[0], _SINGLED_OUT, self._revision))

    def _edited(self, kind: str) -> Document:
        revision, random = self._revision, self._random
        tenant = random.randrange(len(self._spaces))
        space = self._spaces[tenant]
        singled_out = self._nodes[random.randrange(min(_SINGLED_OUT, len(self._nodes)))]
        match kind:
            case "threats":
                return policies.threats(revision)
            case "partners":
                return policies.partners(space, tenant, revision)
            case "web":
                return policies.web(space, tenant, revision)
            case "egress":
                return policies.egress_blocks(space, tenant, revision)
            case "staged":
                return policies.staged(space, tenant, revision)
            case "deny":
                return policies.default_deny(revision)
            case "uplink":
                number = random.randrange(0, len(self._nodes), _UPLINK_EVERY)
                return hosts.uplink(number, self._nodes[number], revision)
            case "felix":
                return hosts.felix_default(revision)
            case "felix_of_node":
                return hosts.felix_of_node(singled_out, revision)
            case "peer":
                return routing.top_of_rack(random.randrange(_RACKS), revision)
            case "bgp":
                return routing.configuration(revision)
            case "pool":
                return routing.pools(len(self._nodes), self._span, revision)[-1]
            case "migration":
                return hosts.migration(self._spaces[0], "virt-launcher-guest", revision)
            case _:
                return hosts.node_status(singled_out, _SINGLED_OUT, revision)

    # Inside

    def _tunnel(self, number: int) -> str:
        return "ipip" if number * self._span < self._half else "vxlan"

    def _writes(self, block: Block) -> list[Write]:
        def write_block() -> None:
            self._put(block.document())
            block.sequence += 1

        if block.sequence:
            return [write_block]
        # Claimed first, as Calico does: a block without its affinity is nobody's.
        return [lambda: self._put(block.affinity()), write_block]

    def _put(self, document: Document) -> None:
        is_there = document.key in self._store.table(document.resource).objects
        (self._store.replace if is_there else self._store.create)(*document)


def _versions(node: int) -> tuple[int, ...]:
    return (4, 6) if _is_dual(node) else (4,)


def _is_dual(node: int) -> bool:
    return node % _DUAL_EVERY == _DUAL_EVERY - 1
