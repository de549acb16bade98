"""What one consumer of a topic has still to see: at most one change a key, the newest. Pure.

Its place: commits -> *pending changes* -> a handler task or an iterator. One instance a consumer and topic.

Invariants
1. A consumer sees, per key, never an old version after a newer one; what it did not see in time is merged: newest
   wins, an add and its delete vanish together, a change back to what it saw last vanishes.
2. Changes come out in order of their rv (a merged one at its newest place).
3. ``applied`` is a cursor up to which everything that was handed out is *finished*, merged ones included.
4. Memory is bounded by the keys of the topic, however slow the consumer is.

Road not taken: a queue of events. It grows without bound behind a slow handler, and full of stale versions.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from typha_client.changes import Change, merge


class _Batch:
    """One commit: its cursor and how many of its keys are not finished."""

    __slots__ = ("cursor", "outstanding")

    def __init__(self, cursor: int, outstanding: int) -> None:
        self.cursor = cursor
        self.outstanding = outstanding


class PendingChanges:
    """The changes that a consumer has not taken yet."""

    def __init__(self) -> None:
        self.applied: int | None = None
        self.coalesced = 0
        # A plain dict that is popped from the front is quadratic: each look skips the holes of all before.
        self._pending: OrderedDict[str, tuple[Change, _Batch]] = OrderedDict()
        self._batches: deque[_Batch] = deque()
        self._taken: _Batch | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def push(self, changes: Iterable[Change], cursor: int) -> None:
        """A commit that ended at ``cursor``."""
        # A commit that finds nothing of the last one waiting joins it: batches stay fewer than keys.
        if self._batches and not self._batches[-1].outstanding:
            batch = self._batches[-1]
            batch.cursor = cursor
        else:
            batch = _Batch(cursor, 0)
            self._batches.append(batch)
        for change in changes:
            known = self._pending.pop(change.key, None)
            if known is None:
                batch.outstanding += 1
                self._pending[change.key] = (change, batch)
                continue
            self.coalesced += 1
            merged = merge(known[0], change)
            if merged is None:
                known[1].outstanding -= 1
            else:
                # It stays on its first batch's account: until then that batch's cursor is not applied.
                self._pending[change.key] = (merged, known[1])
        self._settle()

    def take(self) -> Change | None:
        """The next change; taking the next, or ``finish``, says that the one before is finished."""
        if self._taken is not None:
            self.finish()
        if not self._pending:
            return None
        _, (change, self._taken) = self._pending.popitem(last=False)
        return change

    def finish(self) -> None:
        """The change taken last is finished."""
        taken = self._taken
        if taken is not None:
            self._taken = None
            taken.outstanding -= 1
            if not taken.outstanding:
                self._settle()

    def _settle(self) -> None:
        while self._batches and not self._batches[0].outstanding:
            self.applied = self._batches.popleft().cursor
