"""Has connections go elsewhere, with the word for it: a drain, a share to be kept, age.

Place: the server owns one; `app` drains through it, `typha.replicas` sheds through it and says where else to go.

Invariants
1. GoAway, never a bare close, where the language has a word for it.
2. Age moves nobody while no other server is known to be ready: it would come back here.
3. A drain keeps its time whatever the number of connections: the wait for readiness to spread is part of it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import Final

from typha.downstream.connection import Connection
from typha.downstream.settings import DownstreamSettings
from typha.downstream.statistics import ServerCounters
from typha.wire.states import GoAwayReason

log = logging.getLogger("typha.downstream")

# Of what is left of the grace period: the rest is for those who are slow to find another server.
_SPREAD: Final = 0.5


class Moves:
    """``connections``: all that are open; ``settle`` is called after a word that may have closed a session."""

    def __init__(
        self,
        settings: DownstreamSettings,
        counters: ServerCounters,
        *,
        connections: Callable[[], Iterable[Connection]],
        settle: Callable[[Connection], None],
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._connections = connections
        self._settle = settle
        self._clock = clock
        self._rng = rng
        self._asked: dict[Connection, float] = {}
        self.elsewhere: Callable[[], tuple[str, ...]] = lambda: settings.advertise
        """Addresses of other servers, the one to try first in front; asked once for each agent. May be replaced."""
        self.has_elsewhere: Callable[[], bool] = lambda: False
        """Whether another server is known to be ready now. May be replaced."""

    def addresses(self) -> tuple[str, ...]:
        """Where one agent that goes may go."""
        return self.elsewhere()

    def movable(self) -> list[Connection]:
        """Connections that may be asked to go to another server; not those that were, and have time to."""
        now = self._clock()
        self._asked = {one: until for one, until in self._asked.items() if until > now and one.is_welcomed}
        return [connection for connection in self._served() if connection not in self._asked]

    def shed(self, connection: Connection) -> None:
        """Have one go to keep this server's share."""
        after_s = self._settings.go_away_after_s
        self._asked[connection] = self._clock() + after_s
        self.ask(connection, GoAwayReason.REBALANCE, after_s)

    def _served(self) -> list[Connection]:
        return [connection for connection in self._connections() if connection.is_welcomed]

    def begin_age(self, connection: Connection, now: float) -> None:
        """It was welcomed, or asked to move, now."""
        if self._settings.max_age_s and connection.session.resumes:
            connection.move_due_at = now + self._settings.max_age_s * self._rng.uniform(0.9, 1.1)

    def check_age(self, connection: Connection, now: float) -> None:
        """Have it go where it is old; again where it did not and has become twice as old."""
        if now < connection.move_due_at:
            return
        self.begin_age(connection, now)
        if self.has_elsewhere():
            self.ask(connection, GoAwayReason.MAX_AGE, self._settings.go_away_after_s)

    def ask(self, connection: Connection, reason: GoAwayReason, after_s: float) -> None:
        """Say GoAway."""
        if not connection.is_welcomed:
            return
        self._counters.go_aways[reason] += 1
        connection.session.say_go_away(reason, after_s)
        connection.subscriber.flush()
        self._settle(connection)

    async def drain(self, grace_s: float, wait_s: float = 0.0, pace: Callable[[int], float] | None = None) -> None:
        """Wait ``wait_s`` (for others to see that this server goes), then ask everybody to move, spread over half
        of what is left of ``grace_s``. ``pace`` gives the time between two of so many connections instead.
        """
        started = self._clock()
        ends_at = started + grace_s
        log.info("draining", extra={"subscribers": len(self._served()), "grace_s": grace_s, "wait_s": wait_s})
        if wait_s > 0 and self._served():
            await asyncio.sleep(min(wait_s, grace_s * _SPREAD))
        connections = self._served()
        self._rng.shuffle(connections)
        begun = self._clock()
        spread_s = max(0.0, ends_at - begun) * _SPREAD
        gap_s = pace(len(connections)) if pace is not None else spread_s / max(1, len(connections))
        for place, connection in enumerate(connections):
            if (rest_s := begun + gap_s * place - self._clock()) > 0:
                await asyncio.sleep(rest_s)
            self.ask(connection, GoAwayReason.DRAINING, max(1.0, ends_at - self._clock()))
