"""How many connections a Typha should hold, and the pace of its drain: Calico's formulas, pure.

Place: `typhas` polls and computes the limit of a `replicas.balance.Shedder`, the same that keeps our own shares; a
drain keeps `drain_interval_s` between two closes.

1. The limit follows from nodes and Typhas, not from loads: a Typha of Calico's own among them says nothing of its load.
2. A drain is over after 95 % of its time, whatever the number of connections.

Source: Calico, typha/pkg/k8s/rebalance.go and typha/pkg/syncserver.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

SYNCERS: Final = 4
"""Agents of each node: Felix, confd, the tunnel allocator, the node-status reporter."""
# Per cent of an even share among the others: room for one Typha that is gone, and 20 % on top.
_HEADROOM_PERCENT: Final = 120
_DRAIN_SHARE: Final = 0.95


class Limit(NamedTuple):
    """Connections to hold at most, and why so many."""

    connections: int
    reason: Literal["lone typha", "configured lower limit", "fraction+20%", "configured upper limit", "error"]


def connection_limit(nodes: int, typhas: int, *, lower: int, upper: int, syncers: int = SYNCERS) -> Limit:
    """The limit of one of ``typhas`` servers in a cluster of ``nodes``. Whole numbers throughout, as in Typha."""
    if typhas <= 1:
        return Limit(upper, "lone typha")
    share = syncers * (1 + nodes * _HEADROOM_PERCENT // (typhas - 1) // 100)
    limit = Limit(share, "fraction+20%") if share > lower else Limit(lower, "configured lower limit")
    return Limit(upper, "configured upper limit") if limit.connections > upper else limit


def drain_interval_s(connections: int, timeout_s: float, longest_s: float) -> float:
    """Between two closes of a drain."""
    return min(_DRAIN_SHARE * timeout_s / max(1, connections), longest_s)
