"""One topic for one subscriber: a cursor into a log, and how far it is on its way to being caught up.

    WAITING  the topic was never complete (or is from a file older than what the subscriber has seen): only its status
    WALKING  reading frames of a walk (snapshot or catch-up), as fast as its socket takes them
    SETTLING the walk is read; the next round decides: more changes, a reconcile, or LIVE
    LIVE     holds everything up to its stream's position; gets the shared frames of each round

Invariants
1. ``position`` is the rv up to which everything was handed to the socket; None before a snapshot.
2. While a reconcile is open (``is_staged``) no Bookmark goes out for this topic.
3. Nothing grows with the subscriber's slowness but the references of the one walk it is in.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from typha.cache.filters import Filter
from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.cache.walk import Encoding, Walk
from typha.wire.states import Mode


class Phase(Enum):
    """See the module."""

    WAITING = auto()
    WALKING = auto()
    SETTLING = auto()
    LIVE = auto()


class Subscription:
    """See the module. ``close`` must be called when the subscriber goes."""

    __slots__ = (
        "_number",
        "_walk",
        "applied",
        "digest_at",
        "digest_bits",
        "filter",
        "generation",
        "is_staged",
        "log",
        "owes_bookmark",
        "phase",
        "position",
        "requested",
        "seen",
        "topic",
    )

    def __init__(self, topic: Topic, wanted: Filter | None, mode: Mode, cursor: int | None, seen: int) -> None:
        self.topic = topic
        self.filter = wanted
        self.log: Log = topic.open(wanted)
        self.log.readers += 1
        self.generation = topic.generation
        self.seen = seen
        self.applied: int | None = None
        self.position = None if mode is Mode.SNAPSHOT else cursor
        self.is_staged = mode is Mode.RECONCILE
        self.digest_at: int | None = None
        self.digest_bits = 0
        self.requested: tuple[int, ...] | None = None
        self.owes_bookmark = True
        self.phase = Phase.SETTLING if self._is_readable else Phase.WAITING
        self._walk: Walk | None = None
        self._number = 0
        if self.phase is Phase.SETTLING and self.position is not None:
            # A cursor above our head: a bookmark ran ahead elsewhere, nothing changed in between.
            self.position = min(self.position, topic.head)

    @property
    def _is_readable(self) -> bool:
        """A topic from a file is, too; but nobody gets what is older than what it has seen."""
        return self.topic.has_synced or (self.topic.is_warm and self.seen <= self.topic.head)

    @property
    def is_complete(self) -> bool:
        """Caught up with a topic that is complete: what a Bookmark says."""
        return self.phase is Phase.LIVE and self.topic.has_synced

    @property
    def needs_snapshot(self) -> bool:
        """Settling without a position: wants a place among the joiners."""
        return self.phase is Phase.SETTLING and self.position is None

    @property
    def is_joining(self) -> bool:
        """Reading a snapshot now."""
        return self._walk is not None and self._walk.start is None

    @property
    def is_walking(self) -> bool:
        """Reading a snapshot or a catch-up."""
        return self._walk is not None

    @property
    def is_reconciling(self) -> bool:
        """A KeyDigest was sent and its answer is not served yet."""
        return self.digest_at is not None

    def begin_walk(self, walk: Walk) -> None:
        """Read this walk next."""
        self._end_walk()
        walk.readers += 1
        self._walk, self._number = walk, 0
        self.phase = Phase.WALKING

    def next_slice(self, encoding: Encoding, is_late: Callable[[], bool] = lambda: False) -> bytes | None:
        """The next frames of the walk; b"" where they are not built yet, None when it is read to its end."""
        walk = self._walk
        if walk is None:
            return None
        found = walk.read(self._number, encoding, is_late)
        if found is not None:
            self._number = found.end
            return found.frames
        self.position = walk.through
        self._end_walk()
        self.phase = Phase.SETTLING
        return None

    def reset(self) -> None:
        """The topic started anew (another life, or absent): what was sent is void."""
        self._end_walk()
        self.generation = self.topic.generation
        self.position = self.applied = None
        self.seen = 0
        self.is_staged = False
        self.digest_at = self.requested = None
        self.owes_bookmark = True
        self.phase = Phase.SETTLING if self._is_readable else Phase.WAITING

    def open_reconcile(self) -> None:
        """Deletions up to here may be forgotten: the keys have to be compared (again)."""
        self.is_staged = True
        self.digest_at = self.requested = None
        self.owes_bookmark = True

    def demote(self, position: int) -> None:
        """Leave the shared frames: its socket did not drain; catch up from ``position``."""
        self.position = position
        self.phase = Phase.SETTLING

    def close(self) -> None:
        """Let go of the walk and the log."""
        self._end_walk()
        self.log.readers -= 1

    def _end_walk(self) -> None:
        if self._walk is not None:
            self._walk.readers -= 1
            self._walk = None
