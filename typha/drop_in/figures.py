"""The stages' numbers under Typha's meanings: what the metrics port shows.

Place: `app` calls it at every publication (once a second) and puts the result up in `Outside.figures`.

1. A feed that no agent of Calico's has asked for has its size and nothing else.
2. The age of what is written is measured for all feeds together; each shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

from typha.downstream.statistics import KVS_BOUNDS, FeedViewStatistics, Histogram, ServerStatistics
from typha.drop_in.statistics import FeedStatistics, Picture
from typha.drop_in.summary import CLIENT_LATENCY_WINDOW_S, Windows

__all__ = ["picture_of"]


def picture_of(
    stage: ServerStatistics, feeds: Sequence[FeedViewStatistics], *, dropped: int, windows: Windows, now: float
) -> Picture:
    """``dropped``: connections closed to rebalance."""
    return Picture(
        connections_accepted=stage.server.accepted,
        connections_active=stage.connections,
        connections_dropped=dropped,
        feeds={each.feed: _feed(each, stage, windows, now) for each in feeds},
    )


def _feed(feed: FeedViewStatistics, stage: ServerStatistics, windows: Windows, now: float) -> FeedStatistics:
    name, counters = feed.feed, feed.counters
    return FeedStatistics(
        connections_streaming=feed.streaming,
        cache_size=feed.entries,
        updates_total=feed.updates,
        updates_skipped=feed.skipped,
        breadcrumb_seq_number=feed.position,
        kvs_per_msg=windows.value(name, "kvs_per_msg", _sum(feed.kvs_per_message), now),
        snapshots_generated=feed.snapshots_built,
        snapshots_reused=feed.snapshots_reused,
        snapshot_raw_bytes=feed.value_bytes,
        client_snapshot_send=windows.value(name, "client_snapshot_send", counters.snapshot_send, now),
        client_latency=windows.value(
            name, "client_latency", stage.fan_out.event_to_socket, now, window_s=CLIENT_LATENCY_WINDOW_S
        ),
        ping_latency=windows.value(name, "ping_latency", counters.ping_latency, now),
    )


def _sum(histograms: Sequence[Histogram]) -> Histogram:
    """One of all encodings."""
    whole = Histogram(KVS_BOUNDS)
    for each in histograms:
        whole.counts = [one + other for one, other in zip(whole.counts, each.counts, strict=True)]
        whole.sum += each.sum
    return whole
