"""Asks for reviews of agents' tokens: at their Hello, and again while they are connected.

Place: `server` has it `identify` a connection whose session waits for that; `app` gives ``review``, which asks the API
server. What is known of tokens is in `tokens`.

Invariants
1. A token is under review once at a time, however many connections bring it, and at most CONCURRENT are.
2. Whoever holds a token that a review refuses, or that has ended, is told to ``on_revoked`` at once.

Road not taken: checking tokens' signatures here. The API server alone knows whether the pod is still there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic

from typha.downstream.tokens import Holder, Reviewed, Token, TokenBook
from typha.wire.errors import RefusedError
from typha.wire.states import RefusalCode

log = logging.getLogger("typha.downstream")

Review = Callable[[str], Awaitable[Reviewed]]
"""Asks the API server about a token. Raises TokenRefusedError and ReviewFailedError."""

# Reviews at a time: a storm of 5,000 agents takes seconds, and the API server sees no storm.
CONCURRENT: Final = 16


class TokenRefusedError(Exception):
    """The API server does not know the token, or not for us; its text is the reason."""


class ReviewFailedError(Exception):
    """The API server could not be asked; its text is the reason."""


class TokenReviews(Generic[Holder]):
    """``interval_s``: between reviews of a token that is held; ``random`` gives [0, 1)."""

    def __init__(
        self,
        review: Review,
        *,
        interval_s: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        retry_after_s: Callable[[], float],
        on_revoked: Callable[[Holder, str], None],
    ) -> None:
        self._review = review
        self._book: TokenBook[Holder] = TokenBook(interval_s)
        self._clock = clock
        self._random = random
        self._retry_after_s = retry_after_s
        self._on_revoked = on_revoked
        self._places = asyncio.Semaphore(CONCURRENT)
        self._under_way: dict[str, asyncio.Task[Token[Holder]]] = {}
        self.reviews = self.refused = self.failed = self.revoked = 0

    async def identify(self, text: str, holder: Holder) -> Token[Holder]:
        """The token, held by ``holder`` from now on. Raises RefusedError: unauthenticated, or not_ready for now."""
        token = await self.find(text)
        self._book.hold(token, holder)
        return token

    async def find(self, text: str) -> Token[Holder]:
        """The token, for one question: nobody holds it, and it is reviewed again when it is shown again after
        ``interval_s``. Raises RefusedError.
        """
        now = self._clock()
        if reason := self._book.refusal(text, now):
            raise RefusedError(RefusalCode.UNAUTHENTICATED, f"the token was refused: {reason}")
        token = self._book.find(text, now)
        if token is None or token.review_at <= now:
            try:
                token = await self._reviewed(text)
            except TokenRefusedError as error:
                raise RefusedError(RefusalCode.UNAUTHENTICATED, f"the token was refused: {error}") from None
            except ReviewFailedError as error:
                if token is None:
                    reason = f"the token cannot be reviewed now: {error}"
                    raise RefusedError(RefusalCode.NOT_READY, reason, self._retry_after_s()) from None
        return token

    def release(self, holder: Holder) -> None:
        """The holder has gone."""
        self._book.release(holder)

    @property
    def known(self) -> int:
        """Tokens that are good now."""
        return len(self._book)

    def look(self, now: float) -> None:
        """Start the reviews that are due, and tell of tokens that have ended. Call it about once a second."""
        for holder in self._book.expired(now):
            self._on_revoked(holder, "the token has expired")
        for text in self._book.due(now, max(0, CONCURRENT - len(self._under_way))):
            self._start(text)

    def cancel(self) -> None:
        """Ask nothing more."""
        for task in self._under_way.values():
            task.cancel()

    async def _reviewed(self, text: str) -> Token[Holder]:
        # Shielded: the connection that asked first may go, others wait for the same answer.
        return await asyncio.shield(self._under_way.get(text) or self._start(text))

    def _start(self, text: str) -> asyncio.Task[Token[Holder]]:
        task = asyncio.get_running_loop().create_task(self._ask(text), name="typha token review")
        self._under_way[text] = task
        task.add_done_callback(lambda _: self._under_way.pop(text, None))
        task.add_done_callback(_look_at)
        return task

    async def _ask(self, text: str) -> Token[Holder]:
        async with self._places:
            self.reviews += 1
            try:
                reviewed = await self._review(text)
            except TokenRefusedError as error:
                self.refused += 1
                for holder in self._book.refuse(text, str(error), self._clock()):
                    self.revoked += 1
                    self._on_revoked(holder, f"the token was refused: {error}")
                raise
            except ReviewFailedError as error:
                self.failed += 1
                log.warning("a token cannot be reviewed", extra={"error": str(error)})
                raise
        return self._book.accept(text, reviewed, self._clock(), self._random())


def _look_at(task: asyncio.Task[object]) -> None:
    """What a review that nobody waits for had to say is said already."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, TokenRefusedError | ReviewFailedError):
        log.error("a review of a token failed", exc_info=error)
