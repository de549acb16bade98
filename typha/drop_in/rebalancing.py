"""How many connections a Typha should hold, which one goes next, and when: pure, with time and chance as arguments.

Place: `typhas` polls and computes the limit; the server's tick asks `Shedder.due`, and closes what it names; its
drain keeps `drain_interval_s` between two closes.

1. Nobody is refused for the limit: a healthy server must take what a dead one has lost. It sheds what is too much.
2. One connection goes per interval, chosen at random: there is no order in which a crowd could come back.
3. Who asks late gets at most `CATCH_UP` at once: a loop that stood still must not close a crowd.
4. A drain is over after 95 % of its time, whatever the number of connections.

Source: Calico, typha/pkg/k8s/rebalance.go and typha/pkg/syncserver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, TypeVar

Connection = TypeVar("Connection")

SYNCERS: Final = 4
"""Agents of each node: Felix, confd, the tunnel allocator, the node-status reporter."""
# Per cent of an even share among the others: room for one Typha that is gone, and 20 % on top.
_HEADROOM_PERCENT: Final = 120
_JITTER: Final = 0.1
_DRAIN_SHARE: Final = 0.95
CATCH_UP: Final = 10


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


class Shedder:
    """One connection per interval (and up to a tenth more) while there are more than ``limit``."""

    def __init__(self, interval_s: float, limit: int, *, random: Callable[[], float], now: float) -> None:
        self.limit = limit
        self.dropped = 0
        self.next_at = now
        """When to ask again."""
        self._interval_s = interval_s
        self._random = random
        self._step()

    def due(self, now: float, connections: Sequence[Connection]) -> list[Connection]:
        """Those to close now. Costs the number of connections only where there are too many of them."""
        wanted = min(self._passed(now), len(connections) - self.limit)
        if wanted <= 0:
            return []
        chosen = _choose(connections, wanted, self._random)
        self.dropped += len(chosen)
        return chosen

    def _passed(self, now: float) -> int:
        """Intervals that have ended since the last call."""
        found = 0
        while now >= self.next_at:
            found += 1
            if found == CATCH_UP:
                self.next_at = now
            self._step()
        return found

    def _step(self) -> None:
        self.next_at += self._interval_s * (1 + _JITTER * self._random())


def drain_interval_s(connections: int, timeout_s: float, longest_s: float) -> float:
    """Between two closes of a drain."""
    return min(_DRAIN_SHARE * timeout_s / max(1, connections), longest_s)


def _choose(connections: Sequence[Connection], wanted: int, random: Callable[[], float]) -> list[Connection]:
    left, chosen = list(connections), []
    for _ in range(wanted):
        place = min(int(random() * len(left)), len(left) - 1)
        left[place], left[-1] = left[-1], left[place]
        chosen.append(left.pop())
    return chosen
