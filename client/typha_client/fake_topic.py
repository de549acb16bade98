"""One topic of the fake server: values, their rvs and the deletions since the horizon. Pure; for tests only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgpack

from typha.wire import messages as m
from typha.wire.digests import digests_of, keys_in_buckets
from typha.wire.states import Mode, TopicState
from typha_client.indexes import field_values, path_parts

# A real server's salt is random; a test wants the same frames each time.
SALT: Final = b"fakesalt"
BITS: Final = 8


class FakeTopic:
    """``values``: key -> (rv, value). ``filters``: attribute -> field path."""

    def __init__(self, filters: Mapping[str, str], form: str = "fake/1") -> None:
        self.filters = dict(filters)
        self.format = form
        self.state = TopicState.IN_SYNC
        self.values: dict[str, tuple[int, Any]] = {}
        self.tombstones: dict[str, int] = {}
        self.horizon = 0
        self.head = 0

    def put(self, key: str, rv: int, value: Any) -> None:
        """A change."""
        self.tombstones.pop(key, None)
        self.values[key] = (rv, value)
        self.head = rv

    def delete(self, key: str, rv: int) -> None:
        """A deletion."""
        if self.values.pop(key, None) is not None:
            self.tombstones[key] = rv
        self.head = rv

    def forget_deletions(self) -> None:
        """Horizon to head."""
        self.tombstones.clear()
        self.horizon = self.head

    def matches(self, where: m.Where, value: Any) -> bool:
        """Whether a value is inside a filter."""
        return all(wanted in field_values(value, path_parts(self.filters[name])) for name, wanted in where.items())

    def catch_up(self, number: int, held: m.ResumeTopic | None, where: m.Where) -> tuple[Mode, list[m.Message]]:
        """The mode for a subscriber, and the frames that bring it up to date (ending in Bookmark or KeyDigest)."""
        mode = Mode.RESUME
        cursor = 0 if held is None or held.cursor is None else held.cursor
        if held is None or held.cursor is None or held.format != self.format or dict(held.where) != dict(where):
            mode, cursor = Mode.SNAPSHOT, -1
        elif cursor < self.horizon:
            mode = Mode.RECONCILE
        keys = [key for key, (rv, value) in self.values.items() if rv > cursor and self.matches(where, value)]
        puts = sorted((self._put(key) for key in keys), key=lambda put: put.rv)
        deletes: list[m.Delete] = []
        if mode is Mode.RESUME:
            gone = {key: rv for key, rv in self.tombstones.items() if rv > cursor}
            # A value that left the filter since the cursor looks like a deletion from inside it.
            left = {
                key: rv for key, (rv, value) in self.values.items() if rv > cursor and not self.matches(where, value)
            }
            deletes = sorted((m.Delete(key, rv) for key, rv in {**gone, **left}.items()), key=lambda item: item.rv)
        through = max(self.head, cursor) if mode is Mode.RESUME else None
        frames: list[m.Message] = []
        if puts or deletes:
            frames.append(m.Entries(number, through, puts, deletes))
        if mode is Mode.RECONCILE:
            inside = [key for key, (_, value) in self.values.items() if self.matches(where, value)]
            frames.append(m.KeyDigest(number, self.head, SALT, BITS, digests_of(inside, SALT, BITS)))
        else:
            frames.append(m.Bookmark((m.BookmarkTopic(number, max(self.head, cursor), 0),)))
        return mode, frames

    def index(self, request: m.KeyRequest, where: m.Where) -> m.KeyIndex:
        """The answer to a KeyRequest, in one part."""
        wanted = range(1 << BITS) if request.buckets is None else request.buckets
        inside = [key for key, (_, value) in self.values.items() if self.matches(where, value)]
        found = keys_in_buckets(inside, SALT, BITS, frozenset(wanted))
        keys = [key for members in found.values() for key in members]
        return m.KeyIndex(request.topic_id, self.head, 0, 1, list(found), keys)

    def seen_through(
        self, where: m.Where, key: str, rv: int, before: tuple[int, Any] | None
    ) -> tuple[list[m.Put], list[m.Delete]]:
        """The change just made to ``key``, as a subscriber with this filter sees it."""
        if key in self.values and self.matches(where, self.values[key][1]):
            return [self._put(key)], []
        if before is not None and self.matches(where, before[1]):
            return [], [m.Delete(key, rv)]
        return [], []

    def _put(self, key: str) -> m.Put:
        rv, value = self.values[key]
        return m.Put(key, rv, msgpack.packb(value))
