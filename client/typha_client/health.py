"""What the agent's code may know of a topic beside its contents: state, age, in sync or not. Pure.

Its place: session events -> *topic health* -> Client. All times are the receiver's monotonic seconds, so a jump of
the wall clock leaves every age alone.

Invariants
1. Age is the time since a server last heard from the API server, as far as we know; it grows while we are cut off.
2. ``is_synced`` needs a committed cursor and a state in which missing means deleted (in_sync, absent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typha.wire.states import TopicState
from typha_client import events as e
from typha_client.replica import Replica

# The servers' own threshold for `stale` (three bookmark periods of the API server).
STALE_AFTER_S: Final = 180.0


@dataclass(slots=True)
class TopicHealth:
    """State of one topic. ``told``: whether this connection's server has said a Status."""

    replica: Replica
    state: TopicState = TopicState.WAITING
    since_at: float | None = None
    message: str = ""
    heard_at: float | None = None
    told: bool = False
    stale_after_s: float = STALE_AFTER_S

    def welcomed(self) -> None:
        """A new connection: what its server knows is not known yet."""
        self.told = False

    def status(self, event: e.StatusChanged) -> None:
        """The server's word."""
        self.state, self.since_at, self.message, self.told = event.state, event.since_at, event.message, True

    def bookmark(self, event: e.Bookmarked, now: float) -> bool:
        """In sync at a cursor; True where that changed ``state`` (no Status was said on this connection)."""
        if event.heard_at is not None and (self.heard_at is None or event.heard_at > self.heard_at):
            self.heard_at = event.heard_at
        if self.told or self.state is TopicState.IN_SYNC:
            return False
        self.state, self.since_at, self.message = TopicState.IN_SYNC, now, ""
        return True

    def cut_off(self, now: float, message: str) -> bool:
        """No server will have us for now, or the feed lost the topic: the copy is kept and called stale."""
        if self.state in (TopicState.STALE, TopicState.WAITING):
            return False
        self.state, self.since_at, self.message, self.told = TopicState.STALE, now, message, False
        return True

    def age_s(self, now: float) -> float | None:
        """Seconds since the API server was heard; None: unknown."""
        return None if self.heard_at is None else max(0.0, now - self.heard_at)

    def is_stale(self, now: float) -> bool:
        """True where the copy must not be taken for the present: not complete, or too old, or of unknown age."""
        age_s = self.age_s(now)
        return not self.is_synced or age_s is None or age_s > self.stale_after_s

    @property
    def is_synced(self) -> bool:
        """True where the copy is the API server's state at ``replica.cursor``, whole."""
        return self.replica.cursor is not None and self.state.is_complete
