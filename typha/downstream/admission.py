"""Who may read a snapshot now. Pure.

Snapshots are the expensive thing: without a bound, a restart of 5,000 agents holds a slice for each of them.

Invariants
1. At most ``limit`` subscribers that take bytes read snapshots; the others wait in the order they came.
2. A joiner whose socket stalls gives its place up, and goes on reading without it: 64 sleepers stop nobody.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from typha.downstream.streams import Subscriber

# Longer than any pause of a healthy reader on a busy node, far shorter than the stuck timeout.
STALL_S: Final = 1.0


class Joiners:
    """Places for readers of snapshots."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._active: dict[Subscriber, tuple[int, float] | None] = {}
        self._waiting: dict[Subscriber, None] = {}

    @property
    def count(self) -> int:
        """Readers that hold a place."""
        return len(self._active)

    @property
    def waiting_count(self) -> int:
        """Subscribers that wait for a place."""
        return len(self._waiting)

    def enter(self, subscriber: Subscriber) -> bool:
        """Take (or keep) a place; False: it waits, ``leave`` of another will name it."""
        if subscriber in self._active:
            return True
        if len(self._active) >= self.limit:
            self._waiting[subscriber] = None
            return False
        self._waiting.pop(subscriber, None)
        self._active[subscriber] = None
        return True

    def leave(self, subscriber: Subscriber) -> list[Subscriber]:
        """Give the place up; the subscribers that should try to enter now."""
        self._waiting.pop(subscriber, None)
        if subscriber not in self._active:
            return []
        del self._active[subscriber]
        return list(islice(self._waiting, self.limit - len(self._active)))

    def evict_stalled(self, now: float) -> list[Subscriber]:
        """Joiners whose socket took nothing for STALL_S; the caller lets them leave."""
        stalled = []
        for subscriber, mark in self._active.items():
            if subscriber.outlet.is_drained:
                self._active[subscriber] = None
            elif mark is None or mark[0] != subscriber.bytes_sent:
                self._active[subscriber] = (subscriber.bytes_sent, now)
            elif now - mark[1] >= STALL_S:
                stalled.append(subscriber)
        return stalled
