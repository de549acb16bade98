"""One watch: initial events, events, bookmarks, the end.

Place: `api_server` opens a `WatchStream` per watch request; it reads `table` history by rv and writes HTTP chunks.

Invariants:
1. The stream stands at one rv: it has sent all matching events up to it and none above. So a compaction, a restore or a
   slow reader has one meaning each: nothing, silence, the end of the stream.
2. Lines of a watch without a selector are the table's own bytes, joined once for all streams that stand together.
3. A bookmark is sent only above the rv at which the watch started (apiserver `cache_watcher.go`).

Not taken: a queue per watcher; the history is the queue, and its bound the stall budget.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from typha.simulation import status
from typha.simulation.faults import Faults, How, Plan, error_line
from typha.simulation.requests import Options
from typha.simulation.store import Store
from typha.simulation.table import Event, Stored, Table, stamp
from typha.simulation.table import rest_of as rest

# Events per write: 160 pods of 1.6 KB are 256 KB, a socket buffer's worth; more adds latency, not speed.
EVENTS_PER_WRITE = 160
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server behaves where real ones differ; times in seconds."""

    watch_list: bool = True  # False: 422 for sendInitialEvents, as with the feature gate off
    bookmark_interval_s: float = 60.0  # the real server's, about
    watch_timeout_s: float = 1800.0  # without timeoutSeconds; the real server's least


@dataclass(slots=True)
class Statistics:
    """Counters since the start: requests per `verb plural`, events and body bytes per plural, watches open now."""

    requests: Counter[str] = field(default_factory=Counter)
    events_sent: Counter[str] = field(default_factory=Counter)
    bytes_sent: Counter[str] = field(default_factory=Counter)
    open_watches: Counter[str] = field(default_factory=Counter)
    resource_version: int = 0
    objects: dict[str, int] = field(default_factory=dict)


class StreamCutError(Exception):
    """A fault ends this body: `how` says in which way."""

    def __init__(self, how: How) -> None:
        self.how = how
        super().__init__(how)


