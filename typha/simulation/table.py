"""The objects of one resource and their bounded history, as bytes that are ready to serve.

Place: `store` owns one table per resource and is the only writer; `watches` read its history by resourceVersion.

Invariants:
1. An object is held as its *tail*: its JSON without the opening brace, `kind` and `apiVersion`, and with
   `metadata.resourceVersion` first. A list item is `{` + tail, a watch object `{"kind":..,"apiVersion":..,` + tail:
   nothing is encoded twice.
2. `events` are in order of rv and complete above `trimmed_rv`, from where a watch may start; a watch that runs has
   lost something only when it stands below `lost_rv`, the highest event that is forgotten.
3. The rows at an older rv are the present ones with the later events undone: pages of one list agree.

Not taken: a history kept by position (by rv, the real server's silence after an etcd restore comes by itself); sorted
containers (keys are sorted when a list asks: adaptive, some 10 ms for 100,000).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, Literal, TypeVar

import msgspec

from typha.simulation.discovery import Resource

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

# A list's later pages are served from one view; more lists than this at a time build theirs again.
VIEWS_HELD: Final = 4
# Twice the bound is reached before the front is cut, so that cutting costs nothing per event.
TRIM_FACTOR: Final = 2
STAMP: Final = b'"metadata":{"resourceVersion":"'

_Row = TypeVar("_Row")
_BY_RV: Final = attrgetter("rv")


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One version of an object: `key` is `namespace/name` or `name`, `tail` its bytes (invariant 1)."""

    key: str
    rv: int
    tail: bytes


class Event(msgspec.Struct, frozen=True, gc=False):
    """A change: `stored` is the version after it (for DELETED the last one, stamped with the deletion's rv)."""

    type: EventType
    rv: int
    stored: Stored
    previous: Stored | None


def stamp(rv: int, rest: bytes) -> bytes:
    """The tail of an object whose metadata goes on with `rest` (`"name":"x",...},"spec":...}`)."""
    return b'%b%d",%b' % (STAMP, rv, rest)


def rest_of(tail: bytes) -> bytes:
    """What follows the resourceVersion in a tail: the argument that `stamp` took."""
    return tail[tail.index(b'"', len(STAMP)) + 2 :]


