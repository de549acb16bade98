"""Who is let in: what the server asks of a peer before it looks at what the peer wants. Pure.

Place: the server makes one; each connection's `Peer` comes from `peer_of`, each session asks `check` at its Hello, and
`rights` for what it may read.

1. With a CA for clients, a peer must be known by a certificate of one of the wanted names. Where tokens are taken too,
   one of the two is enough, and whoever brings both must be right with both.
2. Who is refused hears why (Refused, unauthenticated), in the language that has a word for it, and the log names the
   cause; nothing else is said to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from typha.downstream.identity import NOBODY, Peer, peer_of_certificate
from typha.downstream.rights import Rights
from typha.wire.errors import RefusedError
from typha.wire.identity import WantedName, refusal_of
from typha.wire.states import RefusalCode


class Shown(NamedTuple):
    """What a connection's certificate says: the peer, and why it is not let in by it ("" where it is)."""

    peer: Peer = NOBODY
    refusal: str = ""


NOTHING_SHOWN = Shown()


class Gate:
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

    def shown_by(self, certificate: Mapping[str, Any] | None) -> Shown:
        """Of ``ssl.SSLObject.getpeercert()``, None without TLS or without one."""
        if not self.asks_certificate:
            return NOTHING_SHOWN
        if not certificate and self.takes_tokens:
            return NOTHING_SHOWN
        if refusal := refusal_of(certificate, self._wanted):
            return Shown(NOBODY, refusal)
        return Shown(peer_of_certificate(certificate))

    def check(self, shown: Shown, *, by_token: Peer | None) -> Peer:
        """Who it is. Raises RefusedError (unauthenticated) where it is nobody that may come in."""
        if shown.refusal:
            raise RefusedError(RefusalCode.UNAUTHENTICATED, shown.refusal)
        if by_token is not None:
            return shown.peer.joined(by_token)
        if self.takes_tokens and shown.peer is NOBODY:
            need = "a token of a ServiceAccount" + (" or a certificate" if self.asks_certificate else "")
            raise RefusedError(RefusalCode.UNAUTHENTICATED, f"this server needs {need}, and none came")
        return shown.peer
