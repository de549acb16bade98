"""Which of the stages' numbers stands under which of Typha's names."""

from __future__ import annotations

from typha.downstream.statistics import (
    KVS_BOUNDS,
    CompressionCounters,
    FanOutCounters,
    FeedCounters,
    FeedViewStatistics,
    Histogram,
    ServerCounters,
    ServerStatistics,
)
from typha.drop_in.figures import picture_of
from typha.drop_in.summary import NOTHING, Windows


def counted(*values: float, bounds: tuple[float, ...] | None = None) -> Histogram:
    histogram = Histogram() if bounds is None else Histogram(bounds)
    for value in values:
        histogram.observe(value)
    return histogram


def stage(*latencies_s: float) -> ServerStatistics:
    return ServerStatistics(
        connections=3,
        subscribers=2,
        joiners=0,
        joiners_waiting=0,
        lagging=0,
        is_draining=False,
        unheard=0,
        subscribers_by_topic={},
        server=ServerCounters(accepted=9),
        fan_out=FanOutCounters(event_to_socket=counted(*latencies_s)),
        compression=CompressionCounters(),
        snapshots_built=1,
    )


def test_a_feed_that_agents_read() -> None:
    feed = FeedViewStatistics(
        "felix",
        streaming=2,
        entries=100,
        position=17,
        updates=120,
        skipped=5,
        value_bytes=40_000,
        snapshots_built=1,
        snapshots_reused=3,
        kvs_per_message=(counted(100, 100, 20, bounds=KVS_BOUNDS), counted(1, bounds=KVS_BOUNDS)),
        counters=FeedCounters(ping_latency=counted(0.002), snapshot_send=counted(0.2, 0.4)),
    )
    picture = picture_of(stage(0.01, 0.02), [feed], dropped=4, windows=Windows(), now=1.0)
    assert (picture.connections_accepted, picture.connections_active, picture.connections_dropped) == (9, 3, 4)
    shown = picture.feeds["felix"]
    assert (shown.connections_streaming, shown.cache_size, shown.breadcrumb_seq_number) == (2, 100, 17)
    assert (shown.updates_total, shown.updates_skipped) == (120, 5)
    assert (shown.snapshots_generated, shown.snapshots_reused, shown.snapshot_raw_bytes) == (1, 3, 40_000)
    assert (shown.kvs_per_msg.count, shown.kvs_per_msg.sum) == (4, 221)
    assert (shown.ping_latency.count, shown.client_snapshot_send.count, shown.client_latency.count) == (1, 2, 2)
    assert shown.next_breadcrumb_latency is NOTHING


def test_a_feed_that_nobody_asked_for_has_its_size() -> None:
    feed = FeedViewStatistics("bgp", 0, 7, 0, 0, 0, 900, 0, 0, (), FeedCounters())
    picture = picture_of(stage(), [feed], dropped=0, windows=Windows(), now=1.0)
    shown = picture.feeds["bgp"]
    assert (shown.cache_size, shown.connections_streaming, shown.kvs_per_msg.count) == (7, 0, 0)
