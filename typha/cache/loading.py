"""One list on its way into a topic: collected while pages arrive, diffed against what is held, applied at once.

Rules (H is the head before, L the list's rv), each from a history that broke the promises without it
1. An object above H moves to its rv even where its bytes are equal: it may have changed twice (A, B, A).
2. An object at or below H whose bytes differ takes L, and is counted: it should not happen.
3. A key that the list lacks gets a tombstone at L. What was born and deleted between H and L is unknown: the
   topic keeps the gap (H, L). After a first list the horizon is L.
4. A list below the head, or an object below the rv seen for it, proves that etcd went back.
5. An object whose keys others could claim too takes L, whatever its bytes: a key may have changed hands, unseen.
6. Nothing of the topic changes before ``commit``; a list that failed is dropped without a trace.

What equals the held bytes is not kept a second time: memory does not hold a list twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from typha.cache.errors import OutOfOrderError, RestoredError
from typha.cache.log import Entry, Item, entry_of

if TYPE_CHECKING:
    from typha.cache.topic import Topic

# L is not known before the end of the list: an entry that takes it waits with this rv.
_AT_LIST_RV = -1


class Loading:
    """Made by ``Topic.begin_list``."""

    __slots__ = ("_changed", "_claimed", "_generation", "_head", "_late", "_quarantined", "_seen", "_topic")

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._generation = topic.generation
        self._head = topic.head if topic.has_state else 0
        self._seen: set[str] = set()
        self._changed: dict[str, Entry] = {}
        self._claimed: dict[str, tuple[int, Sequence[Item]]] = {}
        self._quarantined: dict[str, tuple[int, str]] = {}
        self._late: set[str] = set()

    def put(self, name: str, rv: int, items: Sequence[Item]) -> None:
        """The object's items at ``rv``; again for the same object (WatchList): the newest counts."""
        self.delete(name)
        if self._topic.claims is not None:
            self._claimed[name] = (rv, [item for item in items if item[1]])
            return
        for item in items:
            if item[1]:
                self._take(name, rv, item)
            else:
                self._drop(item[0])

    def quarantine(self, name: str, rv: int, reason: str, keys: Sequence[str] = ()) -> None:
        """The object has no value. ``keys``: those in items."""
        self.delete(name, keys)
        self._quarantined[name] = (rv, reason)

    def delete(self, name: str, keys: Sequence[str] = ()) -> None:
        """The object went while the list was being sent (WatchList). ``keys``: those in items."""
        self._quarantined.pop(name, None)
        if self._topic.claims is not None:
            self._claimed.pop(name, None)
            return
        for key in (*self._topic.keys_of_name(name), *keys):
            self._drop(key)

    def _drop(self, key: str) -> None:
        if key in self._seen:
            self._seen.discard(key)
            self._changed.pop(key, None)
            self._late.discard(key)

    def _take(self, name: str, rv: int, item: Item) -> None:
        key, value, attributes = item
        topic = self._topic
        self._seen.add(key)
        held = topic.log.entries.get(key)
        if topic.claims is not None and topic.may_be_contested(name, key):
            self._change(entry_of(_AT_LIST_RV, item, held, topic.packer))
            return
        if held is not None and rv < held.rv and key not in topic.restamped:
            raise RestoredError(topic.name, f"resourceVersion of {key}:", rv, held.rv)
        if rv > self._head:
            self._change(entry_of(rv, item, held, topic.packer))
        elif held is None or not held.holds(value, attributes):
            self._change(entry_of(_AT_LIST_RV, item, held, topic.packer))
            self._late.add(key)

    def _change(self, entry: Entry) -> None:
        self._changed[entry.key] = entry
        if self._topic.packer is not None:
            self._topic.packer.learn(self._changed)

    def _settle_claims(self) -> None:
        """Claims are decided over the whole list, lowest name first, whatever the order of pages."""
        topic = self._topic
        if topic.claims is None:
            return
        topic.claims.clear()
        for name in sorted(self._claimed):
            rv, items = self._claimed[name]
            for settlement in topic.settle(name, items):
                if settlement.reason is not None:
                    self._quarantined[settlement.name] = (rv, settlement.reason)
                for item in settlement.gives:
                    self._take(settlement.name, rv, item)

    def commit(self, list_rv: int, now: float) -> None:
        """Apply the list as the state at ``list_rv``. Raises RestoredError, OutOfOrderError (the topic started anew
        since ``begin_list``: what was compared with is gone), and then applies nothing.
        """
        topic = self._topic
        if topic.generation != self._generation:
            raise OutOfOrderError(topic.name, list_rv, topic.head)
        if topic.has_state and list_rv < topic.head:
            raise RestoredError(topic.name, "the list's resourceVersion", list_rv, topic.head)
        self._settle_claims()
        restamped = [entry for entry in self._changed.values() if entry.rv == _AT_LIST_RV]
        for entry in restamped:
            self._changed[entry.key] = replace(entry, rv=list_rv)
        entries = sorted(self._changed.values(), key=attrgetter("rv"))
        self._changed.clear()
        if topic.has_state:
            self._apply(entries, list_rv)
            topic.history.add_gap(self._head, list_rv)
        else:
            topic.load(entries)
            topic.history.clear(list_rv)
        topic.restamped.update(entry.key for entry in restamped)
        topic.restamped_total += len(self._late)
        topic.finish_list(list_rv, now, self._quarantined)

    def _apply(self, entries: list[Entry], list_rv: int) -> None:
        topic = self._topic
        gone = [key for key in topic.log.entries if key not in self._seen]
        for entry in entries:
            topic.apply(entry)
        for key in gone:
            topic.drop_key(key, list_rv)
