"""Finds out who each connection is, and watches that it stays so; between `authentication` and `token_reviews`.

Place: `server` tells it of connections that are made and lost, of sessions in REVIEW, and runs it as one task.

1. A session in REVIEW is followed again when its token is reviewed, whatever the answer.
2. Whoever holds a token that is valid no more gets Close (unauthenticated), and the log names the reason.
3. Whoever came with a token is asked to move before its end: agents read the token of today at each connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf
from random import Random
from typing import Final

from typha.downstream.authentication import Authentication
from typha.downstream.connection import Connection
from typha.downstream.dialect import SessionState
from typha.downstream.moves import Moves
from typha.downstream.settings import DownstreamSettings
from typha.downstream.token_reviews import Review, TokenReviews
from typha.wire.errors import RefusedError
from typha.wire.states import CloseCode, GoAwayReason

log = logging.getLogger("typha.downstream")

# The kubelet renews a pod's token after 80 % of its life: what is left then, and not more than agents need to move.
_MOVE_BEFORE_END: Final = 0.1
_MOVE_BEFORE_END_S: Final = 120.0
# Between two looks at what is due; a look goes through all tokens (1 ms for 10,000).
_LOOK_S: Final = 1.0
# What an agent is told to wait whose token cannot be reviewed now.
_RETRY_S: Final = 2.0


class RevokedError(Exception):
    """Why a connection was ended that had been let in."""


class Identifying:
    """``review`` None: no tokens are looked at. ``follow`` is called when a session in REVIEW may go on, ``closed``
    when an open one was closed.
    """

    def __init__(
        self,
        authentication: Authentication,
        review: Review | None,
        settings: DownstreamSettings,
        clock: Callable[[], float],
        rng: Random,
        moves: Moves,
        follow: Callable[[Connection], None],
        closed: Callable[[Connection], None],
    ) -> None:
        self._authentication = authentication
        self._clock = clock
        self._moves = moves
        self._move_after_s = settings.go_away_after_s
        self._follow = follow
        self._closed = closed
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._move_at: dict[Connection, float] = {}
        self.reviews: TokenReviews[Connection] | None = None
        if review is not None:
            self.reviews = TokenReviews(
                review,
                interval_s=settings.token_review_interval_s,
                clock=clock,
                random=rng.random,
                retry_after_s=lambda: round(_RETRY_S * rng.uniform(0.5, 1.5), 3),
                on_revoked=self._revoked,
            )

    def made(self, connection: Connection) -> None:
        """A connection stands; its session may ask who it is from now on."""
        connection.session.caller = self._authentication.caller(
            connection.peer_certificate if self._authentication.asks_certificate else None
        )

    def lost(self, connection: Connection) -> None:
        """It has gone."""
        if self.reviews is None:
            return
        self.reviews.release(connection)
        self._move_at.pop(connection, None)
        if (task := self._tasks.pop(connection, None)) is not None:
            task.cancel()

    def review(self, connection: Connection) -> None:
        """Its session is in REVIEW; asking twice is asking once."""
        if self.reviews is not None and connection not in self._tasks:
            self._tasks[connection] = asyncio.get_running_loop().create_task(
                self._identify(self.reviews, connection), name=f"typha identify {connection.session.id}"
            )

    async def run(self) -> None:
        """Until cancelled."""
        while self.reviews is not None:
            await asyncio.sleep(_LOOK_S)
            self.look(self._clock())

    def look(self, now: float) -> None:
        """Ask those to move whose token ends soon, and have reviewed what is due."""
        for connection in [connection for connection, at in self._move_at.items() if at <= now]:
            del self._move_at[connection]
            # Also where there is no other server: it comes back with the token of today.
            self._moves.ask(connection, GoAwayReason.MAX_AGE, self._move_after_s)
        if self.reviews is not None:
            self.reviews.look(now)

    def cancel(self) -> None:
        """Ask nothing more."""
        for task in self._tasks.values():
            task.cancel()
        if self.reviews is not None:
            self.reviews.cancel()

    async def _identify(self, reviews: TokenReviews[Connection], connection: Connection) -> None:
        session = connection.session
        try:
            token = await reviews.identify(session.token, connection)
        except RefusedError as refusal:
            if session.state is SessionState.REVIEW:
                session.refuse(refusal)
        else:
            now = self._clock()
            left_s = token.expires_at - now
            if left_s < inf:
                self._move_at[connection] = now + left_s - min(left_s * _MOVE_BEFORE_END, _MOVE_BEFORE_END_S)
            session.caller.reviewed(token.peer)
            session.decide(now)
        self._tasks.pop(connection, None)
        self._follow(connection)

    def _revoked(self, connection: Connection, reason: str) -> None:
        session = connection.session
        if session.is_closed:
            return
        # With the error, so that the line of its end in the log has the reason.
        session.say_close(CloseCode.UNAUTHENTICATED, reason[:500], RevokedError(reason))
        self._closed(connection)
