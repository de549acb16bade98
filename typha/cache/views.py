"""The filtered logs of one topic: the same entries by reference, each in a log of its own.

Invariants
1. A view holds exactly the topic's entries that match it. An entry that stops matching becomes a tombstone in
   the view at the rv of that change, made while the old attributes are at hand.
2. No view learns a key that never matched it.
3. The attribute ``node`` is indexed from the first entry on, so that whoever comes from another replica resumes; any
   other single text attribute for all its values when the first reader asks (each then costs one dict operation a
   change); every other filter is a view of its own, and their number is bounded. The history of what is made on demand
   starts there: cursors of before are reconciled.

Roads not taken: filtering frames per subscriber (it costs streams x changes, and a leave needs the attribute that is
gone by then); indexes that nobody reads (70 B for each entry and attribute).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from typha.cache.errors import FilterError
from typha.cache.filters import NODE, Filter
from typha.cache.log import Attribute, Entry, Log

# Each costs about 1 us per change of the topic, whether or not it matches.
MAX_VIEWS: Final = 64

# Long enough for an agent's restart to find its view with history, and resume.
UNREAD_S: Final = 300.0


class Burial(NamedTuple):
    """A tombstone that was made, for the topic's trimming order."""

    rv: int
    log: Log
    key: str


class ViewTombstone(NamedTuple):
    """A key that left the index of a value (or died in it), at ``rv``."""

    rv: int
    key: str
    place: int
    value: str


class View:
    """A view made on demand: its log, the rv from which its tombstones are complete, and since when nobody reads."""

    __slots__ = ("horizon", "log", "unread_since_at")

    def __init__(self, log: Log, horizon: int) -> None:
        self.log = log
        self.horizon = horizon
        self.unread_since_at: float | None = None


class Views:
    """All filtered logs of a topic."""

    __slots__ = ("_always", "_horizons", "_indexes", "_on_demand")

    def __init__(self, attributes: tuple[str, ...]) -> None:
        self._always = frozenset(place for place, name in enumerate(attributes) if name == NODE)
        self._indexes: dict[int, dict[str, Log]] = {place: {} for place in self._always}
        self._horizons: dict[int, int] = dict.fromkeys(self._always, 0)
        self._on_demand: dict[Filter, View] = {}

    def put(self, before: Entry | None, entry: Entry) -> Iterator[Burial]:
        """Follow a put of the topic's log; gives the tombstones that it made."""
        for place, index in self._indexes.items():
            new = entry.attributes[place]
            old = before.attributes[place] if before is not None else None
            if isinstance(old, str) and old != new and index[old].delete(entry.key, entry.rv):
                yield Burial(entry.rv, index[old], entry.key)
            if isinstance(new, str):
                log = index.get(new)
                if log is None:
                    log = index[new] = Log()
                log.put(entry)
        for wanted, view in self._on_demand.items():
            if wanted.matches(entry):
                view.log.put(entry)
            elif view.log.delete(entry.key, entry.rv):
                yield Burial(entry.rv, view.log, entry.key)

    def delete(self, before: Entry, rv: int) -> Iterator[Burial]:
        """Follow a delete of the topic's log."""
        for place, index in self._indexes.items():
            old: Attribute = before.attributes[place]
            if isinstance(old, str) and index[old].delete(before.key, rv):
                yield Burial(rv, index[old], before.key)
        for view in self._on_demand.values():
            if view.log.delete(before.key, rv):
                yield Burial(rv, view.log, before.key)

    def load(self, entries: list[Entry]) -> None:
        """Follow a first list (entries ascend by rv); logs that have readers stay the same objects."""
        self.clear()
        for place in self._indexes:
            self._fill(place, entries)
        for wanted, view in list(self._on_demand.items()):
            view.log.load([entry for entry in entries if wanted.matches(entry)])

    def _fill(self, place: int, entries: Iterable[Entry]) -> None:
        index = self._indexes.setdefault(place, {})
        sorted_in: dict[str, list[Entry]] = {}
        for entry in entries:
            value = entry.attributes[place]
            if isinstance(value, str):
                sorted_in.setdefault(value, []).append(entry)
        for value, members in sorted_in.items():
            index.setdefault(value, Log()).load(members)

    def tombstones(self) -> list[ViewTombstone]:
        """Those of the indexes that are always kept: what a file keeps of views."""
        return [
            ViewTombstone(rv, key, place, value)
            for place in self._always
            for value, log in self._indexes[place].items()
            for key, rv in log.tombstones.items()
        ]

    def bury(self, tombstones: Iterable[ViewTombstone]) -> Iterator[Burial]:
        """Put them back after ``load``; ascending by rv. Gives the topic's burials."""
        for rv, key, place, value in tombstones:
            log = self._indexes[place].setdefault(value, Log())
            log.tombstones[key] = rv
            log.last_rv = max(log.last_rv, rv)
            yield Burial(rv, log, key)

    def clear(self) -> None:
        """Forget everything but the logs that somebody reads."""
        for place, index in list(self._indexes.items()):
            for value, log in list(index.items()):
                if log.readers:
                    log.load([])
                else:
                    del index[value]
            self._horizons[place] = 0
            if not index and place not in self._always:
                del self._indexes[place]
        for wanted, view in list(self._on_demand.items()):
            if view.log.readers:
                view.log.load([])
                view.horizon = 0
            else:
                del self._on_demand[wanted]

    def open(self, wanted: Filter, log: Log, head: int) -> View:
        """The view of a filter, made from the topic's log where it does not exist yet.

        Raises FilterError where there are too many different filters.
        """
        if wanted.index_key is not None:
            place, value = wanted.index_key
            if place not in self._indexes:
                self._fill(place, log.entries.values())
                self._horizons[place] = head
            return View(self._indexes[place].setdefault(value, Log()), self._horizons[place])
        view = self._on_demand.get(wanted)
        if view is None:
            self._make_room()
            view = View(Log(), head)
            view.log.load([entry for entry in log.entries.values() if wanted.matches(entry)])
            self._on_demand[wanted] = view
        return view

    def _make_room(self) -> None:
        if len(self._on_demand) < MAX_VIEWS:
            return
        for wanted, view in self._on_demand.items():
            if not view.log.readers:
                del self._on_demand[wanted]
                return
        raise FilterError(f"{MAX_VIEWS} different filters are in use on this topic; ask for one of them, or for all")

    def drop_unread(self, now: float) -> None:
        """Let go of indexed logs that hold nothing, and of views that nobody read for a while."""
        for index in self._indexes.values():
            for value in [value for value, log in index.items() if log.is_empty and not log.readers]:
                del index[value]
        for wanted, view in list(self._on_demand.items()):
            if view.log.readers:
                view.unread_since_at = None
            elif view.unread_since_at is None:
                view.unread_since_at = now
            elif now - view.unread_since_at >= UNREAD_S:
                del self._on_demand[wanted]

    def logs(self) -> Iterator[tuple[Filter, Log]]:
        """Every filtered log with its filter."""
        for place, index in self._indexes.items():
            for value, log in index.items():
                yield Filter(texts=((place, value),)), log
        for wanted, view in self._on_demand.items():
            yield wanted, view.log
