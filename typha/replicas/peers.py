"""What the other servers answered last: who is ready, how loaded, and where to send the next agent. Pure.

Invariants
1. A server is ready while its last answer was a Welcome; one that drains, is not complete yet, or does not answer is
   named to no agent.
2. Each agent that is sent to a server counts there at once, so that between two looks a crowd spreads over all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

# An agent tries them in turn, and then all others that it knows itself.
NAMED: Final = 4


class PeerState(StrEnum):
    """What a server's last answer was."""

    READY = "ready"
    GOING = "going"
    NOT_READY = "not_ready"
    UNREACHABLE = "unreachable"


class Peer(NamedTuple):
    """One other server at the last look. ``subscribers`` is known of a ready one only; ``message``: why it is not."""

    address: str
    state: PeerState
    subscribers: int = 0
    message: str = ""


class PeerTable:
    """The last look."""

    def __init__(self) -> None:
        self.peers: tuple[Peer, ...] = ()
        self._expected: dict[str, int] = {}

    def looked(self, peers: Iterable[Peer]) -> list[Peer]:
        """A new look; gives those whose state is another than before, the new ones included."""
        before = {peer.address: peer.state for peer in self.peers}
        self.peers = tuple(sorted(peers))
        self._expected = {peer.address: peer.subscribers for peer in self.ready}
        return [peer for peer in self.peers if before.get(peer.address) is not peer.state]

    @property
    def ready(self) -> list[Peer]:
        """Those that take agents."""
        return [peer for peer in self.peers if peer.state is PeerState.READY]

    @property
    def has_ready(self) -> bool:
        """Whether an agent has somewhere else to go."""
        return bool(self._expected)

    def counts(self) -> Mapping[str, int]:
        """Number of peers in each state."""
        return {state: sum(peer.state is state for peer in self.peers) for state in PeerState}

    def next_addresses(self) -> tuple[str, ...]:
        """For one agent that goes: the least loaded first."""
        order = sorted(self._expected, key=lambda address: (self._expected[address], address))[:NAMED]
        if order:
            self._expected[order[0]] += 1
        return tuple(order)
