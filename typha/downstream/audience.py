"""Everyone who is served, and how many of them read each topic: numbers that cost the same with 5,000 as with one.

Place: the fan-out adds who was welcomed and removes who ended; `census` asks once a second, on the event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from typha.downstream.streams import Subscriber


class _Choice:
    """Topics that were subscribed to together, and by how many."""

    __slots__ = ("readers", "topics")

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self.readers = 0


class Audience:
    """A set of subscribers, in the order in which they came."""

    def __init__(self) -> None:
        self._choices: dict[Subscriber, _Choice] = {}
        self._by_topics: dict[tuple[str, ...], _Choice] = {}

    def __contains__(self, subscriber: Subscriber) -> bool:
        return subscriber in self._choices

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def add(self, subscriber: Subscriber) -> None:
        """With the topics of its session, which stay."""
        topics = tuple(subscription.topic.name for subscription in subscriber.session.subscriptions)
        choice = self._by_topics.setdefault(topics, _Choice(topics))
        choice.readers += 1
        self._choices[subscriber] = choice

    def remove(self, subscriber: Subscriber) -> None:
        """One that is here; its session may be closed, and know no topics any more."""
        choice = self._choices.pop(subscriber)
        choice.readers -= 1
        if not choice.readers:
            del self._by_topics[choice.topics]

    def by_topic(self) -> dict[str, int]:
        """Subscribers of each topic that has any."""
        found: Counter[str] = Counter()
        for choice in self._by_topics.values():
            for topic in choice.topics:
                found[topic] += choice.readers
        return dict(found)