class Table:
    """Present objects, history and list views of one resource."""

    def __init__(self, resource: Resource, *, history_limit: int, rv: int) -> None:
        self.resource = resource
        self.objects: dict[str, Stored] = {}
        self.events: list[Event] = []
        self.trimmed_rv = rv
        self.lost_rv = 0
        self.closed = False
        self.prefix = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())
        self._event_prefix = {
            kind: b'{"type":"%b","object":%b' % (kind.encode(), self.prefix)
            for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
        }
        self._history_limit = history_limit
        self._keys: list[str] | None = None
        self._views: OrderedDict[int, list[Stored]] = OrderedDict()
        self._joined: tuple[int, int, bytes] = (0, 0, b"")

    def commit(self, event: Event) -> None:
        """Apply `event`; its rv is above all before."""
        key = event.stored.key
        if event.type == "DELETED":
            del self.objects[key]
            self._keys = None
        else:
            self.objects[key] = event.stored
            if event.previous is None:
                self._keys = None
        self.events.append(event)
        if len(self.events) >= self._history_limit * TRIM_FACTOR:
            self._trim(len(self.events) - self._history_limit)

    def compact(self, rv: int) -> None:
        """Forget events up to `rv` and every list view from before it."""
        self._trim(bisect_right(self.events, rv, key=_BY_RV))
        self.trimmed_rv = max(self.trimmed_rv, rv)
        for view_rv in [each for each in self._views if each < rv]:
            del self._views[view_rv]

    def reset(self, objects: dict[str, Stored], rv: int) -> None:
        """Another past: `objects` at `rv`, no history."""
        self.objects = dict(objects)
        self.events.clear()
        self._views.clear()
        self._keys = None
        self.trimmed_rv = rv
        self.lost_rv = 0
        self._joined = (0, 0, b"")

    def events_after(self, rv: int, limit: int) -> list[Event]:
        """At most `limit` events above `rv`, oldest first; only complete while `rv >= trimmed_rv`."""
        events = self.events
        if not events or events[-1].rv <= rv:
            return []
        start = bisect_right(events, rv, key=_BY_RV)
        return events[start : start + limit]

    def can_serve(self, rv: int) -> bool:
        """Whether the rows at `rv` (not above the server's) are known."""
        return rv >= self.trimmed_rv or rv in self._views

    def rows_at(self, rv: int, *, keep: bool) -> list[Stored]:
        """All objects at `rv` in order of key; `can_serve(rv)` must hold. The list is shared: do not change it.

        `keep` it for the pages to come, until `forget(rv)`: it holds every version that it shows.
        """
        view = self._views.get(rv)
        if view is None:
            objects = self.objects
            undone = self.events[bisect_right(self.events, rv, key=_BY_RV) :]
            if undone:
                objects = dict(objects)
                for event in reversed(undone):
                    if event.previous is None:
                        del objects[event.stored.key]
                    else:
                        objects[event.stored.key] = event.previous
                view = [objects[key] for key in sorted(objects)]
            else:
                view = [objects[key] for key in self._sorted_keys()]
            if not keep:
                return view
            self._views[rv] = view
            if len(self._views) > VIEWS_HELD:
                self._views.popitem(last=False)
        else:
            self._views.move_to_end(rv)
        return view

    def forget(self, rv: int) -> None:
        """The list at `rv` is complete."""
        self._views.pop(rv, None)

    def head_rows(self, namespace: str, after: str, limit: int) -> tuple[list[Stored], int]:
        """Up to `limit` (0: all) present objects after key `after`, and how many more there are; keeps no view."""
        keys = self._sorted_keys()
        start, end = key_range(keys, namespace, after, by=str)
        stop = min(start + limit, end) if limit else end
        return [self.objects[key] for key in keys[start:stop]], end - stop

    def line(self, kind: str, tail: bytes) -> bytes:
        """One line of a watch stream."""
        return b"%b%b}\n" % (self._event_prefix[kind], tail)

    def lines(self, events: list[Event]) -> bytes:
        """The lines of consecutive `events` (at least one), joined once for all watches that stand together."""
        first, last = events[0].rv, events[-1].rv
        if self._joined[:2] != (first, last):
            parts: list[bytes] = []
            for event in events:
                parts += (self._event_prefix[event.type], event.stored.tail, b"}\n")
            self._joined = (first, last, b"".join(parts))
        return self._joined[2]

    def added_lines(self, rows: list[Stored]) -> bytes:
        """The lines that show `rows` to a watch that starts with them."""
        prefix = self._event_prefix["ADDED"]
        return b"".join([part for row in rows for part in (prefix, row.tail, b"}\n")])

    def _trim(self, count: int) -> None:
        if count > 0:
            self.lost_rv = self.events[count - 1].rv
            self.trimmed_rv = max(self.trimmed_rv, self.lost_rv)
            del self.events[:count]

    def _sorted_keys(self) -> list[str]:
        if self._keys is None:
            self._keys = sorted(self.objects)
        return self._keys


def key_range(rows: Sequence[_Row], namespace: str, after: str, by: Callable[[_Row], str]) -> tuple[int, int]:
    """Bounds in sorted `rows` of one namespace ("": all), past key `after` ("": from the start)."""
    start, end = 0, len(rows)
    if namespace:
        # "0" is the character after "/".
        start = bisect_left(rows, f"{namespace}/", key=by)
        end = bisect_left(rows, f"{namespace}0", key=by)
    if after:
        start = max(start, bisect_right(rows, after, key=by))
    return start, max(start, end)
