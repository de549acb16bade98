"""Numbers of the stage at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from typha.calico_wire.errors import PeerError
from typha.downstream.connection import Connection
from typha.downstream.connection_limits import OverLimitError
from typha.downstream.fan_out import FanOut
from typha.downstream.statistics import (
    CompressionCounters,
    ServerCounters,
    ServerStatistics,
    SubscriberStatistics,
    SubscriberTopic,
)
from typha.downstream.subscription import Phase
from typha.wire.errors import RemoteProtocolError


def statistics(
    counters: ServerCounters,
    fan_out: FanOut,
    compression: CompressionCounters,
    *,
    connections: int,
    is_draining: bool,
    unheard: int,
) -> ServerStatistics:
    """Costs the same however many are connected: it is asked for on the event loop, once a second."""
    totals = replace(
        counters,
        modes=Counter(counters.modes),
        closed=Counter(counters.closed),
        traffic=replace(counters.traffic),
        protocol_errors=Counter(counters.protocol_errors),
        over_limits=Counter(counters.over_limits),
        go_aways=Counter(counters.go_aways),
    )
    return ServerStatistics(
        connections=connections,
        subscribers=len(fan_out.subscribers),
        joiners=fan_out.joiners.count,
        joiners_waiting=fan_out.joiners.waiting_count,
        lagging=fan_out.lagging,
        is_draining=is_draining,
        unheard=unheard,
        subscribers_by_topic=fan_out.subscribers.by_topic(),
        server=totals,
        fan_out=fan_out.counters,
        compression=compression,
        snapshots_built=fan_out.walks.snapshots_built,
    )


def count_closed(counters: ServerCounters, connection: Connection) -> None:
    """Into the totals of those that ended."""
    session = connection.session
    counters.closed[session.closed_by] += 1
    if isinstance(session.error, RemoteProtocolError | PeerError):
        counters.protocol_errors[session.error.code] += 1
    elif isinstance(session.error, OverLimitError):
        counters.over_limits[session.error.limit] += 1


def each_subscriber(connections: Collection[Connection], now: float) -> Iterator[SubscriberStatistics]:
    """Every connection of this moment that was welcomed, with its place in each topic when it is its turn."""
    for connection in tuple(connections):
        session, subscriber = connection.session, connection.subscriber
        if not connection.is_welcomed:
            continue
        positions = {s.log: s.position for s in subscriber.group.streams} if subscriber.group else {}
        yield SubscriberStatistics(
            session=session.id,
            address=connection.address,
            node=session.node,
            agent=session.agent,
            age_s=now - connection.connected_at,
            bytes_sent=subscriber.bytes_sent,
            frames_sent=subscriber.frames_sent,
            buffered_bytes=connection.buffered_bytes,
            is_caught_up=subscriber.group is not None,
            topics=tuple(
                SubscriberTopic(
                    s.topic.name,
                    s.phase.name.lower(),
                    positions.get(s.log, s.position) if s.phase is Phase.LIVE else s.position,
                    s.topic.head,
                    s.applied,
                    dict(session.where_of(s.topic.name)),
                )
                for s in session.subscriptions
            ),
        )