class WatchStream:
    """Writes one watch to `response` until its time is over, its table is gone, or a fault ends it."""

    def __init__(
        self,
        store: Store,
        table: Table,
        options: Options,
        settings: Settings,
        faults: Faults,
        plan: Plan,
        statistics: Statistics,
    ) -> None:
        self.resource = table.resource.plural
        self._store = store
        self._table = table
        self._options = options
        self._settings = settings
        self._faults = faults
        self._plan = plan
        self._statistics = statistics
        self._wake = asyncio.Event()
        self._position = 0
        self._floor = 0
        self._events_sent = 0
        self._bytes_sent = 0
        self._inserted: list[bytes] = []
        self._how: How | None = None
        namespace = options.namespace
        self._prefix = f"{namespace}/" if namespace else ""
        self._response: web.StreamResponse

    def notify(self) -> None:
        """The table has changed."""
        self._wake.set()

    def insert(self, line: bytes) -> None:
        """Write `line` next (a fault)."""
        self._inserted.append(line)
        self._wake.set()

    def cut(self, how: How) -> None:
        """End next (a fault)."""
        self._how = how
        self._wake.set()

    async def run(self, response: web.StreamResponse) -> None:
        """Write to the prepared `response`; StreamCutError where a fault asks for an end that is not clean."""
        self._response = response
        loop = asyncio.get_running_loop()
        timeout_s = self._options.timeout_s or self._settings.watch_timeout_s
        end_at = loop.time() + timeout_s
        bookmark_at = loop.time() + self._settings.bookmark_interval_s
        await self._write(b"", 0)  # a cut after nothing
        if not await self._start():
            return
        while True:
            self._wake.clear()
            complete = await self._send_events()
            while self._inserted:
                await self._write(self._inserted.pop(0), 0)
            if self._how:
                raise StreamCutError(self._how)
            if not complete or self._table.closed:
                return
            now = loop.time()
            if now >= end_at or now >= bookmark_at:
                await self._send_bookmark()
                bookmark_at = now + self._settings.bookmark_interval_s
                if now >= end_at:
                    return
            timer = loop.call_at(min(end_at, bookmark_at), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    async def _start(self) -> bool:
        """Send what comes before the first live event; False where that is the end."""
        options, table = self._options, self._table
        if options.resource_version and not options.initial_events:
            if options.resource_version < table.trimmed_rv:
                error = status.expired_watch(options.resource_version, table.trimmed_rv)
                await self._write(error_line(error), 0)
                return False
            self._position = self._floor = options.resource_version
            return True
        self._position = self._store.resource_version
        rows = [row for row in table.rows_at(self._position, keep=False) if self._selects(row)]
        for start in range(0, len(rows), EVENTS_PER_WRITE):
            part = rows[start : start + EVENTS_PER_WRITE]
            await self._write(table.added_lines(part), len(part))
        await self._write(b"", 0)  # what a fault puts after the last initial event
        if not await self._send_events():
            return False
        self._floor = self._position
        if options.initial_events and options.bookmarks:
            await self._write(self._bookmark(self._position, initial_end=True), 0)
        return True

    async def _send_events(self) -> bool:
        """Send all that happened; False where this reader was too slow for the history."""
        while True:
            if self._table.lost_rv > self._position:
                return False
            events = self._table.events_after(self._position, EVENTS_PER_WRITE)
            if not events:
                self._position = max(self._position, self._store.resource_version)
                return True
            if self._prefix or self._options.selection:
                lines = [line for line in map(self._filtered, events) if line]
                if lines:
                    await self._write(b"".join(lines), len(lines))
            else:
                await self._write(self._table.lines(events), len(events))
            self._position = events[-1].rv

    async def _send_bookmark(self) -> None:
        head = self._store.resource_version
        if self._options.bookmarks and head > self._floor and self._position == head:
            await self._write(self._bookmark(head), 0)

    def _bookmark(self, rv: int, *, initial_end: bool = False) -> bytes:
        metadata: dict[str, object] = {"creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        obj: dict[str, object] = {"metadata": metadata}
        if self.resource == "pods":
            obj |= {"spec": {"containers": None}, "status": {}}  # as Go encodes an empty Pod
        return self._table.line("BOOKMARK", stamp(rv, msgspec.json.encode(obj)[len(b'{"metadata":{') :]))

    def _selects(self, row: Stored) -> bool:
        return row.key.startswith(self._prefix) and self._options.selection.matches(row.tail)

    def _filtered(self, event: Event) -> bytes:
        """The line that this watch sees of `event`: entering the selection is ADDED, leaving it DELETED."""
        stored, previous = event.stored, event.previous
        before = previous is not None and self._selects(previous)
        after = event.type != "DELETED" and self._selects(stored)
        if after:
            return self._table.line("MODIFIED" if before else "ADDED", stored.tail)
        if not before or previous is None:
            return b""
        return self._table.line("DELETED", stamp(event.rv, rest(previous.tail)))

    async def _write(self, data: bytes, events: int) -> None:
        if self._plan.cut or self._plan.insertions:
            for line in data.splitlines(keepends=True) or [b""]:
                await self._write_faulty(line, min(events, 1))
        elif data:
            await self._put(data, events)

    async def _write_faulty(self, line: bytes, events: int) -> None:
        for insertion in [each for each in self._plan.insertions if each.after_events <= self._events_sent]:
            self._plan.insertions.remove(insertion)
            if insertion.do:
                insertion.do()
            if insertion.line:
                await self._put(insertion.line, 0)
        cut = self._plan.cut
        if cut and cut.after_events is not None and self._events_sent >= cut.after_events:
            mid_line = cut.how.startswith("mid_line")
            if mid_line and not line:
                return  # half a line needs a line
            await self._put(line[: len(line) // 2] if mid_line else b"", 0)
            raise StreamCutError(cut.how)
        if cut and cut.after_bytes is not None and self._bytes_sent + len(line) >= cut.after_bytes:
            await self._put(line[: cut.after_bytes - self._bytes_sent], 0)
            raise StreamCutError(cut.how)
        await self._put(line, events)
        if cut and self._events_sent == cut.after_events and not cut.how.startswith("mid_line"):
            raise StreamCutError(cut.how)

    async def _put(self, data: bytes, events: int) -> None:
        if not data:
            return
        await self._faults.wait_thawed(self.resource)
        await self._response.write(data)
        self._events_sent += events
        self._bytes_sent += len(data)
        self._statistics.events_sent[self.resource] += events
        self._statistics.bytes_sent[self.resource] += len(data)
