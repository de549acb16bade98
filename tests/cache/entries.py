"""Short ways to entries and topics."""

from __future__ import annotations

from collections.abc import Mapping

from typha.cache.log import Entry, Item, Log
from typha.cache.topic import Topic


def value(number: int) -> bytes:
    """msgpack of a small number."""
    return bytes([number])


def item(key: str, number: int = 0, *attributes: str | Mapping[str, str] | None) -> Item:
    return key, value(number), attributes


def entry(key: str, rv: int, number: int = 0, *attributes: str | Mapping[str, str] | None) -> Entry:
    return Entry(rv, key, value(number), attributes)


def log_of(*entries: Entry) -> Log:
    log = Log()
    log.load(list(entries))
    return log


def listed(topic: Topic, at: int, **objects: tuple[int, int]) -> Topic:
    """The topic after a list at ``at`` of name=(rv, value)."""
    loading = topic.begin_list()
    for name, (rv, number) in objects.items():
        loading.put(name, rv, [item(name, number)])
    loading.commit(at, 0.0)
    return topic


def versions(log: Log) -> dict[str, int]:
    return {key: held.rv for key, held in log.entries.items()}
