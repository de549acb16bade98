"""The sixteen messages of protocol version 1 as frozen dataclasses; ``codec`` turns them to bytes and back.

Shapes and meaning are those of docs/protocol.md, section 2. Durations are on the sender's monotonic clock and
in the unit that the name says; a cursor and an ``rv`` are upstream resourceVersions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from typha.wire.states import Mode, TopicState

Where = Mapping[str, str]
"""Filter of one topic: attribute -> wanted value (``labels``: a Kubernetes selector). Empty: no filter."""


@dataclass(frozen=True, slots=True)
class ResumeTopic:
    """What a client holds of one topic: [cursor or nil, seen, format, where]."""

    cursor: int | None
    seen: int = 0
    format: str = ""
    where: Where = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of a client."""

    node: str
    agent: str
    protocol: tuple[int, int] = (1, 1)
    feed: str | None = None
    topics: tuple[str, ...] = ()
    where: Mapping[str, Where] = field(default_factory=dict)
    resume_cluster: str | None = None
    resume: Mapping[str, ResumeTopic] = field(default_factory=dict)
    compression: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WelcomeTopic:
    """One subscribed topic: its id in the frames that follow, how it is brought up to date, its format."""

    name: str
    id: int
    mode: Mode
    format: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to an accepted Hello."""

    server: str
    session: str
    cluster: str
    topics: tuple[WelcomeTopic, ...]
    protocol: int = 1
    compression: str | None = None
    ping_interval_s: float = 30.0
    connections: int = 0
    target: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Answer to a Hello that was not accepted; the connection closes after it."""

    code: str
    message: str
    retry_after_s: float | None = None
    addresses: tuple[str, ...] = ()


class Put(NamedTuple):
    """A key's value at ``rv``; ``value`` is its msgpack, not yet decoded."""

    key: str
    rv: int
    value: bytes


class Delete(NamedTuple):
    """A key that went away at ``rv``."""

    key: str
    rv: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Changes of one topic, each list ascending by rv. ``through``: after this frame all up to it is held."""

    topic_id: int
    through: int | None
    puts: list[Put]
    deletes: list[Delete]


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """Every key that exists at ``at`` in ``buckets``; part ``part`` (from 0) of ``parts``."""

    topic_id: int
    at: int
    part: int
    parts: int
    buckets: list[int]
    keys: list[str]


class BookmarkTopic(NamedTuple):
    """All up to ``cursor`` has been sent; ``age_ms`` since the API server was last heard (None: unknown)."""

    topic_id: int
    cursor: int
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """In sync at these cursors."""

    topics: tuple[BookmarkTopic, ...]


class TopicStatus(NamedTuple):
    """State of one topic, for how long, and why in words."""

    topic_id: int
    state: TopicState
    since_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The server's knowledge of topics changed."""

    topics: tuple[TopicStatus, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """``t`` is opaque to the receiver (sender's monotonic nanoseconds)."""

    t: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Echo of ``t``; from a client also what its handlers have finished with: (topic id, cursor)."""

    t: int
    applied: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GoAway:
    """Please move: resume elsewhere first, then close here, within ``after_s``."""

    reason: str
    after_s: float
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """Last frame of a side that closes for a reason."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A zstd dictionary that later frames name in their zstd header; no content: no later frame names it."""

    dictionary_id: int
    content: bytes


@dataclass(frozen=True, slots=True)
class KeyDigest:
    """Per bucket the XOR of the hashes of all keys at ``at``; 2**bits numbers of 64 bits."""

    topic_id: int
    at: int
    salt: bytes
    bits: int
    digests: list[int]


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """The buckets that differ from the KeyDigest made at ``at`` (None: all of them)."""

    topic_id: int
    at: int
    buckets: list[int] | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Server to relay: between ``lo`` and ``hi`` the sender may have missed births and deaths."""

    topic_id: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Reset:
    """What follows on this topic is a snapshot of ``cluster`` in ``format``; ``seen`` starts at 0."""

    topic_id: int
    cluster: str
    format: str


Message = (
    Hello
    | Welcome
    | Refused
    | Entries
    | KeyIndex
    | Bookmark
    | Status
    | Ping
    | Pong
    | GoAway
    | Close
    | Dictionary
    | KeyDigest
    | KeyRequest
    | Gap
    | Reset
)
