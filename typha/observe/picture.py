"""Fills a `Status` from the parts' ``statistics()``: the only place that knows both the parts and the picture."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import Final

from typha.cache.catalog import Catalog
from typha.cache.topic import TopicStatistics
from typha.downstream.statistics import Histogram, ServerStatistics, SubscriberStatistics
from typha.observe import status as s
from typha.replicas.peers import Peer
from typha.upstream.statistics import ReflectorStatistics
from typha.version import __version__

# A broken converter must not make the status page as large as the cluster.
_QUARANTINED_LISTED: Final = 100
_REFUSED: Final = "refused_"


def build(loop: object) -> s.BuildStatus:
    """What runs here; ``loop`` is the event loop."""
    return s.BuildStatus(
        version=__version__, python=platform.python_version(), loop=type(loop).__module__.split(".", maxsplit=1)[0]
    )


def latency(histogram: Histogram) -> s.Latency:
    """As it is at this moment."""
    return s.Latency(histogram.bounds, tuple(histogram.counts), histogram.sum)


def topics(
    catalog: Catalog, required: Mapping[str, bool], subscribers: Mapping[str, int], now: float
) -> tuple[s.TopicStatus, ...]:
    """Every topic of the catalog."""
    return tuple(
        _topic(topic.statistics(), topic.attributes, required[topic.name], subscribers.get(topic.name, 0), now)
        for topic in catalog.topics.values()
    )


def _topic(
    topic: TopicStatistics, filters: tuple[str, ...], required: bool, subscribers: int, now: float
) -> s.TopicStatus:
    listed = list(topic.quarantined.items())[:_QUARANTINED_LISTED]
    return s.TopicStatus(
        name=topic.name,
        state=topic.state,
        since_s=max(0.0, now - topic.state_since_at),
        message=topic.message,
        required=required,
        filters=filters,
        has_synced=topic.has_synced,
        resumable=topic.is_ordered,
        head=topic.head,
        horizon=topic.horizon,
        age_s=None if topic.contact_at is None else max(0.0, now - topic.contact_at),
        entries=topic.entries,
        tombstones=topic.tombstones,
        value_bytes=topic.value_bytes,
        held_bytes=topic.held_bytes,
        subscribers=subscribers,
        gaps=tuple(s.Gap(*gap) for gap in topic.gaps),
        quarantined=tuple(s.Quarantined(name, why.rv, why.reason) for name, why in listed),
        quarantined_count=len(topic.quarantined),
        quarantines_total=topic.quarantines,
        puts_total=topic.puts,
        deletes_total=topic.deletes,
        unchanged_total=topic.unchanged,
    )


def server(
    stage: ServerStatistics,
    *,
    address: str,
    tls: bool,
    max_connections: int,
    share: int | None = None,
    peers: Iterable[Peer] = (),
    memory: tuple[int | None, str] = (None, ""),
) -> s.ServerStatus:
    """The downstream side. ``memory``: the limit in bytes, and why no snapshot is served."""
    closed = stage.server.closed
    compression = stage.compression
    return s.ServerStatus(
        address=address,
        tls=tls,
        draining=stage.is_draining,
        connections=stage.connections,
        max_connections=max_connections,
        joiners=stage.joiners,
        waiting_joiners=stage.joiners_waiting,
        lagging=stage.lagging,
        accepted_total=stage.server.accepted,
        bytes_sent_total=stage.server.traffic.bytes_sent,
        bytes_received_total=stage.server.traffic.bytes_received,
        frames_sent_total=stage.server.traffic.frames_sent,
        rounds_total=stage.fan_out.rounds,
        snapshots_built_total=stage.snapshots_built,
        packed={
            name: s.PackedFrames(
                frames_total=counted.frames,
                bytes_before_total=counted.bytes_before,
                bytes_after_total=counted.bytes_after,
            )
            for name, counted in (("zstd", compression.zstd), ("dictionary", compression.dictionary))
        },
        dictionaries_trained_total=compression.trainings,
        dictionaries_sent_total=compression.handed_over,
        joined_total=dict(stage.server.modes),
        unheard=stage.unheard,
        over_limit_total=dict(stage.server.over_limits),
        moves_total=dict(stage.server.go_aways),
        share=share,
        peers=tuple(s.PeerStatus(*peer) for peer in peers),
        memory_limit_bytes=memory[0],
        joins_paused=memory[1],
        refused_total={
            code.removeprefix(_REFUSED): count for code, count in closed.items() if code.startswith(_REFUSED)
        },
        closed_total={code: count for code, count in closed.items() if not code.startswith(_REFUSED)},
        protocol_errors_total=dict(stage.server.protocol_errors),
        event_to_socket=latency(stage.fan_out.event_to_socket),
    )


def subscriber(one: SubscriberStatistics) -> s.SubscriberStatus:
    """A connection that was welcomed; the topic of a Calico agent is its feed's view, which no catalog has."""
    return s.SubscriberStatus(
        session=one.session,
        node=one.node,
        agent=one.agent,
        address=one.address,
        connected_s=one.age_s,
        caught_up=one.is_caught_up,
        bytes_sent=one.bytes_sent,
        frames_sent=one.frames_sent,
        subscriptions=tuple(
            s.SubscriptionStatus(
                topic=topic.topic,
                cursor=topic.position,
                lag=max(0, topic.head - (topic.position or 0)),
                applied=topic.applied,
                where=topic.where,
            )
            for topic in one.topics
        ),
    )


def reflector(one: ReflectorStatistics, contact_at: float | None, now: float) -> s.ReflectorStatus:
    """One watch; ``contact_at`` is that of its topics."""
    return s.ReflectorStatus(
        resource=one.source,
        state=one.state.value,
        topics=one.topics,
        contact_s=None if contact_at is None else max(0.0, now - contact_at),
        lists_total=one.lists,
        relists_total=one.relists,
        watches_total=one.watches,
        probes_total=one.probes,
        events_total=one.events,
        errors_total=dict(one.failures),
        last_error=one.last_error,
        last_error_s=None if one.outage_since_at is None else max(0.0, now - one.outage_since_at),
    )
