"""The shell of the stage: listens, runs the rounds and a one-second tick, drains. Everything decided elsewhere.

Invariants
1. Three tasks, whatever the number of connections: rounds, tick, tokens; and one for each that is being opened.
2. A subscriber is cut for draining no byte, for silence, or for a breach; never for being slow, never for age of
   its data.
3. A connection never ends without a word that says why, unless the peer broke the protocol's language or is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Final

from typha.cache.catalog import Catalog
from typha.downstream import census, verification
from typha.downstream.authentication import Authentication
from typha.downstream.calico_encodings import encodings_of
from typha.downstream.connection import Connection, Owner
from typha.downstream.connection_limits import ConnectionLimits
from typha.downstream.dialect import Load, SessionState
from typha.downstream.fan_out import FanOut
from typha.downstream.feed_view import FeedViews
from typha.downstream.identifying import Identifying
from typha.downstream.listener import Listener
from typha.downstream.moves import Moves
from typha.downstream.rounds import Rounds
from typha.downstream.server_tls import ServerTls
from typha.downstream.sessions import Sessions
from typha.downstream.settings import DownstreamSettings
from typha.downstream.statistics import FeedViewStatistics, ServerCounters, ServerStatistics, SubscriberStatistics
from typha.downstream.tcp_connection import TcpConnection
from typha.downstream.tls_connection import TlsConnection
from typha.downstream.token_reviews import Review
from typha.downstream.turns import Turns
from typha.downstream.waiting import Probe, Restored, WaitingWelcomes
from typha.wire.errors import RefusedError
from typha.wire.states import CloseCode, RefusalCode

log = logging.getLogger("typha.downstream")

_TICK_S: Final = 1.0
# What a client is told to wait when the server as a whole cannot serve it now.
_RETRY_S: Final = 2.0
# Memory that is short stays short for longer than a crowd of connections.
_MEMORY_RETRY_S: Final = 15.0
# A Refused or Close must reach the peer, but a peer that does not read must not keep the socket.
_FAREWELL_S: Final = 5.0


class Server:
    """See the module. ``start`` binds; ``run`` serves until cancelled; ``drain`` moves everybody away."""

    def __init__(
        self,
        catalog: Catalog,
        feeds: Mapping[str, Sequence[str]],
        settings: DownstreamSettings,
        *,
        probe: Probe,
        on_restored: Restored,
        tls: ServerTls | None = None,
        authentication: Authentication | None = None,
        review: Review | None = None,
        calico_feeds: Mapping[str, Sequence[str]] | None = None,
        rng: random.Random | None = None,
        verify: bool = False,
        welcomed: Callable[[int], object] = lambda subscribers: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = time.monotonic  # one clock for all stages; uvloop's own counts in whole milliseconds
        self._catalog = catalog
        self._settings = settings
        self.tls = tls
        self._rng = rng = rng or random.SystemRandom()
        self._empty = asyncio.Event()
        self._tell_welcomed = welcomed
        self._listener: Listener | None = None
        self._connections: dict[Connection, None] = {}
        self._waiting = WaitingWelcomes(
            probe,
            on_restored,
            clock=self._clock,
            retry_after_s=lambda: self._jittered(_RETRY_S),
            follow=self._follow_handshake,
        )
        self._rounds = Rounds(settings, self._clock, self._waiting.decide)
        asked = authentication or Authentication()
        follow, closed = self._follow_handshake, self._finish_if_closed
        self.is_draining = False
        self.share: int | None = None
        """Subscribers to hold beside the other servers; None while they are not known."""
        self.counters = ServerCounters()
        self.connection_limits = ConnectionLimits(settings)
        self.moves = Moves(
            settings, self.counters, connections=lambda: self._connections, settle=closed, clock=self._clock, rng=rng
        )
        self.identifying = Identifying(asked, review, settings, self._clock, rng, self.moves, follow, closed)
        self.views = (
            FeedViews(calico_feeds, catalog.topics, clock=self._clock, wake=self._rounds.wake) if calico_feeds else None
        )
        self.prefix = f"{self._rng.getrandbits(24):06x}"
        """Of all its sessions: who asks it knows by that whether it is another server."""
        self._sessions = Sessions(
            self.prefix,
            catalog,
            feeds,
            self.views,
            settings,
            clock=self._clock,
            admit=self._admit,
            elsewhere=self.moves.addresses,
        )
        self._leaving = Turns(self._left, self._loop.call_soon, settings.round_budget_s, self._clock)
        ended, foreign = self._leaving.add, self._sessions.foreign
        self._owner = Owner(
            self._clock, self._made, self._received, self._drained, ended, self.counters.traffic, foreign
        )
        self.fan_out = FanOut(
            catalog,
            settings,
            clock=self._clock,
            wake=self._rounds.wake,
            on_evidence=on_restored,
            views=self.views,
            traffic=self.counters.traffic,
            verify=verification.verify if verify else verification.trust,
        )
        self._turns = Turns(self.fan_out.drained, self._loop.call_soon, settings.round_budget_s, self._clock)

    # --- life

    async def start(self, host: str, port: int) -> int:
        """Bind and listen (see `listening`); gives the first port. Raises OSError."""
        self._listener = Listener(
            self._new_connection,
            self.tls,
            max_handshakes=self._settings.max_handshakes,
            handshake_timeout_s=self._settings.handshake_timeout_s,
            shutdown_timeout_s=_FAREWELL_S,
        )
        return await self._listener.start(host, port)

    async def run(self) -> None:
        """Rounds and ticks, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rounds.run(self.fan_out), name="typha rounds")
            tasks.create_task(self._ticks(), name="typha tick")
            tasks.create_task(self.identifying.run(), name="typha tokens")

    async def drain(self, grace_s: float, pace: Callable[[int], float] | None = None) -> None:
        """Ask everybody to move (see `Moves.drain`), and wait until they have, or the grace period is over."""
        self.is_draining = True
        ends_at = self._clock() + grace_s
        await self.moves.drain(grace_s, self._settings.drain_wait_s, pace)
        await self._wait_empty(ends_at)

    async def close(self) -> None:
        """Stop listening, say Close to whoever is left, and wait until the sockets are gone."""
        if self._listener is not None:
            self._listener.close()
        self._waiting.cancel()
        self.identifying.cancel()
        for connection in list(self._connections):
            connection.session.say_close(CloseCode.DRAINING, "the server stops; resume elsewhere")
            connection.finish()
        await self._wait_empty(self._clock() + _FAREWELL_S)
        for connection in list(self._connections):
            connection.abort(CloseCode.DRAINING)
        await self._wait_empty(self._clock() + _FAREWELL_S)
        if self._listener is not None:
            await self._listener.wait_closed()

    async def _wait_empty(self, deadline_at: float) -> None:
        if not self._connections:
            return
        self._empty.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), max(0.0, deadline_at - self._clock()))

    # --- connections

    def _new_connection(self, accepted: socket.socket) -> Connection:
        if self.tls is None:
            return TcpConnection(self._sessions.native(), self._owner, accepted)
        return TlsConnection(self._sessions.native(), self._owner)

    def _drained(self, connection: Connection) -> None:
        self._turns.add(connection.subscriber)

    def _made(self, connection: Connection) -> None:
        self.counters.accepted += 1
        self._connections[connection] = None
        self.identifying.made(connection)
        refusal = self.connection_limits.enter(connection, connection.host, self._jittered(_RETRY_S))
        if refusal is not None:
            connection.session.refuse(refusal)
            self._finish(connection)

    def _admit(self) -> Load:
        if self.is_draining:
            raise RefusedError(RefusalCode.DRAINING, "this server stops", self._jittered(_RETRY_S))
        pause = self.connection_limits.pause(self._jittered(_MEMORY_RETRY_S))
        return Load(len(self.fan_out.subscribers), self.share or self._settings.max_connections, pause)

    def _received(self, connection: Connection) -> None:
        session = connection.session
        if connection.subscriber in self.fan_out.subscribers:
            if session.is_closed:
                self.fan_out.remove(connection.subscriber)
                self._finish(connection)
            else:
                self.fan_out.received(connection.subscriber)
        else:
            self._follow_handshake(connection)

    def _follow_handshake(self, connection: Connection) -> None:
        """After anything that may have moved a session that was not welcomed yet."""
        session = connection.session
        if session.state is not SessionState.HELLO:
            self.connection_limits.heard(connection)
        if session.state is not SessionState.SEEN:
            self._waiting.discard(connection)
        match session.state:
            case SessionState.OPEN:
                self._welcomed(connection)
            case SessionState.SEEN:
                self._waiting.add(connection)
            case SessionState.REVIEW:
                self.identifying.review(connection)
            case SessionState.CLOSED:
                self._finish(connection)
            case SessionState.HELLO:
                connection.subscriber.flush()  # a language may have more to say before it serves

    def _welcomed(self, connection: Connection) -> None:
        session, now = connection.session, self._clock()
        self.counters.welcomed += 1
        connection.ping_due_at = now + session.ping_interval_s
        self.moves.begin_age(connection, now)
        modes = Counter(
            "snapshot" if s.position is None else "reconcile" if s.is_staged else "resume"
            for s in session.subscriptions
        )
        self.counters.modes.update(modes)
        log.info(
            "subscriber welcomed",
            extra={
                "conn": session.id,
                "address": connection.address,
                "node": session.node,
                "agent": session.agent,
                **modes,
            },
        )
        self.fan_out.add(connection.subscriber)
        self._tell_welcomed(len(self.fan_out.subscribers))

    def _finish(self, connection: Connection) -> None:
        connection.close_due_at = self._clock() + _FAREWELL_S
        connection.finish()

    def _left(self, connection: Connection) -> None:
        session = connection.session
        self._connections.pop(connection, None)
        self.connection_limits.leave(connection, connection.host)
        self._waiting.discard(connection)
        self.identifying.lost(connection)
        if not self._connections:
            self._empty.set()
        was_served = connection.subscriber in self.fan_out.subscribers
        self.fan_out.remove(connection.subscriber)
        census.count_closed(self.counters, connection)
        if was_served or session.error is not None:
            log.log(
                logging.WARNING if session.error is not None else logging.INFO,
                "connection closed",
                extra={
                    "conn": session.id,
                    "address": connection.address,
                    "code": session.closed_by,
                    "error": "" if session.error is None else str(session.error),
                    "bytes_sent": connection.subscriber.bytes_sent,
                },
            )

    def _finish_if_closed(self, connection: Connection) -> None:
        """Of a language that knows no word for it, a session is closed where another would be asked."""
        if connection.session.is_closed and connection.close_due_at == inf:
            self.fan_out.remove(connection.subscriber)
            self._finish(connection)

    def _jittered(self, seconds: float) -> float:
        return round(seconds * self._rng.uniform(0.5, 1.5), 3)

    # --- the tick

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = self._clock()
            if self.tls is not None:
                self.tls.look(time.time())
            self._catalog.tick(now)
            self.fan_out.tick(now)
            stop_at = now + self._settings.round_budget_s
            for connection in list(self._connections):
                self._tick(connection, now)
                if self._clock() >= stop_at:
                    await asyncio.sleep(0)
                    stop_at = self._clock() + self._settings.round_budget_s
            await self._train(now)

    async def _train(self, now: float) -> None:
        """A dictionary that is wanted: the tick waits for it (some 75 ms), the rounds do not."""
        dictionaries = self._sessions.dictionaries
        if training := dictionaries.next_training(now):
            dictionaries.trained(training, await asyncio.to_thread(training.run))

    def _tick(self, connection: Connection, now: float) -> None:
        session, settings = connection.session, self._settings
        if now >= connection.close_due_at:
            connection.abort(session.closed_by)
        elif connection.is_stuck(now, settings.stuck_timeout_s):
            connection.abort(CloseCode.STUCK)
        elif session.state is SessionState.HELLO and now >= session.deadline_at:
            session.refuse(
                RefusedError(RefusalCode.BAD_HELLO, f"no whole Hello within {settings.handshake_timeout_s:g} s")
            )
            self._finish(connection)
        elif session.state is SessionState.SEEN and now >= session.deadline_at:
            self._waiting.end(connection)
        elif session.state is SessionState.OPEN:
            self._tick_open(connection, now)
        else:
            self._finish_if_closed(connection)

    def _tick_open(self, connection: Connection, now: float) -> None:
        session = connection.session
        if connection.is_drained and now - session.heard_at >= session.silence_timeout_s:
            session.say_close(CloseCode.PING_TIMEOUT, f"nothing heard for {session.silence_timeout_s:g} s")
            self.fan_out.remove(connection.subscriber)
            self._finish(connection)
            return
        if now >= connection.ping_due_at:
            connection.ping_due_at = now + session.ping_interval_s
            session.say_ping(now)
            connection.subscriber.flush()
        self.moves.check_age(connection, now)

    # --- numbers

    def statistics(self) -> ServerStatistics:
        """The stage at this moment."""
        compression = self._sessions.dictionaries.counters
        return census.statistics(
            self.counters,
            self.fan_out,
            compression,
            connections=len(self._connections),
            is_draining=self.is_draining,
            unheard=self.connection_limits.unheard,
        )

    def feeds(self) -> list[FeedViewStatistics]:
        """The feeds as Calico's agents read them; none where none is served."""
        if self.views is None:
            return []
        return self.views.statistics(self.fan_out.walks, encodings_of(self._settings.calico_max_message_kvs))

    def each_subscriber(self) -> Iterator[SubscriberStatistics]:
        """Every welcomed connection, one at a time: thousands are gone through in slices."""
        return census.each_subscriber(self._connections, self._clock())

    def subscribers(self) -> list[SubscriberStatistics]:
        """All of them at once; costs their number."""
        return list(self.each_subscriber())
