"""What a session tells its owner: plain facts, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass

from typha.wire.errors import WireError
from typha.wire.messages import GoAway, Refused, Welcome
from typha.wire.states import Mode, TopicState
from typha_client.changes import Change


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The Hello was accepted; cursors of topics in mode snapshot are void from here on."""

    welcome: Welcome


@dataclass(frozen=True, slots=True)
class RefusedByServer:
    """The Hello was refused; ``Closed`` follows."""

    refused: Refused


@dataclass(frozen=True, slots=True)
class Committed:
    """A replica moved to ``cursor``. ``changes`` (may be empty) in rv order; ``mode`` None for a live commit."""

    topic: str
    changes: list[Change]
    cursor: int
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Bookmarked:
    """The server says: you hold everything up to ``cursor``; it heard from the API server at ``heard_at``.

    ``heard_at`` is on the receiver's monotonic clock; None where the server does not know (warm start).
    """

    topic: str
    cursor: int
    heard_at: float | None


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The server's state of a topic, since ``since_at`` (receiver's monotonic clock)."""

    topic: str
    state: TopicState
    since_at: float
    message: str


@dataclass(frozen=True, slots=True)
class WasReset:
    """The topic starts a new life in mid-session: a snapshot follows."""

    topic: str
    cluster: str


@dataclass(frozen=True, slots=True)
class MoveRequested:
    """GoAway: resume elsewhere, then close this connection, within ``after_s``."""

    go_away: GoAway


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event of a session. ``error`` is None where both sides meant it (Close done, moved, draining)."""

    error: WireError | None
    code: str
    message: str


Event = Welcomed | RefusedByServer | Committed | Bookmarked | StatusChanged | WasReset | MoveRequested | Closed
