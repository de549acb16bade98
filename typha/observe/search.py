"""Finds entries and subscribers, step by step: every step is short, so that who drives it can stop between two.

Place: on the thread of the server's loop; `inquiries` drives it in slices, `answers` shows what was found.

1. What is found is copied out as plain values: an entry's own value is unpacked here and nowhere else, because packed
   values belong to the loop's thread.
2. The value of a topic of Secrets is neither copied nor searched: what a search finds, and what not, would tell it too.
3. A search sees each topic as it was at one moment, from the newest change to the oldest; it holds up nothing that
   happens meanwhile.

Road not taken: an index of names. A search is rare, its cost is bounded, and an index costs memory in every server.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Final, NamedTuple

from typha.cache.log import Entry
from typha.cache.topic import Topic
from typha.downstream.statistics import SubscriberStatistics
from typha.observe.queries import ObjectsQuery, SubscribersQuery

# Between two looks at the clock; with values to unpack (9 us each) half a millisecond.
_STEP: Final = 64


class Hit(NamedTuple):
    """An entry that was found. ``value`` None: it is not shown; ``attributes`` are texts by which agents filter."""

    topic: str
    key: str
    rv: int
    size: int
    value: bytes | None
    attributes: Mapping[str, str]


class ObjectSearch:
    """See the module. ``found`` has at most the query's limit, ``matches`` counts all."""

    def __init__(self, query: ObjectsQuery, topics: Mapping[str, Topic], secret: Collection[str]) -> None:
        self._query = query
        self._topics = topics
        self._secret = secret
        self.found: list[Hit] = []
        self.matches = 0
        self.looked_at = 0
        self.total = sum(len(topics[name].log.entries) for name, _ in query.topics)

    def steps(self) -> Iterator[None]:
        """Search; stop at any step and the rest is not looked at."""
        query = self._query
        for name, wanted in query.topics:
            topic, is_secret = self._topics[name], name in self._secret
            has_words = _matcher(query.words, in_values=query.in_values and not is_secret)
            entries = topic.log.changes_since(None).puts
            for number, entry in enumerate(reversed(entries), start=1):
                if (wanted is None or wanted.matches(entry)) and has_words(entry):
                    self.matches += 1
                    if len(self.found) < query.limit:
                        self.found.append(hit(topic, entry, is_secret=is_secret))
                if number % _STEP == 0:
                    self.looked_at += _STEP
                    yield
            self.looked_at += len(entries) % _STEP
            yield


def hit(topic: Topic, entry: Entry, *, is_secret: bool) -> Hit:
    """What is shown of an entry."""
    if is_secret:
        return Hit(topic.name, entry.key, entry.rv, entry.size, None, {})
    texts = {name: text for name, text in zip(topic.attributes, entry.attributes, strict=True) if isinstance(text, str)}
    return Hit(topic.name, entry.key, entry.rv, entry.size, entry.value, texts)


def _matcher(words: tuple[str, ...], *, in_values: bool) -> Callable[[Entry], bool]:
    """Whether all words are in an entry's key; with ``in_values`` in its key or its value, whose texts are UTF-8."""
    if not words:
        return lambda entry: True
    if not in_values:
        return lambda entry: all(word in entry.key.lower() for word in words)

    def is_in_key_or_value(entry: Entry) -> bool:
        key = entry.key.lower()
        missing = [word for word in words if word not in key]
        if not missing:
            return True
        value = entry.value.lower()  # of ASCII alone; good enough for names and addresses
        return all(word.encode() in value for word in missing)

    return is_in_key_or_value


class SubscriberSearch:
    """The first ones of a query's order. ``matches`` counts all that match, ``total`` all there are."""

    def __init__(self, query: SubscribersQuery) -> None:
        self._query = query
        self._best: list[tuple[Any, int, SubscriberStatistics]] = []
        self.matches = 0
        self.total = 0

    def steps(self, each: Iterable[SubscriberStatistics]) -> Iterator[None]:
        """Look at each of them; a step is one."""
        order, words, numbers = _ORDERS[self._query.by], self._query.words, count()
        for one in each:
            self.total += 1
            if all(word in _names(one) for word in words):
                self.matches += 1
                item = (order(one), -next(numbers), one)
                if len(self._best) < self._query.limit:
                    heapq.heappush(self._best, item)
                else:
                    heapq.heappushpop(self._best, item)
            yield

    @property
    def found(self) -> list[SubscriberStatistics]:
        """Those that come first, in order."""
        return [one for _, _, one in sorted(self._best, reverse=True)]


def _names(one: SubscriberStatistics) -> str:
    return f"{one.node} {one.agent} {one.address} {one.session}".lower()


def _lag(one: SubscriberStatistics) -> tuple[bool, int]:
    return not one.is_caught_up, max((topic.head - (topic.position or 0) for topic in one.topics), default=0)


class _Descending(str):
    """A text whose order is turned round: the alphabet's first is the greatest."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


# What is greatest comes first.
_ORDERS: Final[Mapping[str, Callable[[SubscriberStatistics], Any]]] = {
    "lag": _lag,
    "sent": lambda one: one.bytes_sent,
    "node": lambda one: _Descending(one.node),
    "connected": lambda one: -one.age_s,
}
