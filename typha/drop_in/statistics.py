"""What the metrics port shows, as plain numbers: filled on the loop's thread, read on the ports' thread.

Place: `app` makes a `Figures.Picture` of the stages' statistics, once a second; `metrics` prints the newest one.

1. A picture never changes once it is published; counters only grow within one process.
2. Each number has the meaning that its name has in Typha. Where there is no such thing here, it stays as it is below:
   dashboards get the name and no lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from typha.drop_in.summary import NOTHING, SummaryValue


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatistics:
    """One feed (Typha's label `syncer`). Seconds, bytes, key-value pairs."""

    connections_streaming: int = 0
    """Past the handshake, now."""
    cache_size: int = 0
    """Keys that the feed holds."""
    updates_total: int = 0
    """Changes that came in (puts and deletes)."""
    updates_skipped: int = 0
    """Events that changed nothing and were not sent."""
    breadcrumb_seq_number: int = 0
    """The view's own sequence number: a change each, where Typha counts crumbs."""
    breadcrumb_size: SummaryValue = NOTHING
    """Pairs per such round."""
    kvs_per_msg: SummaryValue = NOTHING
    snapshots_generated: int = 0
    snapshots_reused: int = 0
    """Joins that were served from a snapshot that was there."""
    snapshot_raw_bytes: int = 0
    """Keys and values that a snapshot would have now, before compression."""
    snapshot_compressed_bytes: int = 0
    client_snapshot_send: SummaryValue = NOTHING
    """From the hello to the last byte of the snapshot given to the socket."""
    client_latency: SummaryValue = NOTHING
    """Age of what is written, window `CLIENT_LATENCY_WINDOW_S`."""
    client_write_latency: SummaryValue = NOTHING
    ping_latency: SummaryValue = NOTHING
    breadcrumb_block: int = 0
    """Shared sends: the agent had waited for the round."""
    breadcrumb_non_block: int = 0
    """Own sends: the agent was behind, and its next part was there already."""
    grace_used: int = 0
    """Nobody is cut for lag here, so there is no grace to use."""
    next_breadcrumb_latency: SummaryValue = NOTHING
    """There are no crumbs to fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All numbers of one moment. ``feeds`` by the name of the feed."""

    connections_accepted: int = 0
    connections_active: int = 0
    """Open, handshake included."""
    connections_dropped: int = 0
    """Closed to rebalance, and for nothing else."""
    logs_dropped: int = 0
    """No line is ever dropped here."""
    log_errors: int = 0
    feeds: Mapping[str, FeedStatistics] = field(default_factory=dict)


class Figures:
    """Where the loop's thread puts the newest picture. One attribute is replaced: nobody waits for anybody."""

    def __init__(self) -> None:
        self._newest = Picture()

    def publish(self, picture: Picture) -> None:
        """Put up a new picture."""
        self._newest = picture

    def read(self) -> Picture:
        """The newest one."""
        return self._newest
