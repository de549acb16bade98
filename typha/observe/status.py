"""What the process says about itself: one frozen picture, made by the loop's thread, read by all who look.

Path: `app` fills a `Status` from the parts' ``statistics()`` and puts it on the `Board`; `metrics` renders it for
Prometheus, `pages` as probes and JSON, `typha status` as a table.

1. A `Status` never changes once it is published, and holds only plain values: another thread may read it unlocked.
2. Counters (``*_total``) only grow within one process.
3. Durations are seconds before the moment the picture was made; a point in time ends in ``_at`` and is on the
   monotonic clock that was given to the `Board`.
4. Nothing here is secret, and no object's body is in it: names, numbers and reasons.

Not taken: metric objects that the stages update themselves. A lock and a dict look-up per event cost more than
the event, and the stages would know their observer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from typha.observe.identity import IdentityStatus
from typha.wire.states import TopicState


class Gap(NamedTuple):
    """Between ``lo`` and ``hi`` (both excluded) births and deaths may have been missed."""

    lo: int
    hi: int


class Quarantined(NamedTuple):
    """An object that could not be converted: it has no value, and ``reason`` says why."""

    object_name: str
    rv: int
    reason: str


class Latency(NamedTuple):
    """A histogram in seconds. ``counts`` is per bucket, not cumulative, and one longer than ``bounds_s``.

    ``counts[i]`` is what was at most ``bounds_s[i]`` and more than the bound before it; the last is what was more.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float

    def quantile_s(self, share: float) -> float:
        """So many seconds at most in ``share`` (0 to 1) of all cases, on a straight line within its bucket.

        0 of none; the highest bound where it lies beyond.
        """
        rank, below, lower_s = share * sum(self.counts), 0.0, 0.0
        for bound_s, count in zip(self.bounds_s, self.counts, strict=False):
            if count and below + count >= rank:
                return lower_s + (bound_s - lower_s) * max(0.0, rank - below) / count
            below += count
            lower_s = bound_s
        return lower_s if rank else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """One topic. ``age_s`` None: the API server was never heard of it."""

    name: str
    state: TopicState
    since_s: float  # in this state for so long
    message: str = ""  # why, in words
    required: bool = True  # some enabled feed has it: readiness waits for it
    filters: tuple[str, ...] = ()  # attributes that a subscription's `where` can name
    has_synced: bool = False  # a list was committed in this life (or the resource is absent)
    resumable: bool = True
    head: int = 0  # complete up to this resourceVersion
    horizon: int = 0  # deletions up to this resourceVersion are forgotten
    age_s: float | None = None  # since the API server was last heard of it
    entries: int = 0
    tombstones: int = 0
    value_bytes: int = 0  # keys and values, encoded
    held_bytes: int = 0  # the same as held: fewer where values are held compressed; without Python's own cost
    subscribers: int = 0
    gaps: tuple[Gap, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()  # at most 100 are listed; the number is quarantined_count
    quarantined_count: int = 0
    quarantines_total: int = 0  # objects set aside, and set aside for another reason
    puts_total: int = 0
    deletes_total: int = 0
    unchanged_total: int = 0  # events whose converted value was equal: not sent


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStatus:
    """One topic of one subscriber. ``lag`` is how far ``cursor`` is behind the topic's head, in resourceVersions."""

    topic: str
    cursor: int | None  # None: not in sync yet
    lag: int = 0
    applied: int | None = None  # what the agent's handlers have finished with (its last Pong)
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberStatus:
    """One connection that has said Hello."""

    session: str  # the id in logs
    node: str
    agent: str
    address: str
    connected_s: float
    caught_up: bool
    bytes_sent: int = 0
    frames_sent: int = 0
    subscriptions: tuple[SubscriptionStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFrames:
    """Frames that were compressed, each counted once whatever the number of its readers; bytes with their headers."""

    frames_total: int
    bytes_before_total: int
    bytes_after_total: int


class PeerStatus(NamedTuple):
    """Another server at the last look; ``message``: why it is not ready."""

    address: str
    state: str  # ready, going, not_ready, unreachable
    subscribers: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The downstream side. The mappings' keys are bounded sets (codes, modes, reasons), never clients."""

    address: str
    tls: bool = False
    draining: bool = False
    connections: int = 0  # accepted and not closed, those before their Hello included
    max_connections: int = 0
    unheard: int = 0  # of them: those whose Hello is awaited
    share: int | None = None  # subscribers to hold beside the peers; None: no other server is known to be ready
    peers: tuple[PeerStatus, ...] = ()
    memory_limit_bytes: int | None = None
    joins_paused: str = ""  # why no snapshot is served now
    joiners: int = 0  # reading a snapshot now
    waiting_joiners: int = 0  # waiting for their turn
    lagging: int = 0  # catching up by cursor
    accepted_total: int = 0
    bytes_sent_total: int = 0
    bytes_received_total: int = 0
    frames_sent_total: int = 0
    rounds_total: int = 0
    snapshots_built_total: int = 0
    packed: Mapping[str, PackedFrames] = field(default_factory=dict)  # method (zstd, dictionary) -> frames
    dictionaries_trained_total: int = 0  # trainings, whether or not their dictionary came into use
    dictionaries_sent_total: int = 0  # to agents
    joined_total: Mapping[str, int] = field(default_factory=dict)  # mode (snapshot, resume, reconcile) -> topics joined
    refused_total: Mapping[str, int] = field(default_factory=dict)  # refusal code -> refusals
    over_limit_total: Mapping[str, int] = field(default_factory=dict)  # limit -> connections refused because of it
    moves_total: Mapping[str, int] = field(default_factory=dict)  # reason -> connections asked to move
    closed_total: Mapping[str, int] = field(default_factory=dict)  # close code -> connections ended by us
    protocol_errors_total: Mapping[str, int] = field(default_factory=dict)  # error code -> breaches by peers
    event_to_socket: Latency | None = None  # from the API server's bytes read to the round's write


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectorStatus:
    """One watch on the API server. ``last_error`` stays readable after recovery, with its age."""

    resource: str  # as configured, e.g. "v1/pods", with namespace and selectors where they are set
    state: str  # what the reflector does: discovering, listing, watching, backing_off, ...
    topics: tuple[str, ...] = ()
    contact_s: float | None = None  # since it last heard from the API server; None: never
    lists_total: int = 0
    relists_total: int = 0
    watches_total: int = 0
    probes_total: int = 0
    events_total: int = 0
    bytes_received_total: int = 0
    errors_total: Mapping[str, int] = field(default_factory=dict)  # kind of error -> count
    last_error: str = ""
    last_error_s: float | None = None  # how long ago


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamStatus:
    """The API server's side. ``cluster`` None: the kube-system UID is not known yet."""

    address: str
    cluster: str | None = None
    lives_total: int = 0  # restores of etcd that were noticed
    reflectors: tuple[ReflectorStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStatus:
    """What runs here."""

    version: str
    python: str
    loop: str  # "uvloop" or "asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole picture. ``subscribers`` may be left out (empty) when it is published for metrics alone."""

    build: BuildStatus
    uptime_s: float
    loop_lag: Latency  # how late the event loop was, in shares of the time since the start
    topics: tuple[TopicStatus, ...]
    server: ServerStatus
    upstream: UpstreamStatus
    feeds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    identity: IdentityStatus = field(default_factory=IdentityStatus)
    subscribers: tuple[SubscriberStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What the board holds: the picture (None before the first) and the loop's last signs of life."""

    status: Status | None
    status_at: float
    beat_at: float


class Board:
    """Where the loop's thread puts the newest `Status` and its heartbeat, and any thread reads both.

    Each write replaces one attribute (atomic in CPython), so that neither side ever waits for the other: a busy
    loop cannot make a probe wait, and a slow reader cannot hold up a round.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._status: tuple[Status | None, float] = (None, clock())
        self._beat_at = clock()

    def publish(self, status: Status) -> None:
        """Put up a new picture. Counts as a heartbeat."""
        now = self._clock()
        self._status = (status, now)
        self._beat_at = now

    def beat(self) -> None:
        """Say that the loop is alive; called by the loop at least every few seconds."""
        self._beat_at = self._clock()

    def read(self) -> Published:
        """The newest picture, when it was put up, and when the loop last gave a sign of life."""
        status, status_at = self._status
        return Published(status, status_at, self._beat_at)

    def now(self) -> float:
        """The board's clock, seconds."""
        return self._clock()
