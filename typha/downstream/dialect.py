"""What every language on the port has in common: a session's life, and what the fan-out and the shell ask of it.

    HELLO  -> a whole Hello is awaited (and whatever else the language wants before it serves)
    REVIEW -> the token of the Hello is under review (``token``); then the Hello is decided
    SEEN   -> the client has seen more than this server holds: the Welcome waits (protocol, section 5)
    OPEN   -> welcomed; the fan-out serves ``subscriptions``
    CLOSED -> ``closed_by`` says why; nothing is read any more

Invariants
1. A session does no I/O: bytes in, control frames out through ``take_frames``, everything else by the fan-out.
2. Whatever the peer sends, ``receive_data`` does not raise: a breach closes, and is kept in ``error`` for one log line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.cache.walk import Encoding
from typha.downstream.authentication import ANYBODY, Caller
from typha.downstream.handshake import PlannedTopic
from typha.downstream.subscription import Subscription
from typha.wire.errors import RefusedError
from typha.wire.states import GoAwayReason


class SessionState(Enum):
    """See the module."""

    HELLO = auto()
    REVIEW = auto()
    SEEN = auto()
    OPEN = auto()
    CLOSED = auto()


class Load(NamedTuple):
    """What Welcome tells of the server's load: subscribers served, and how many are its share.

    ``pause``: set while no topic may be read from its start, for a reason of the whole server.
    """

    connections: int
    target: int
    pause: RefusedError | None = None

    def check_joins(self, joins: int) -> None:
        """Raises ``pause`` where ``joins`` topics would be read from their start or compared."""
        if joins and self.pause is not None:
            raise self.pause


class Dialect(Encoding, Protocol):
    """One language with its compression: how what everybody is told looks in it. Equal ones share bytes."""

    def encode_bookmark(self, positions: Sequence[tuple[Topic, int]], now: float) -> bytes:
        """Those topics are complete up to these positions; b"" where the language has no word for it."""

    def published(self, log: Log, now: float) -> Dialect:
        """A round published a frame of this log in it. Gives the dialect in which its readers should go on."""


class Session(ABC):
    """One subscriber's conversation; see the module."""

    __slots__ = (
        "_outbox",
        "agent",
        "caller",
        "closed_by",
        "deadline_at",
        "encoding",
        "error",
        "heard_at",
        "id",
        "node",
        "state",
        "subscriptions",
    )

    resumes = True
    """Whether a new connection goes on where the last one ended; else moving an agent costs it a whole snapshot."""

    def __init__(self, session_id: str, encoding: Dialect, *, now: float, handshake_timeout_s: float) -> None:
        self.id = session_id
        self.caller: Caller = ANYBODY
        self.state = SessionState.HELLO
        self.subscriptions: tuple[Subscription, ...] = ()
        self.encoding = encoding
        self.error: Exception | None = None
        self.closed_by = ""
        self.node = self.agent = ""
        self.heard_at = now
        self.deadline_at = now + handshake_timeout_s
        self._outbox: tuple[bytes, ...] = ()  # empty almost always, in thousands of sessions

    @property
    def is_closed(self) -> bool:
        """Nothing more is read or served."""
        return self.state is SessionState.CLOSED

    @property
    @abstractmethod
    def ping_interval_s(self) -> float:
        """Between pings of an open session."""

    @property
    @abstractmethod
    def silence_timeout_s(self) -> float:
        """Without a word from the peer for so long it is taken for dead."""

    def where_of(self, topic: str) -> Mapping[str, str]:
        """The filter that the peer asked for."""
        return {}

    def encoding_of(self, subscription: Subscription) -> Dialect:
        """In which it reads the shared frames of this subscription; ``encoding`` is for everything else."""
        return self.encoding

    def choose_encoding(self, subscription: Subscription, now: float) -> Dialect:
        """The subscription is about to read shared frames: settle ``encoding_of``, and say what it takes to read it."""
        return self.encoding_of(subscription)

    # --- in

    @abstractmethod
    def receive_data(self, data: bytes, now: float) -> None:
        """What the socket gave. Look at ``state`` and ``take_frames`` afterwards."""

    @property
    def token(self) -> str:
        """For a session in REVIEW: what the peer came with."""
        return ""

    def decide(self, now: float) -> list[PlannedTopic]:
        """Welcome or refuse a peer that waits; gives the topics for which it must still wait (and is asked again)."""
        return []

    def behind(self) -> list[PlannedTopic]:
        """For a session in SEEN whose time is up: which topics are behind what the client has seen."""
        return []

    # --- the end

    @abstractmethod
    def refuse(self, refusal: RefusedError) -> None:
        """Say so where the language can, and close; before the Welcome only."""

    @abstractmethod
    def say_close(self, code: str, message: str, error: Exception | None = None) -> None:
        """Say so where the language can, and close."""

    def close(self, code: str, error: Exception | None) -> None:
        """The conversation is over; what is in the outbox may still go out."""
        if self.state is SessionState.CLOSED:
            return
        self.state = SessionState.CLOSED
        self.closed_by, self.error = code, error
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions = ()

    # --- out

    def say(self, frame: bytes) -> None:
        """Queue a control frame."""
        self._outbox += (frame,)

    def take_frames(self) -> bytes:
        """Control frames that wait, joined; b"" for none."""
        if not self._outbox:
            return b""
        frames = b"".join(self._outbox)
        self._outbox = ()
        return frames

    @abstractmethod
    def say_ping(self, now: float) -> None:
        """Ask for a sign of life."""

    @abstractmethod
    def say_go_away(self, reason: GoAwayReason, after_s: float) -> None:
        """Ask the peer to move within that time. A language without a word for it closes."""

    @abstractmethod
    def say_state(self, subscription: Subscription, now: float) -> bool:
        """The topic's state or message changed. True: it must be settled anew, so that ``say_bookmark`` follows."""

    @abstractmethod
    def say_bookmark(self, subscriptions: Sequence[Subscription], now: float) -> None:
        """These subscriptions hold everything up to their position."""

    @abstractmethod
    def say_reset(self, subscription: Subscription) -> None:
        """The subscription starts anew with a snapshot."""

    @abstractmethod
    def say_digest(self, subscription: Subscription) -> None:
        """Open a reconcile at the subscription's position."""

    @abstractmethod
    def say_index(self, subscription: Subscription) -> None:
        """Answer the open request at the subscription's position, which is the head."""
