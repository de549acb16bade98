"""Tokens of ServiceAccounts that were reviewed, who holds them, and when they are to be reviewed again. Pure.

Place: `token_reviews` asks it before it asks the API server, and tells it the answer.

Invariants
1. A token is good from one review to the next, never beyond its own end. One that was found good and cannot be reviewed
   now stays good until its end: an outage of the API server turns no agent away.
2. A token that is refused stays refused for REFUSED_S: a broken agent asks us, not the API server.
3. What is kept is bounded, and a token that nobody holds is kept no longer than one that somebody does. Tokens are
   found by their hash; their text is kept for the next review only, and is in no ``repr``.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from typha.downstream.identity import Peer

# A new token (or a ServiceAccount that comes late) is seen soon; an agent in a loop costs 6 reviews a minute.
REFUSED_S: Final = 10.0
MAX_REFUSED: Final = 4096
# As many agents as a server serves, with a token each, and what they had before.
MAX_TOKENS: Final = 32_768

Holder = TypeVar("Holder", bound=Hashable)


class Reviewed(NamedTuple):
    """What a review has found; ``expires_in_s`` is infinite where the token does not say."""

    peer: Peer
    expires_in_s: float


@dataclass(slots=True)
class Token(Generic[Holder]):
    """One that was found good. ``review_at`` is when it is to be reviewed again."""

    text: str = field(repr=False)
    peer: Peer
    expires_at: float
    review_at: float
    holders: set[Holder] = field(default_factory=set)


class TokenBook(Generic[Holder]):
    """``interval_s``: from one review to the next. Holders are connections."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._good: OrderedDict[bytes, Token[Holder]] = OrderedDict()
        self._refused: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._held: dict[Holder, Token[Holder]] = {}

    def __len__(self) -> int:
        return len(self._good)

    def find(self, text: str, now: float) -> Token[Holder] | None:
        """The token, where it was found good and has not ended; it may be due for review."""
        found = self._good.get(_digest(text))
        return found if found is not None and now < found.expires_at else None

    def refusal(self, text: str, now: float) -> str:
        """Why the token was refused a moment ago, "" where it was not."""
        reason, until = self._refused.get(_digest(text), ("", 0.0))
        return reason if now < until else ""

    def accept(self, text: str, reviewed: Reviewed, now: float, jitter: float) -> Token[Holder]:
        """A review found it good. ``jitter`` in [0, 1) spreads the reviews of agents that came together."""
        digest = _digest(text)
        self._refused.pop(digest, None)
        token = self._good.get(digest)
        if token is None:
            token = self._good[digest] = Token(text, reviewed.peer, 0.0, 0.0)
        token.peer = reviewed.peer
        token.expires_at = now + reviewed.expires_in_s
        token.review_at = now + self._interval_s * (1.0 - 0.2 * jitter)
        if len(self._good) > MAX_TOKENS:
            self._forget_one()
        return token

    def refuse(self, text: str, reason: str, now: float) -> list[Holder]:
        """A review refused it. Gives those who hold it; they hold it no more."""
        digest = _digest(text)
        self._refused[digest] = (reason, now + REFUSED_S)
        while len(self._refused) > MAX_REFUSED:
            self._refused.popitem(last=False)
        return self._let_go(digest)

    def hold(self, token: Token[Holder], holder: Holder) -> None:
        """The holder was let in with it."""
        self.release(holder)
        token.holders.add(holder)
        self._held[holder] = token

    def release(self, holder: Holder) -> None:
        """The holder has gone; it may hold nothing."""
        token = self._held.pop(holder, None)
        if token is not None:
            token.holders.discard(holder)

    def due(self, now: float, limit: int) -> list[str]:
        """Tokens that somebody holds and that are to be reviewed now, at most ``limit``; each is asked for once."""
        found: list[str] = []
        for token in self._good.values():
            if len(found) == limit:
                break
            if token.holders and token.review_at <= now < token.expires_at:
                token.review_at = now + self._interval_s  # where the review fails, the next interval asks again
                found.append(token.text)
        return found

    def expired(self, now: float) -> list[Holder]:
        """Forget what has ended; gives those who held it."""
        ended = [digest for digest, token in self._good.items() if token.expires_at <= now]
        holders = [holder for digest in ended for holder in self._let_go(digest)]
        for digest in [digest for digest, (_, until) in self._refused.items() if until <= now]:
            del self._refused[digest]
        return holders

    def _let_go(self, digest: bytes) -> list[Holder]:
        token = self._good.pop(digest, None)
        if token is None:
            return []
        holders = list(token.holders)
        for holder in holders:
            self.release(holder)
        return holders

    def _forget_one(self) -> None:
        idle = next((digest for digest, token in self._good.items() if not token.holders), None)
        if idle is not None:
            del self._good[idle]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
