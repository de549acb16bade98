"""Who is let in, and what for: what the server asks of a peer before it looks at what the peer wants. Pure.

Place: the server has one; each connection that is made gets its `Caller`, which its session asks at the Hello.

1. With a CA for clients, a peer must be known by a certificate of one of the wanted names. Where tokens are taken too,
   one of the two is enough, and whoever brings both must be right with both.
2. Who is refused hears why (Refused: unauthenticated, forbidden) where its language has a word for it, and the log
   names the cause; nothing else is said to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from typha.downstream.identity import NOBODY, Peer, peer_of_certificate
from typha.downstream.rights import Rights, Where
from typha.wire.errors import RefusedError
from typha.wire.identity import WantedName, refusal_of
from typha.wire.states import RefusalCode


class Authentication:
    """``asks_certificate``: there is a CA for clients; ``takes_tokens``: ServiceAccounts' tokens are reviewed."""

    def __init__(
        self,
        *,
        asks_certificate: bool = False,
        wanted: Sequence[WantedName] = (),
        takes_tokens: bool = False,
        rights: Rights | None = None,
    ) -> None:
        self.asks_certificate = asks_certificate
        self.takes_tokens = takes_tokens
        self.rights = rights or Rights()
        self._wanted = tuple(wanted)
        self._nobody = Caller(self, NOBODY)

    @property
    def knows_somebody(self) -> bool:
        """Whether anybody is asked who it is."""
        return self.asks_certificate or self.takes_tokens

    def caller(self, certificate: Mapping[str, Any] | None) -> Caller:
        """Who connected, by ``ssl.SSLObject.getpeercert()`` (None without TLS or certificate)."""
        if not self.asks_certificate or (not certificate and self.takes_tokens):
            return Caller(self, NOBODY) if self.takes_tokens else self._nobody
        if refusal := refusal_of(certificate, self._wanted):
            return Caller(self, NOBODY, refusal)
        return Caller(self, peer_of_certificate(certificate))


class Caller:
    """One peer, as far as it is known: by its certificate, then by its token too."""

    __slots__ = ("_authentication", "_refusal", "is_reviewed", "peer")

    def __init__(self, authentication: Authentication, peer: Peer, refusal: str = "") -> None:
        self._authentication = authentication
        self._refusal = refusal
        self.peer = peer
        self.is_reviewed = False

    def needs_review(self, token: str | None) -> bool:
        """Whether its token must be reviewed before anything is decided."""
        return bool(token) and self._authentication.takes_tokens and not self.is_reviewed and not self._refusal

    def reviewed(self, peer: Peer) -> None:
        """Its token is good."""
        self.peer = self.peer.joined(peer)
        self.is_reviewed = True

    def check(self) -> None:
        """Whether it may come in at all. Raises RefusedError (unauthenticated)."""
        if self._refusal:
            raise RefusedError(RefusalCode.UNAUTHENTICATED, self._refusal)
        if self._authentication.takes_tokens and not self.peer.names:
            need = "a token of a ServiceAccount"
            if self._authentication.asks_certificate:
                need += " or a certificate"
            raise RefusedError(RefusalCode.UNAUTHENTICATED, f"this server needs {need}, and none came")

    def check_topics(self, topics: Sequence[str], where: Where) -> None:
        """Whether it may read these with these filters. Raises RefusedError (forbidden)."""
        self._authentication.rights.check(self.peer, topics, where)

    def check_page(self) -> None:
        """Whether it may see the status page. Raises RefusedError (forbidden)."""
        self._authentication.rights.check_page(self.peer)

    def check_feed(self, feed: str) -> None:
        """Whether it may read a whole feed without filters. Raises RefusedError (forbidden)."""
        self._authentication.rights.check_feed(self.peer, feed)

    def shown(self, names: Sequence[str]) -> Sequence[str]:
        """Of the names of feeds or topics those that it may be told of."""
        return self._authentication.rights.shown(self.peer, names)


ANYBODY: Final = Authentication().caller(None)
"""Where nobody is asked anything."""
