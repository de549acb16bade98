"""One topic on one connection: what is staged, and when it may be committed (protocol sections 3 and 5).

Its place: session -> *topic stream* -> replica. Pure. Its states and what each frame does in them, the whole table::

    phase        Entries  with through  Bookmark   KeyDigest   KeyIndex    Reset
    LIVE         stage    commit        commit     compare     breach      SNAPSHOT
    SNAPSHOT     stage    stage         replace    compare     breach      SNAPSHOT
    RECONCILE    stage    stage         (age only) compare     breach      SNAPSHOT
    INDEXING     stage    stage         (age only) compare     collect     SNAPSHOT
    RECONCILED   stage    stage         commit     compare     too late    SNAPSHOT

``compare`` asks for the buckets that differ: INDEXING, or RECONCILED where none does. ``commit`` ends in LIVE.
A topic that began as a snapshot stays one through INDEXING and RECONCILED (``replaces``): its commit replaces.

Invariants
1. Nothing reaches the replica but whole commits; a stream that is dropped leaves no trace in it.
2. From Welcome(reconcile) or KeyDigest until the last bucket asked for is in, neither ``through`` nor Bookmark commits.
3. An index deletes only what is held or staged at rv <= its ``at``, and only in buckets that were asked for.
4. An index older than the open digest is no answer to it and is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from typha.wire.digests import digests_of, keys_in_buckets
from typha.wire.errors import BadPayloadError, UnexpectedFrameError
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameType
from typha.wire.messages import Entries, KeyDigest, KeyIndex, KeyRequest
from typha.wire.states import Mode
from typha_client.changes import Change
from typha_client.replica import Replica, Staged

# A bucket number takes at most 3 bytes (65,535 as uint 16); the rest of a KeyRequest fits into 64.
MAX_BUCKETS_ASKED: Final = (SERVER_INBOUND_LIMIT_BYTES - 64) // 3


class Phase(Enum):
    """Where a topic stands between Welcome and its end (table above)."""

    LIVE = "live"
    SNAPSHOT = "snapshot"
    RECONCILE = "reconcile"
    INDEXING = "indexing"
    RECONCILED = "reconciled"


_FIRST_PHASE: Final = {Mode.SNAPSHOT: Phase.SNAPSHOT, Mode.RESUME: Phase.LIVE, Mode.RECONCILE: Phase.RECONCILE}
_THROUGH_COMMITS: Final = frozenset({Phase.LIVE})
_BOOKMARK_COMMITS: Final = frozenset({Phase.LIVE, Phase.SNAPSHOT, Phase.RECONCILED})
_INDEX_EXPECTED: Final = frozenset({Phase.INDEXING, Phase.RECONCILED})


class TopicStream:
    """The staging of one topic. ``mode``: how the commit that is due came about; None once live."""

    def __init__(self, replica: Replica, topic_id: int, mode: Mode, cluster: str, form: str) -> None:
        self.replica = replica
        self.topic_id = topic_id
        self.cluster = cluster
        self.format = form
        self.mode: Mode | None = mode
        self.phase = _FIRST_PHASE[mode]
        self.replaces = mode is Mode.SNAPSHOT
        self._staged: dict[str, Staged] = {}
        self._digest: KeyDigest | None = None
        self._missing: set[int] = set()
        self._members: dict[int, list[str]] = {}
        self._late: list[str] = []
        if self.replaces:
            replica.void_cursor()
        elif replica.cursor is None or replica.cluster != cluster or replica.format != form:
            raise UnexpectedFrameError(
                FrameType.WELCOME, f"mode {mode} for {replica.name}, which offered no such cursor, cluster and format"
            )

    @property
    def staged_entries(self) -> int:
        """Entries that wait for their commit."""
        return len(self._staged)

    def entries(self, frame: Entries) -> list[Change] | None:
        """Stage a frame; the changes where its ``through`` commits (maybe an empty list), else None."""
        staged = self._staged
        for key, rv in frame.deletes:
            known = staged.get(key)
            if known is None or rv > known.rv:
                staged[key] = Staged(rv, None)
        for key, rv, value in frame.puts:
            known = staged.get(key)
            if known is None or rv >= known.rv:
                staged[key] = Staged(rv, value)
        if self.phase is Phase.INDEXING:
            self._late.extend(put.key for put in frame.puts)
        if frame.through is None or self.phase not in _THROUGH_COMMITS:
            return None
        return self._commit(frame.through)

    def bookmark(self, cursor: int) -> list[Change] | None:
        """The changes where the Bookmark commits (maybe an empty list), else None."""
        return self._commit(cursor) if self.phase in _BOOKMARK_COMMITS else None

    def key_digest(self, digest: KeyDigest) -> KeyRequest:
        """Compare with held and staged keys at this point of the stream. A newer digest replaces an open one."""
        ours = digests_of(self._standing_keys(), digest.salt, digest.bits)
        differing = [bucket for bucket, pair in enumerate(zip(ours, digest.digests, strict=True)) if pair[0] != pair[1]]
        self._digest = digest
        all_asked = len(differing) > MAX_BUCKETS_ASKED
        self._missing = set(range(1 << digest.bits)) if all_asked else set(differing)
        # Hashed once here: an index may come in many parts, and each would hash every key again.
        self._members = keys_in_buckets(self._standing_keys(), digest.salt, digest.bits, frozenset(self._missing))
        self._late = []
        self.mode = Mode.SNAPSHOT if self.replaces else Mode.RECONCILE
        self.phase = Phase.INDEXING if differing else Phase.RECONCILED
        return KeyRequest(self.topic_id, digest.at, None if all_asked else differing)

    def key_index(self, index: KeyIndex) -> None:
        """Delete what the index lacks. Raises UnexpectedFrameError, BadPayloadError."""
        digest = self._digest
        if digest is None or self.phase not in _INDEX_EXPECTED:
            raise UnexpectedFrameError(FrameType.KEY_INDEX, f"no KeyDigest of {self.replica.name} is open")
        if self.phase is Phase.RECONCILED or index.at < digest.at:
            return
        asked = self._missing.intersection(index.buckets)
        alive = set(index.keys)
        late = keys_in_buckets(self._late, digest.salt, digest.bits, frozenset(self._missing))
        self._late = []
        for bucket, members in late.items():
            self._members[bucket] += members
        for bucket in asked:
            for key in self._members.pop(bucket):
                if key not in alive and self._stands_at_or_below(key, index.at):
                    self._staged[key] = Staged(index.at, None)
        self._missing -= asked
        if not self._missing:
            self.phase = Phase.RECONCILED
        elif index.part == index.parts - 1:
            raise BadPayloadError(
                FrameType.KEY_INDEX, f"last part, but {len(self._missing)} buckets of {self.replica.name} never came"
            )

    def reset(self, cluster: str, form: str) -> None:
        """A new life in mid-session: what follows is a snapshot; what was staged is void."""
        self.cluster, self.format = cluster, form
        self._staged = {}
        self._digest = None
        self._missing = set()
        self._members = {}
        self._late = []
        self.phase, self.mode, self.replaces = Phase.SNAPSHOT, Mode.SNAPSHOT, True
        self.replica.void_cursor()

    def _commit(self, cursor: int) -> list[Change]:
        staged, self._staged = self._staged, {}
        if self.replaces:
            changes = self.replica.commit_snapshot(staged, cursor, self.cluster, self.format)
        else:
            changes = self.replica.commit(staged, cursor)
        self._digest = None
        self._members = {}
        self._late = []
        self.mode, self.phase, self.replaces = None, Phase.LIVE, False
        return changes

    def _standing_keys(self) -> Iterable[str]:
        """Keys that would be held if the stream were committed here."""
        if not self.replaces:
            for key in tuple(self.replica.entries):
                entry = self._staged.get(key)
                if entry is None or entry.encoded is not None:
                    yield key
        held = () if self.replaces else self.replica.entries
        for key, entry in tuple(self._staged.items()):
            if entry.encoded is not None and key not in held:
                yield key

    def _stands_at_or_below(self, key: str, at: int) -> bool:
        entry = self._staged.get(key)
        if entry is None:
            return self.replica.entries[key].rv <= at
        return entry.encoded is not None and entry.rv <= at
