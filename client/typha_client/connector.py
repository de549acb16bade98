"""Keeps one connection up: dials, backs off, follows GoAway make-before-break.

Its place: endpoints (whom) -> *connector* -> connection. It owns the sockets; the client owns the replicas.

Invariants
1. At most one session applies at any moment. On a move the old one is held from the new one's Hello on; Welcome
   ends it, anything else releases it (protocol section 3, "Moving").
2. No failure ends it; only cancellation does, and then no socket stays open.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from typha.wire.errors import RefusedError
from typha.wire.messages import GoAway
from typha.wire.question import Question
from typha.wire.states import CloseCode, RefusalCode
from typha_client import events as e
from typha_client.choosing import Choice, Offer, choose
from typha_client.connection import Connection, open_connection
from typha_client.discovery import Discovery
from typha_client.endpoints import Endpoints, Target
from typha_client.session import Session
from typha_client.tls import TlsSource, explain

_log: Final = logging.getLogger("typha_client")

FINAL_REFUSALS: Final = frozenset(
    {
        RefusalCode.PROTOCOL_VERSION,
        RefusalCode.UNAUTHENTICATED,
        RefusalCode.FORBIDDEN,
        RefusalCode.UNKNOWN_TOPIC,
        RefusalCode.BAD_HELLO,
    }
)


class Connector:
    """``new_session(now)`` makes a session with today's cursors and token, ``new_question()`` one that asks for the
    load; ``sink`` gets every event but stale ones.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        new_session: Callable[[float], Session],
        sink: Callable[[list[e.Event]], None],
        tls: TlsSource | None,
        *,
        new_question: Callable[[], Question],
        discovery: Discovery | None = None,
    ) -> None:
        self.endpoints = endpoints
        self.current: Connection | None = None
        self.last_error: Exception | None = None
        self.connects = self.refused = self.moves = 0
        self._new_session = new_session
        self._sink = sink
        self._tls = tls
        self._new_question = new_question
        self._discovery = discovery or Discovery(endpoints.servers)
        self._candidate: Connection | None = None
        self._go_away: tuple[Connection, GoAway] | None = None
        self._leaving: list[Connection] = []
        self._wake = asyncio.Event()
        self._totals: dict[str, Counter[str]] = {"frames_received": Counter(), "frames_sent": Counter()}
        self._bytes = Counter[str]()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.current = await self._dial(None)
                await self._serve()
        finally:
            await self._close_all()

    def statistics(self) -> dict[str, Any]:
        """Counters over all connections so far, the current one included."""
        frames = {name: Counter(counter) for name, counter in self._totals.items()}
        sizes = Counter(self._bytes)
        for connection in (self.current, self._candidate):
            if connection is not None and connection.session is not None:
                _add(connection.session, frames, sizes)
        return {
            "bytes_received": sizes["received"],
            "bytes_sent": sizes["sent"],
            "frames_received": dict(frames["frames_received"]),
            "frames_sent": dict(frames["frames_sent"]),
            "connects": self.connects,
            "moves": self.moves,
            "refused": self.refused,
        }

    # -- dialling -------------------------------------------------------------------------------------------------

    async def _dial(self, old: Connection | None) -> Connection:
        """Try until a server welcomes us, or (moving) until ``old`` is over: then it is returned as it is."""
        loop = asyncio.get_running_loop()
        addresses: tuple[str, ...] = ()
        while True:
            if self._go_away is not None and self._go_away[0] is old:
                addresses, self._go_away = self._go_away[1].addresses, None
                self.endpoints.prefer(addresses)
            attempt = self.endpoints.next_attempt(loop.time(), random.random())  # noqa: S311 - jitter
            if attempt.delay_s > 0:
                await self._pause(attempt.delay_s, old)
            if old is not None and _is_over(old):
                return old
            if attempt.target is None:
                resolved = await self._discovery.look(self._note)
                leaving = None if old is None else old.target
                self.endpoints.start_round(resolved.addresses, random.random(), leaving, resolved.near)  # noqa: S311
                self.endpoints.prefer(addresses)
                continue
            connection = await self._attempt(attempt.target, old)
            if connection is not None:
                return connection

    async def _pause(self, delay_s: float, old: Connection | None) -> None:
        if old is None:
            await asyncio.sleep(delay_s)
            return
        try:
            async with asyncio.timeout(delay_s):
                while not _is_over(old):
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return

    async def _attempt(self, target: Target, old: Connection | None) -> Connection | None:
        connection = await self._open(target)
        if connection is None:
            return None
        target = connection.target
        self._candidate = connection
        if old is not None and old.session is not None:
            old.session.hold()
        try:
            session = self._new_session(asyncio.get_running_loop().time())
        except Exception as error:  # noqa: BLE001 - the user's token function; a later attempt may read it
            self._note(error, "cannot make a Hello (token)")
            connection.close()
        else:
            connection.attach(session)
            await connection.settled.wait()
        self._candidate = None
        if connection.welcomed_at is not None:
            self.connects += 1
            self.endpoints.welcomed(target)
            if old is not None:
                self.moves += 1
                old.close(CloseCode.MOVED)
                self._retire(old)
            return connection
        self._after_refusal(connection)
        if old is not None:
            old.release()
        return None

    async def _open(self, target: Target) -> Connection | None:
        """To ``target``, or to the less loaded of two where there is time to ask."""
        rival = self.endpoints.rival(target, asyncio.get_running_loop().time())
        if rival is not None:
            choice = await choose(target, rival, self._offer)
        else:
            choice = Choice()
            try:
                choice.connection = await open_connection(target, self._on_events, self._tls)
            except OSError as error:
                choice.failed[target] = error
        for spared in choice.spared:
            self.endpoints.put_back(spared)
        for failed, why in choice.failed.items():
            self._offer_failed(failed, why)
        return choice.connection

    async def _offer(self, target: Target) -> Offer:
        connection = await open_connection(target, self._on_events, self._tls)
        try:
            return Offer(connection, (await connection.ask(self._new_question())).connections)
        except BaseException as error:
            connection.close()
            if (refused := explain(connection.loss)) is not None:
                raise refused from error
            raise

    def _offer_failed(self, target: Target, error: BaseException) -> None:
        match error:
            case RefusedError() if error.code == RefusalCode.BAD_HELLO:
                # A server that knows no questions: it is connected to as it is.
                self.endpoints.asks = False
                self.endpoints.put_back(target)
            case RefusedError():
                self._refused_by(target, error)
            case OSError():
                self._note(explain(error) or error, f"cannot connect to {target.server} at {target.address}")
                self.endpoints.failed(target)
            case Exception():
                self._note(error, f"no answer from {target.server}")
                self.endpoints.failed(target)
            case _:
                raise error

    def _after_refusal(self, connection: Connection) -> None:
        self._retire(connection)
        error = connection.session.error if connection.session is not None else self.last_error
        error = explain(connection.loss) or error
        if not isinstance(error, RefusedError) or connection.session is None:
            self._note(error, f"no Welcome from {connection.target.server}")
            self.endpoints.failed(connection.target)
            return
        self._refused_by(connection.target, error)

    def _refused_by(self, target: Target, error: RefusedError) -> None:
        self.refused += 1
        self._note(error, f"{target.server} refused")
        now = asyncio.get_running_loop().time()
        final = error.code in FINAL_REFUSALS
        self.endpoints.prefer(error.addresses)
        self.endpoints.refused(target, now, error.retry_after_s, final=final)

    # -- serving --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while (connection := self.current) is not None:
            await self._wake.wait()
            self._wake.clear()
            asked = self._go_away
            if not _is_over(connection) and asked is not None and asked[0] is connection:
                _log.info("moving reason=%s server=%s", asked[1].reason, connection.target.server)
                self.current = await self._dial(connection)
                # What woke the pause of the dial may have been the new connection's own end.
                self._wake.set()
            elif _is_over(connection):
                self._retire(connection)
                self.current = None
                error = connection.session.error if connection.session is not None else None
                self._note(error, f"connection to {connection.target.server} ended")
                self.endpoints.lost(connection.stayed_s())

    def _on_events(self, connection: Connection, events: list[e.Event]) -> None:
        passed = []
        for event in events:
            match event:
                case e.Welcomed():
                    connection.welcomed_at = asyncio.get_running_loop().time()
                    connection.settled.set()
                case e.RefusedByServer() if self.current is not None and not _is_over(self.current):
                    # A move that failed: the old connection still serves, nothing is stale.
                    continue
                case e.MoveRequested(go_away):
                    if connection is self.current or connection is self._candidate:
                        self._go_away = (connection, go_away)
                        self._wake.set()
                case e.Closed():
                    connection.settled.set()
                    self._wake.set()
            passed.append(event)
        self._sink(passed)

    def _note(self, error: Exception | None, what: str) -> None:
        if error is None:
            _log.info("%s", what)
            return
        self.last_error = error
        _log.warning("%s error=%s", what, error)

    def _retire(self, connection: Connection) -> None:
        if connection.session is not None:
            _add(connection.session, self._totals, self._bytes)
        self._leaving = [leaving for leaving in self._leaving if not leaving.is_gone]
        self._leaving.append(connection)

    async def _close_all(self) -> None:
        open_now = [connection for connection in (self.current, self._candidate) if connection is not None]
        for connection in open_now:
            connection.close()
        for connection in (*open_now, *self._leaving):
            await connection.wait_closed()


def _is_over(connection: Connection) -> bool:
    return connection.session is None or connection.session.is_closed


def _add(session: Session, frames: dict[str, Counter[str]], sizes: Counter[str]) -> None:
    frames["frames_received"].update(session.frames_received)
    frames["frames_sent"].update(session.frames_sent)
    sizes["received"] += session.bytes_received
    sizes["sent"] += session.bytes_sent
