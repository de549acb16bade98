"""Welcomes that wait, because a client has seen more of a topic than this server holds (protocol, section 5).

Each round asks again. When a session's time is up, the API server is asked: this server is behind, and refuses; or the
cluster was restored, and that is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

from typha.downstream.connection import Connection
from typha.downstream.dialect import SessionState
from typha.wire.errors import RefusedError
from typha.wire.states import RefusalCode

Probe = Callable[[str], Awaitable[int]]
"""Topic name -> resourceVersion of a consistent read of its resource, by asking the API server."""
Restored = Callable[[str], None]
"""Told when a client proves that the cluster was restored, with the reason."""


class WaitingWelcomes:
    """``follow`` is called after a session may have moved; ``retry_after_s`` is what a refused client is told."""

    def __init__(
        self,
        probe: Probe,
        on_restored: Restored,
        *,
        clock: Callable[[], float],
        retry_after_s: Callable[[], float],
        follow: Callable[[Connection], None],
    ) -> None:
        self._probe = probe
        self._on_restored = on_restored
        self._clock = clock
        self._retry_after_s = retry_after_s
        self._follow = follow
        self._connections: dict[Connection, None] = {}
        self._probes: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """Peers that wait."""
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        """Its session is in state SEEN."""
        self._connections[connection] = None

    def discard(self, connection: Connection) -> None:
        """It waits no more."""
        self._connections.pop(connection, None)

    def decide(self) -> None:
        """The topics may have come as far as the clients have."""
        for connection in list(self._connections):
            connection.session.decide(self._clock())
            self._follow(connection)

    def end(self, connection: Connection) -> None:
        """Its time is up: ask the API server, and decide."""
        connection.session.deadline_at = inf
        task = asyncio.get_running_loop().create_task(
            self._settle(connection), name=f"typha seen {connection.session.id}"
        )
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    def cancel(self) -> None:
        """Ask nothing more."""
        for task in self._probes:
            task.cancel()

    async def _settle(self, connection: Connection) -> None:
        session = connection.session
        reason = "not in contact with the API server yet"
        for behind in session.behind():
            name, head = behind.topic.name, behind.topic.head
            reason = f"topic {name} is at {head} here, the client has seen {behind.seen}"
            with suppress(Exception):
                rv = await self._probe(name)
                if rv < behind.seen and session.state is SessionState.SEEN:
                    self._on_restored(f"a client has seen {behind.seen} of {name}, the API server is at {rv}")
                    break
        session.decide(self._clock())
        if session.state is SessionState.SEEN:
            session.refuse(RefusedError(RefusalCode.NOT_READY, reason, self._retry_after_s()))
        self._follow(connection)
