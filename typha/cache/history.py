"""Which cursors a topic can still answer with changes alone: the deletion horizon and the gaps.

Invariant (b) of the design: a key that existed at cursor c and does not now has a tombstone above c, for every
c that ``resumable`` accepts.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from typha.cache.views import Burial

# Every gap is looked at for every resume; more of them mean a cluster in trouble, and reconcile is cheap.
MAX_GAPS: Final = 16


class History:
    """Tombstones in the order they were made, the horizon behind them, and the gaps between re-lists."""

    __slots__ = ("_order", "gaps", "horizon", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.horizon = 0
        self.gaps: list[tuple[int, int]] = []
        self._order: deque[Burial] = deque()

    def bury(self, burial: Burial) -> None:
        """Remember a tombstone for trimming."""
        self._order.append(burial)

    def add_gap(self, lo: int, hi: int) -> None:
        """A re-list may have missed what was born and deleted strictly between."""
        if hi - lo > 1:
            self.gaps.append((lo, hi))
        while len(self.gaps) > MAX_GAPS:
            self.raise_horizon(self.gaps[0][1])

    def raise_horizon(self, rv: int) -> None:
        """Cursors below ``rv`` are answered by a reconcile from now on."""
        self.horizon = max(self.horizon, rv)
        self.gaps = [gap for gap in self.gaps if gap[1] > self.horizon]

    def trim(self, published: int) -> None:
        """Forget the oldest tombstones beyond the limit, but none above ``published``: every round has sent it."""
        order = self._order
        while len(order) > self.limit and order[0].rv <= published:
            burial = order.popleft()
            if burial.log.forget_tombstone(burial.key, burial.rv):
                self.raise_horizon(burial.rv)

    def resumable(self, cursor: int) -> bool:
        """Whether what changed since the cursor, deletions included, is known completely."""
        return cursor >= self.horizon and not any(lo < cursor < hi for lo, hi in self.gaps)

    def clear(self, horizon: int) -> None:
        """Start anew at that horizon."""
        self._order.clear()
        self.gaps = []
        self.horizon = horizon
