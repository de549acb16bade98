"""The agent's copy of one topic, and the set of them that outlives connections.

Its place: session -> *replica* -> handlers. Pure: no clock, no I/O; a session writes, everyone else reads.

Invariants
1. Between commits nothing changes: what is held is the API server's state at ``cursor``.
2. A commit is one diff, net per key, in rv order, at one rv deletes first; equal bytes move the rv in silence.
3. Within one ``cluster`` the cursor never goes back, and no put or delete older than the held rv is taken;
   a snapshot starts anew (``cursor`` None from ``void_cursor`` to its commit).
4. ``seen`` is at least the highest rv that was ever handed over in this cluster. It also counts puts whose bytes
   were equal: a server that has not reached them would show an older state.

Road not taken: applying frames as they come. A connection cut in mid catch-up would leave keys from above the
cursor, and a snapshot over held state would let handlers see the past (protocol section 3).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from typha.wire.digests import entry_digest
from typha.wire.messages import ResumeTopic, Where
from typha_client.changes import DELETE, PUT, Change, decode_value
from typha_client.indexes import FieldIndex, FieldPath


class Held(NamedTuple):
    """One entry of the copy: upstream rv and msgpack bytes of the value."""

    rv: int
    encoded: bytes


class Staged(NamedTuple):
    """One entry on its way: ``encoded`` None is a delete."""

    rv: int
    encoded: bytes | None


class Replica:
    """Copy of one topic under one filter. Only a Session writes to it."""

    def __init__(self, name: str, where: Where | None = None, *, verify: bool = False) -> None:
        self.name = name
        self.where: Where = dict(where or {})
        self.cluster: str | None = None
        self.format = ""
        self.cursor: int | None = None
        self.seen = 0
        self.entries: dict[str, Held] = {}
        self.indexes: dict[str, FieldIndex] = {}
        self.rolling_digest: int | None = 0 if verify else None

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def get(self, key: str) -> Any:
        """The value, decoded; None where the key is not held."""
        held = self.entries.get(key)
        return None if held is None else decode_value(held.encoded, key)

    def rv(self, key: str) -> int | None:
        """The resourceVersion of a held key."""
        held = self.entries.get(key)
        return None if held is None else held.rv

    def keys(self) -> tuple[str, ...]:
        """All keys held."""
        return tuple(self.entries)

    def items(self) -> Iterator[tuple[str, int, Any]]:
        """(key, rv, value) of everything held; safe against commits in between."""
        for key, held in tuple(self.entries.items()):
            yield key, held.rv, decode_value(held.encoded, key)

    def add_index(self, name: str, path: FieldPath) -> FieldIndex:
        """Declare an index by a field path; what is held already is indexed at once."""
        if name in self.indexes:
            raise ValueError(f"topic {self.name} already has an index {name!r}")
        index = FieldIndex(path)
        for key, held in self.entries.items():
            index.put(key, held.encoded)
        self.indexes[name] = index
        return index

    def by_index(self, name: str, value: Hashable) -> tuple[str, ...]:
        """Keys whose indexed field has this value. Raises KeyError that says which indexes exist."""
        if name not in self.indexes:
            raise KeyError(f"topic {self.name} has no index {name!r}; declared: {sorted(self.indexes)}")
        return self.indexes[name].keys(value)

    def resume(self) -> ResumeTopic:
        """What Hello says of this topic (protocol section 5)."""
        return ResumeTopic(self.cursor, self.seen, self.format, self.where)

    def void_cursor(self) -> None:
        """A snapshot begins: the old cursor is good for nothing any more, the data stays until the commit."""
        self.cursor = None

    def commit(self, staged: Mapping[str, Staged], cursor: int) -> list[Change]:
        """Apply staged entries over what is held; the cursor moves to ``cursor``, never back."""
        changes = []
        entries, seen = self.entries, self.seen
        for key, (rv, encoded) in staged.items():
            held = entries.get(key)
            if encoded is not None:
                if held is not None and rv <= held.rv:
                    continue
                if held is None or held.encoded != encoded:
                    changes.append(self._put(key, rv, encoded, held))
                else:
                    entries[key] = Held(rv, held.encoded)
            elif held is not None and held.rv <= rv:
                changes.append(self._delete(key, rv, held))
            else:
                continue
            seen = max(seen, rv)
        self.seen = seen
        self.cursor = cursor if self.cursor is None else max(self.cursor, cursor)
        return _in_rv_order(changes)

    def commit_snapshot(self, staged: Mapping[str, Staged], cursor: int, cluster: str, form: str) -> list[Change]:
        """Replace what is held by what is staged, as one diff; what is not staged is deleted at ``cursor``."""
        if cluster != self.cluster:
            self.seen = 0
        self.cluster, self.format, self.cursor = cluster, form, cursor
        changes = []
        before = self.entries
        self.entries = {}
        for key, entry in staged.items():
            if entry.encoded is None:
                continue
            self.seen = max(self.seen, entry.rv)
            held = before.get(key)
            if held is not None and held.encoded == entry.encoded:
                self.entries[key] = Held(entry.rv, held.encoded)
            else:
                changes.append(self._put(key, entry.rv, entry.encoded, held))
        for key, held in before.items():
            if key not in self.entries:
                gone = staged.get(key)
                changes.append(self._delete(key, cursor if gone is None else gone.rv, held))
                self.seen = max(self.seen, cursor)
        return _in_rv_order(changes)

    def content_digest(self) -> str:
        """SHA-256 over (key, value bytes) sorted by key: equal exactly where the contents are equal."""
        digest = sha256()
        for key in sorted(self.entries):
            for part in (key.encode(), self.entries[key].encoded):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def recomputed_digest(self) -> int:
        """``rolling_digest`` from scratch (TYPHA_VERIFY compares the two)."""
        digest = 0
        for key, held in self.entries.items():
            digest ^= entry_digest(key, held.encoded)
        return digest

    def _put(self, key: str, rv: int, encoded: bytes, held: Held | None) -> Change:
        self.entries[key] = Held(rv, encoded)
        for index in self.indexes.values():
            index.put(key, encoded)
        before = None if held is None else held.encoded
        if self.rolling_digest is not None:
            self._roll(key, before, encoded)
        return Change(self.name, PUT, key, rv, encoded, before)

    def _delete(self, key: str, rv: int, held: Held) -> Change:
        self.entries.pop(key, None)
        for index in self.indexes.values():
            index.delete(key)
        self._roll(key, held.encoded, None)
        return Change(self.name, DELETE, key, rv, None, held.encoded)

    def _roll(self, key: str, before: bytes | None, after: bytes | None) -> None:
        if self.rolling_digest is not None:
            for encoded in (before, after):
                if encoded is not None:
                    self.rolling_digest ^= entry_digest(key, encoded)


def _in_rv_order(changes: list[Change]) -> list[Change]:
    if len(changes) > 1:
        changes.sort(key=lambda change: (change.rv, change.encoded is not None))
    return changes


@dataclass(slots=True)
class Replicas:
    """All topics of one client. It outlives sessions: a new Session over it resumes where the last one ended.

    ``wheres``: filter per topic name. ``cluster``: the one that the last commit belonged to.
    """

    wheres: Mapping[str, Where] = field(default_factory=dict)
    verify: bool = False
    cluster: str | None = None
    topics: dict[str, Replica] = field(default_factory=dict)

    def ensure(self, name: str) -> Replica:
        """The replica of a topic, made empty where it is new."""
        replica = self.topics.get(name)
        if replica is None:
            replica = self.topics[name] = Replica(name, self.wheres.get(name), verify=self.verify)
        return replica

    def resume(self) -> dict[str, ResumeTopic]:
        """Hello's ``resume.topics``: those of ``cluster``; topics of another life get a snapshot anyway."""
        if self.cluster is None:
            return {}
        return {name: replica.resume() for name, replica in self.topics.items() if replica.cluster == self.cluster}
