"""Where the servers are now: what a `Discover` finds, else what their names resolve to.

Its place: connector (a new round) -> *discovery* -> endpoints. Invariants
1. What discovery finds is never empty by mistake: where it fails or finds nothing, the names are resolved.
2. The name that the user gave is what TLS checks, wherever an address came from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from typha_client.connection import resolve
from typha_client.endpoints import Found, Server

Discover = Callable[[], Awaitable[Iterable[Found]]]
"""Servers that take agents now. Raises OSError or ValueError with what is wrong."""
Note = Callable[[Exception, str], None]


class Resolved(NamedTuple):
    """Addresses of each server; addresses and ports of our own zone."""

    addresses: dict[Server, list[str]]
    near: frozenset[tuple[str, int]]


class Discovery:
    """``zone``: our own, "" where zones do not matter."""

    def __init__(self, servers: Sequence[Server], discover: Discover | None = None, zone: str = "") -> None:
        self.servers = tuple(servers)
        self._discover = discover
        self._zone = zone

    async def look(self, note: Note) -> Resolved:
        """Never raises; ``note`` is told what failed."""
        if self._discover is not None:
            try:
                found = list(await self._discover())
            except (OSError, ValueError) as error:
                note(error, "cannot discover servers; their names are resolved")
            else:
                if found:
                    return self._located(found)
        addresses = {}
        for server in self.servers:
            try:
                addresses[server] = await resolve(server.host, server.port)
            except OSError as error:
                note(error, f"cannot resolve {server.host}")
        return Resolved(addresses, frozenset())

    def _located(self, found: Iterable[Found]) -> Resolved:
        addresses: dict[Server, list[str]] = {}
        near = set()
        for each in found:
            addresses.setdefault(Server(self.servers[0].host, each.port), []).append(each.address)
            if self._zone and each.zone == self._zone:
                near.add((each.address, each.port))
        return Resolved(addresses, frozenset(near))
