"""Numbers of the stage, counted on the loop and read by ``observe`` as plain snapshots."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# From one round at low load to the alert threshold for lag (30 s).
LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
KVS_BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 10_000.0, 100_000.0)
"""For what is counted in key-value pairs: 100 are a full message of Calico's Typha."""


class Histogram:
    """Counts per upper bound (seconds, mostly), the last one without a bound; and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BOUNDS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class FanOutCounters:
    """Totals since the start."""

    rounds: int = 0
    shared_sends: int = 0
    own_sends: int = 0
    demotions: int = 0
    snapshots: int = 0
    reconciles: int = 0
    event_to_socket: Histogram = field(default_factory=Histogram)


@dataclass(slots=True)
class PackedFrames:
    """Frames that were compressed, each counted once whatever the number of its readers; bytes with their headers."""

    frames: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    def count(self, before: int, after: int) -> None:
        """One more frame."""
        self.frames += 1
        self.bytes_before += before
        self.bytes_after += after


@dataclass(slots=True)
class CompressionCounters:
    """Totals since the start. ``handed_over`` counts dictionaries sent to agents."""

    zstd: PackedFrames = field(default_factory=PackedFrames)
    dictionary: PackedFrames = field(default_factory=PackedFrames)
    trainings: int = 0
    handed_over: int = 0


@dataclass(slots=True)
class Traffic:
    """What all connections exchanged since the start, those that are open included. Sent: handed to sockets."""

    bytes_sent: int = 0
    frames_sent: int = 0
    bytes_received: int = 0

    def send(self, frames: int, size: int) -> None:
        """So many pieces of so many bytes in all."""
        self.frames_sent += frames
        self.bytes_sent += size


@dataclass(slots=True)
class ServerCounters:
    """Totals since the start."""

    accepted: int = 0
    welcomed: int = 0
    modes: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    traffic: Traffic = field(default_factory=Traffic)
    protocol_errors: Counter[str] = field(default_factory=Counter)
    over_limits: Counter[str] = field(default_factory=Counter)
    """Refusals by the limit that was passed."""
    go_aways: Counter[str] = field(default_factory=Counter)
    """Connections asked to move, by reason."""


@dataclass(slots=True)
class FeedCounters:
    """Of one feed view, since the start."""

    ping_latency: Histogram = field(default_factory=Histogram)
    snapshot_send: Histogram = field(default_factory=Histogram)
    """From the hello to the end of the snapshot."""


class FeedViewStatistics(NamedTuple):
    """One feed as Calico's agents read it."""

    feed: str
    streaming: int
    entries: int
    position: int
    updates: int
    skipped: int
    value_bytes: int
    snapshots_built: int
    snapshots_reused: int
    kvs_per_message: tuple[Histogram, ...]
    counters: FeedCounters


class SubscriberTopic(NamedTuple):
    """Where one subscriber stands in one topic."""

    topic: str
    phase: str
    position: int | None
    head: int
    applied: int | None
    where: dict[str, str]


class SubscriberStatistics(NamedTuple):
    """One connection that was welcomed."""

    session: str
    address: str
    node: str
    agent: str
    age_s: float
    bytes_sent: int
    frames_sent: int
    buffered_bytes: int
    is_caught_up: bool
    topics: tuple[SubscriberTopic, ...]


class ServerStatistics(NamedTuple):
    """The whole stage at one moment."""

    connections: int
    subscribers: int
    joiners: int
    joiners_waiting: int
    lagging: int
    is_draining: bool
    unheard: int
    subscribers_by_topic: dict[str, int]
    server: ServerCounters
    fan_out: FanOutCounters
    compression: CompressionCounters
    snapshots_built: int
