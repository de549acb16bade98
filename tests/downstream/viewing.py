"""A feed view over topics that a test fills by hand, and what its readers get to see."""

from __future__ import annotations

import msgpack

from tests.downstream.test_calico_values import update_of
from tests.kit.server import Clock
from typha.cache.topic import Topic
from typha.calico_wire.messages import SyncStatus, UpdateType
from typha.downstream.feed_view import FeedView
from typha.wire.states import TopicState

CONFIG = "/calico/v1/config/LogSeverity"


def holding(name: str, number: int = 0, *, tombstones: int = 100) -> Topic:
    """Its first list is empty and not done yet; keys follow from the name."""
    return Topic(name, number, form="1", tombstone_limit=tombstones)


def listed(topic: Topic, rv: int, now: float = 1000.0, **values: object) -> None:
    loading = topic.begin_list()
    for key, value in values.items():
        loading.put(key, rv, [(key, msgpack.packb(value), ())])
    loading.commit(rv, now)


def put(topic: Topic, key: str, value: object, rv: int | None = None) -> None:
    topic.put(key, topic.head + 1 if rv is None else rv, [(key, msgpack.packb(value), ())], 1000.0)


class View:
    """A view of topics a and b (or of these), its clock, and what it makes of them."""

    def __init__(self, *topics: Topic) -> None:
        self.clock = Clock()
        self.topics = list(topics) or [holding("a"), holding("b", 1)]
        self.view = FeedView("felix", 7, self.topics, clock=self.clock)

    def follow(self) -> list[tuple[str, bytes | None, int]]:
        """What is new to readers: (key, value, update type) in the order of the log."""
        start = self.view.topic.head
        for _ in self.view.follow():
            pass
        return self.since(start)

    def since(self, start: int) -> list[tuple[str, bytes | None, int]]:
        changes = self.view.topic.log.changes_since(start)
        found = [(entry.rv, entry.key, update_of(entry.value)) for entry in changes.puts]
        said: list[tuple[int, str, bytes | None, int]] = [(rv, k, u.value, u.update_type) for rv, k, u in found]
        said += [(rv, key, None, UpdateType.DELETED) for key, rv in changes.deletes]
        return [(key, value, kind) for _, key, value, kind in sorted(said)]

    @property
    def held(self) -> dict[str, bytes | None]:
        return {entry.key: update_of(entry.value).value for entry in self.view.topic.log.entries.values()}

    @property
    def told(self) -> tuple[TopicState, SyncStatus]:
        return self.view.topic.state, self.view.status

    def ready(self) -> View:
        for topic in self.topics:
            listed(topic, 10)
        self.follow()
        assert self.told == (TopicState.IN_SYNC, SyncStatus.IN_SYNC)
        return self


def stale(topic: Topic, now: float) -> None:
    topic.set_state(TopicState.STALE, now, "no contact")
