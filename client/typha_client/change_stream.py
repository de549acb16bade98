"""``async for change in client.changes()``: one consumer's view of all commits, coalesced per topic.

Its place: client (commits) -> *change stream* -> the agent's loop. Invariants: those of ``coalescing``; topics take
turns in the order in which they have something; the stream ends when the client does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from typha_client.changes import PUT, Change
from typha_client.coalescing import PendingChanges
from typha_client.events import Committed
from typha_client.replica import Replica


def held_as_changes(replica: Replica) -> list[Change]:
    """What is held, as adds in rv order."""
    held = sorted(replica.entries.items(), key=lambda item: item[1].rv)
    return [Change(replica.name, PUT, key, entry.rv, entry.encoded) for key, entry in held]


class ChangeStream(AsyncIterator[Change]):
    """Iterates for ever; one consumer each."""

    def __init__(self, topics: frozenset[str] | None, held: Iterable[Replica]) -> None:
        self._topics = topics
        self._pending: dict[str, PendingChanges] = {}
        self._wake = asyncio.Event()
        self._is_closed = False
        for replica in held:
            if replica.cursor is not None or replica.entries:
                self._push(replica.name, held_as_changes(replica), replica.cursor or 0)

    def committed(self, event: Committed) -> None:
        """A commit of the client."""
        if self._topics is None or event.topic in self._topics:
            self._push(event.topic, event.changes, event.cursor)

    def close(self) -> None:
        """End the iteration once what is pending has been taken."""
        self._is_closed = True
        self._wake.set()

    async def __anext__(self) -> Change:
        while True:
            for topic, pending in self._pending.items():
                change = pending.take()
                if change is not None:
                    # To the end of the line: no topic starves the others.
                    self._pending[topic] = self._pending.pop(topic)
                    return change
            if self._is_closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def _push(self, topic: str, changes: list[Change], cursor: int) -> None:
        self._pending.setdefault(topic, PendingChanges()).push(changes, cursor)
        self._wake.set()
