"""Handlers of the agent: who is called for what, one at a time per topic.

Its place: client (events) -> *dispatcher of a topic* -> the user's functions.

Invariants
1. One handler of a topic runs at a time; topics do not wait for each other.
2. What a slow handler has not seen is coalesced (``coalescing``), never queued up.
3. A handler that raises is logged with topic and key (no value), counted, and does not stop the stream.
4. ``applied`` is the cursor up to which all handlers have returned.

Road not taken: handlers called inside the commit. A handler that awaits would hold the socket of all topics.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar, overload

from typha.wire.states import TopicState
from typha_client.changes import Change
from typha_client.coalescing import PendingChanges
from typha_client.events import Bookmarked, Committed, StatusChanged

_log: Final = logging.getLogger("typha_client")


# Sync handlers of a large snapshot must not hold the loop: 10 ms is below any ping or probe deadline of an agent.
YIELD_AFTER_S: Final = 0.01


class Kind(Enum):
    """What a handler is called for."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"
    STATUS = "status"
    BOOKMARK = "bookmark"

    # Enum's own is a function in Python, and a handler is looked up for each change.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a status handler gets. ``since_at``: monotonic seconds of this process."""

    topic: str
    state: TopicState
    since_at: float | None
    message: str


Handler = Callable[[Any], Awaitable[None] | None]
"""Called with a Change (add, update, delete), a StatusReport (status) or a Bookmarked (bookmark); sync or async."""


class HandlerTable:
    """Registered handlers. Topic None is every topic."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[Kind, str | None], list[Handler]] = {}
        self._found: dict[tuple[Kind, str], list[Handler]] = {}
        self.calls = 0
        self.failures = 0

    def register(self, kind: Kind, topic: str | None, handler: Handler) -> None:
        """Add one. Handlers of a topic are called before those of all topics."""
        if not callable(handler):
            raise TypeError(f"on_{kind.value} needs a function, got {type(handler).__name__}")
        self._handlers.setdefault((kind, topic), []).append(handler)
        self._found = {}

    def of(self, kind: Kind, topic: str) -> list[Handler]:
        """Who is called."""
        found = self._found.get((kind, topic))
        if found is None:
            found = [*self._handlers.get((kind, topic), ()), *self._handlers.get((kind, None), ())]
            self._found[kind, topic] = found
        return found

    def wants(self, topic: str) -> bool:
        """Whether anyone listens to this topic at all."""
        return any(name is None or name == topic for _, name in self._handlers)

    def call(self, kind: Kind, topic: str, what: object, key: str) -> Awaitable[None] | None:
        """Call all, one after the other; None where all were sync, else await it. ``key`` is for the log."""
        return self._call(self.of(kind, topic), kind, topic, what, key)

    def _call(
        self, handlers: Sequence[Handler], kind: Kind, topic: str, what: object, key: str
    ) -> Awaitable[None] | None:
        for number, handler in enumerate(handlers, 1):
            self.calls += 1
            try:
                result = handler(what)
            except Exception:  # noqa: BLE001 - the user's code; logged, counted, and the stream goes on
                self._failed(kind, topic, key)
                continue
            if result is not None and inspect.isawaitable(result):
                return self._finish(result, handlers[number:], kind, topic, what, key)
        return None

    async def _finish(
        self, started: Awaitable[None], others: Sequence[Handler], kind: Kind, topic: str, what: object, key: str
    ) -> None:
        try:
            await started
        except Exception:  # noqa: BLE001 - as above
            self._failed(kind, topic, key)
        rest = self._call(others, kind, topic, what, key)
        if rest is not None:
            await rest

    def _failed(self, kind: Kind, topic: str, key: str) -> None:
        self.failures += 1
        _log.exception("handler failed kind=%s topic=%s key=%s", kind.value, topic, key)


_H = TypeVar("_H", bound=Handler)


class Registration:
    """``client.on_add`` and its sisters: ``@client.on_add("pods")``, ``@client.on_add`` (all topics), or a call."""

    def __init__(self, table: HandlerTable, kind: Kind) -> None:
        self._table = table
        self._kind = kind

    @overload
    def __call__(self, topic: str | None = None) -> Callable[[_H], _H]: ...

    @overload
    def __call__(self, topic: str | None, handler: _H) -> _H: ...

    @overload
    def __call__(self, topic: _H) -> _H: ...

    def __call__(self, topic: Any = None, handler: Any = None) -> Any:
        """Register ``handler`` for ``topic`` (None: every topic); without it, a decorator that does."""
        if callable(topic):
            topic, handler = None, topic
        if handler is None:
            return partial(self._add, topic)
        return self._add(topic, handler)

    def _add(self, topic: str | None, handler: _H) -> _H:
        self._table.register(self._kind, topic, handler)
        return handler


class Dispatcher:
    """The task of one topic that calls its handlers."""

    def __init__(self, topic: str, table: HandlerTable) -> None:
        self.topic = topic
        self.pending = PendingChanges()
        self._table = table
        self._status: StatusReport | None = None
        self._bookmark: Bookmarked | None = None
        self._wake = asyncio.Event()

    def committed(self, event: Committed) -> None:
        """A commit to hand over."""
        self.pending.push(event.changes, event.cursor)
        self._wake.set()

    def status(self, event: StatusChanged) -> None:
        """A new state; only the newest is handed over."""
        self._status = StatusReport(event.topic, event.state, event.since_at, event.message)
        self._wake.set()

    def bookmarked(self, event: Bookmarked) -> None:
        """Handed over when all changes up to it are finished; only the newest."""
        self._bookmark = event
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._drain()

    async def _drain(self) -> None:
        clock = asyncio.get_running_loop().time
        yield_at = clock() + YIELD_AFTER_S
        while True:
            self.pending.finish()
            if (status := self._status) is not None:
                self._status = None
                await self._call(Kind.STATUS, status)
            bookmark, applied = self._bookmark, self.pending.applied
            if bookmark is not None and applied is not None and applied >= bookmark.cursor:
                self._bookmark = None
                await self._call(Kind.BOOKMARK, bookmark)
            change = self.pending.take()
            if change is None:
                return
            # Sync handlers are called without a coroutine each: it would cost more than most of them.
            unfinished = self._table.call(_kind(change), self.topic, change, change.key)
            if unfinished is not None:
                await unfinished
            if clock() >= yield_at:
                await asyncio.sleep(0)
                yield_at = clock() + YIELD_AFTER_S

    async def _call(self, kind: Kind, what: StatusReport | Bookmarked) -> None:
        unfinished = self._table.call(kind, self.topic, what, "")
        if unfinished is not None:
            await unfinished


def _kind(change: Change) -> Kind:
    if change.encoded is None:
        return Kind.DELETE
    return Kind.ADD if change.old_encoded is None else Kind.UPDATE
