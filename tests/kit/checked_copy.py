"""What the handlers of one topic saw, and whether the server kept its promises in it."""

from __future__ import annotations

from enum import Flag, auto

from tests.kit.server import state_in_form
from tests.kit.truth import Life, State, Truth, Where
from typha_client import events as e
from typha_client.replica import Replica


class Promise(Flag):
    """What is checked on the spot (docs/protocol.md, section 1; the last two are the cache's: tests/kit/invariants)."""

    STATE = auto()
    ORDERED = auto()
    UNIQUE = auto()
    MONOTONIC = auto()
    ENTRY_BOUNDS = auto()
    DELETIONS = auto()
    ALL = STATE | ORDERED | UNIQUE | MONOTONIC | ENTRY_BOUNDS | DELETIONS


class CheckedCopy:
    """``held`` is made from the changes alone; ``bookmarked`` is the last Bookmark of this connection."""

    def __init__(self, name: str, truth: Truth, topic: str) -> None:
        self.name = name
        self.truth = truth
        self.topic = topic
        self.promises = Promise.ALL
        self.held: State = {}
        self.bookmarked: int | None = None
        self._versions: dict[str, int] = {}
        self._lived_in: Life | None = None

    def committed(self, event: e.Committed, replica: Replica, where: Where) -> None:
        """Promises 1, 3, 4 and 7, and the state."""
        if Promise.ORDERED in self.promises:
            order = [(change.rv, change.op != "delete") for change in event.changes]
            assert order == sorted(order), f"handlers of {self.name} saw changes out of rv order: {order}"
        for change in event.changes:
            is_new = self.held.get(change.key) != change.encoded
            assert is_new or Promise.UNIQUE not in self.promises, f"{self.name}: a version of {change.key} twice"
            if change.encoded is None:
                self.held.pop(change.key, None)
            else:
                self.held[change.key] = change.encoded
        self._holds_truth(event.cursor, replica, where)
        if Promise.MONOTONIC in self.promises:
            self._does_not_travel(event, self._life(replica))

    def was_bookmarked(self, event: e.Bookmarked, replica: Replica, where: Where) -> None:
        """Promise 6. At a server that is behind, the Bookmark is below the cursor, which does not go back."""
        assert replica.cursor is not None
        assert replica.cursor >= event.cursor
        self._holds_truth(replica.cursor, replica, where)
        self.bookmarked = event.cursor

    def is_in_sync_at_the_end(self, replica: Replica, where: Where) -> None:
        """Nothing moves any more: the newest state, at a Bookmark at the newest revision."""
        assert self.bookmarked is not None, f"{self.name} was never told that {self.topic} is in sync"
        newest = 0 if self.truth.is_absent else self.truth.rv
        assert replica.cursor == newest, f"{self.name} ends at {replica.cursor} of {self.topic}, not {newest}"
        self._holds_truth(newest, replica, where)

    def _does_not_travel(self, event: e.Committed, life: Life) -> None:
        """Per key, the true change that handlers saw never decreases, over all servers of one life."""
        if life is not self._lived_in or event.cursor == 0:
            self._versions.clear()
            self._lived_in = life
        for change in event.changes:
            version = life.last_change(self.topic, change.key, event.cursor)
            before = self._versions.get(change.key, 0)
            assert version >= before, f"{self.name}: {change.key} travelled back from {before} to {version}"
            self._versions[change.key] = version

    def _holds_truth(self, cursor: int, replica: Replica, where: Where) -> None:
        expected = state_in_form(replica.format, self._life(replica).state(self.topic, cursor, where))
        if Promise.STATE in self.promises:
            assert self.held == expected, f"{self.name} at cursor {cursor}: {self.held} is not {expected}"

    def _life(self, replica: Replica) -> Life:
        """The life of the cluster that its last commit came from."""
        assert replica.cluster is not None
        return self.truth.lives[int(replica.cluster.removeprefix("uid/"))]
