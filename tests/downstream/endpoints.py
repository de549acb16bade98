"""A topic of 500 B values that are alike, as endpoints of pods are; and its next versions."""

from __future__ import annotations

import random

import msgpack

from typha.cache.log import Item
from typha.cache.topic import Topic


def value_of(number: int, kind: str = "pod") -> bytes:
    chosen = random.Random(number)
    labels = {f"{kind}.example.org/label-{place}": f"{kind}-value-{(number + place) % 7}" for place in range(8)}
    packed: bytes = msgpack.packb(
        {"name": f"{kind}-{number}", "mac": None, "ip": chosen.randbytes(8).hex(), "labels": labels, "state": "active"}
    )
    return packed


def items_of(number: int, kind: str = "pod") -> list[Item]:
    return [(f"namespace-{number % 5}/{kind}-{number}", value_of(number, kind), ())]


def topic_of(count: int, topic_id: int = 0) -> Topic:
    """Listed at rv 1,000, or that of its last entry."""
    topic = Topic(f"topic-{topic_id}", topic_id, form="f")
    loading = topic.begin_list()
    for number in range(count):
        key, *_ = items_of(number)[0]
        loading.put(key, number + 1, items_of(number))
    loading.commit(max(1000, count), 0.0)
    return topic


def change(topic: Topic, number: int, kind: str = "pod") -> None:
    """The next revision gives that key the value of another number."""
    ((key, _, _),) = items_of(number % max(1, len(topic.log.entries)), "pod")
    topic.put(key, topic.head + 1, [(key, value_of(number + topic.head, kind), ())], 0.0)
