"""Numbers of the stage at one moment, gathered from what is open. Costs the number of connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from typha.calico_wire.errors import PeerError
from typha.downstream.connection import Connection
from typha.downstream.connection_limits import OverLimitError
from typha.downstream.fan_out import FanOut
from typha.downstream.group import Group
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
    connections: Collection[Connection],
    closed: ServerCounters,
    fan_out: FanOut,
    compression: CompressionCounters,
    *,
    is_draining: bool,
    unheard: int,
) -> ServerStatistics:
    """``closed`` counts the connections that ended; those that are open are added."""
    by_topic: Counter[str] = Counter()
    in_groups: Counter[Group] = Counter()
    lagging = bytes_sent = frames_sent = bytes_received = 0
    for connection in connections:
        subscriber = connection.subscriber
        bytes_sent += subscriber.bytes_sent
        frames_sent += subscriber.frames_sent
        bytes_received += connection.bytes_received
        if connection.is_welcomed:
            group, subscriptions = subscriber.group, connection.session.subscriptions
            lagging += group is None
            # A feed has 20 topics: of 5,000 subscribers they are counted once for each group.
            if group is not None and len(group.streams) == len(subscriptions):
                in_groups[group] += 1
            else:
                by_topic.update(s.topic.name for s in subscriptions)
    for group, count in in_groups.items():
        for stream in group.streams:
            by_topic[stream.topic.name] += count
    totals = ServerCounters(
        accepted=closed.accepted,
        welcomed=closed.welcomed,
        modes=Counter(closed.modes),
        closed=Counter(closed.closed),
        bytes_sent=closed.bytes_sent + bytes_sent,
        frames_sent=closed.frames_sent + frames_sent,
        bytes_received=closed.bytes_received + bytes_received,
        protocol_errors=Counter(closed.protocol_errors),
        over_limits=Counter(closed.over_limits),
        go_aways=Counter(closed.go_aways),
    )
    return ServerStatistics(
        connections=len(connections),
        subscribers=len(fan_out.subscribers),
        joiners=fan_out.joiners.count,
        joiners_waiting=fan_out.joiners.waiting_count,
        lagging=lagging,
        is_draining=is_draining,
        unheard=unheard,
        subscribers_by_topic=dict(by_topic),
        server=totals,
        fan_out=fan_out.counters,
        compression=compression,
        snapshots_built=fan_out.walks.snapshots_built,
    )


def count_closed(counters: ServerCounters, connection: Connection) -> None:
    """Into the totals of those that ended."""
    session, subscriber = connection.session, connection.subscriber
    counters.closed[session.closed_by] += 1
    if isinstance(session.error, RemoteProtocolError | PeerError):
        counters.protocol_errors[session.error.code] += 1
    elif isinstance(session.error, OverLimitError):
        counters.over_limits[session.error.limit] += 1
    counters.bytes_sent += subscriber.bytes_sent
    counters.frames_sent += subscriber.frames_sent
    counters.bytes_received += connection.bytes_received


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
