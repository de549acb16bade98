"""Looks at the other servers again and again, and keeps this server's share: the task that `app` runs.

    find (EndpointSlices, or names) -> ask each for its load -> PeerTable, share -> shed until the next look

Invariants
1. Without an answer nobody moves: what is not known is no room for agents. A failure is told when it begins and ends.
2. What is shed until the next look was decided at one look, so that a crowd that comes meanwhile (another server died)
   is not sent on.
3. This server is known by the ids of its sessions, wherever its own address is found.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typha.downstream.connection import Connection
from typha.downstream.server import Server
from typha.replicas.asking import PeerTls, look_at
from typha.replicas.balance import JITTER, Shedder, share
from typha.replicas.finding import Place
from typha.replicas.peers import Peer, PeerState, PeerTable
from typha.replicas.shedding import shed_until
from typha.upstream.errors import UpstreamError
from typha.wire.question import Question

log = logging.getLogger("typha.replicas")

# A move is a handshake here and one elsewhere, 3 ms with mTLS: 50 a second cost a seventh of the loop.
_MOVES_PER_S: Final = 50.0
# An agent that cannot resume reads a whole snapshot where it comes to: Calico Typha's own pace.
_JOINS_PER_S: Final = 1.0

Find = Callable[[], Awaitable[Sequence[Place]]]
"""Where servers are. Raises UpstreamError, OSError."""


@dataclass(frozen=True, slots=True)
class NeighbourSettings:
    """Seconds; ``tolerance`` is a fraction of the mean."""

    interval_s: float = 10.0
    tolerance: float = 0.1
    rebalance: bool = True
    tls: PeerTls | None = None
    token_file: Path | None = None


class Neighbours:
    """See the module. ``random`` gives [0, 1)."""

    def __init__(
        self,
        server: Server,
        find: Find,
        settings: NeighbourSettings,
        *,
        random: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.table = PeerTable()
        self._server = server
        self._find = find
        self._settings = settings
        self._random = random
        self._clock = clock
        self._name = socket.gethostname()
        self._trouble = ""
        self._shedder = Shedder(settings.interval_s, 0, random=random, now=clock())
        server.moves.elsewhere = self._elsewhere(server.moves.elsewhere)
        server.moves.has_elsewhere = lambda: self.table.has_ready

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            ends_at = self._clock() + self._settings.interval_s * (1 + JITTER * self._random())
            await shed_until(ends_at, self._shedder, self._candidates, self._server.moves.shed, clock=self._clock)

    async def look(self) -> None:
        """Find and ask everybody once, and aim at the share that follows."""
        settings = self._settings
        places: Sequence[Place] = ()
        tls: ssl.SSLContext | None = None
        token: str | None = None
        try:
            places = await self._find()
            if settings.tls is not None:
                tls = settings.tls.context()
                token = settings.token_file.read_text().strip() if settings.token_file is not None else None
        except (UpstreamError, OSError) as error:
            self._tell_trouble(f"{type(error).__name__}: {error}")
            places = ()
        else:
            self._tell_trouble("")
        asked = await asyncio.gather(*(self._look_at(place, tls, token) for place in places))
        for peer in self.table.looked([peer for peer in asked if peer is not None]):
            level = logging.INFO if peer.state in (PeerState.READY, PeerState.GOING) else logging.WARNING
            log.log(level, "peer", extra={"peer": peer.address, "state": str(peer.state), "reason": peer.message})
        self._aim()

    async def _look_at(self, place: Place, tls: ssl.SSLContext | None, token: str | None) -> Peer | None:
        named = self._settings.tls.server_name if self._settings.tls is not None else ""
        return await look_at(
            place.address,
            place.host,
            place.port,
            question=Question(self._name, "typha/peer", token),
            tls=tls,
            server_name=named or place.name,
            own_prefix=self._server.prefix,
        )

    def _aim(self) -> None:
        settings, server, others = self._settings, self._server, self.table.ready
        own = len(server.moves.movable())
        leaving = len(server.fan_out.subscribers) - own
        wanted = share(own, [peer.subscribers for peer in others], settings.tolerance, leaving)
        server.share = wanted.limit if others and settings.rebalance else None
        moves = wanted.moves if settings.rebalance and not server.is_draining else 0
        candidates = self._candidates()
        per_s = _MOVES_PER_S if candidates and candidates[0].session.resumes else _JOINS_PER_S
        moves = min(moves, int(per_s * settings.interval_s) or 1)
        if moves:
            log.info(
                "rebalancing",
                extra={"subscribers": own, "mean": round(wanted.mean, 1), "moves": moves, "peers": len(others)},
            )
        limit = len(candidates) - moves
        self._shedder.aim(limit, moves, settings.interval_s / max(1, moves) / (1 + JITTER), self._clock())

    def _candidates(self) -> list[Connection]:
        """Those that resume where there are any: moving another costs it a whole snapshot."""
        if self._server.is_draining:
            return []
        movable = self._server.moves.movable()
        return [connection for connection in movable if connection.session.resumes] or movable

    def _elsewhere(self, configured: Callable[[], tuple[str, ...]]) -> Callable[[], tuple[str, ...]]:
        return lambda: self.table.next_addresses() or configured()

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning(
                "the other servers cannot be looked for" if trouble else "the other servers are looked for again",
                extra={"error": trouble},
            )
        self._trouble = trouble
