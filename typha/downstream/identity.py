"""Who is at the other end of a connection: the names that its certificate, its token or both give it.

Place: `gate` makes one of a certificate, `tokens` of a ServiceAccount's token; `rights` asks what it may read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from typha.wire.identity import SERVICE_ACCOUNT, names_of, node_of, shown


class Peer(NamedTuple):
    """``names`` as `typha.wire.identity` writes them; ``node``: the identity's own node, "" where nothing says so."""

    names: tuple[str, ...] = ()
    node: str = ""

    def __str__(self) -> str:
        return shown(self.names) if self.names else "nobody known"

    def joined(self, other: Peer) -> Peer:
        """Known by both; what the token says of the node goes first: it is bound to one pod."""
        return Peer((*self.names, *other.names), other.node or self.node)


NOBODY = Peer()


def peer_of_certificate(certificate: Mapping[str, Any] | None) -> Peer:
    """Of ``ssl.SSLObject.getpeercert()``."""
    names = names_of(certificate)
    return Peer(names, node_of(names)) if names else NOBODY


def peer_of_service_account(namespace_and_name: str, node: str) -> Peer:
    """Of a token that was reviewed."""
    return Peer((f"{SERVICE_ACCOUNT}:{namespace_and_name}",), node)
