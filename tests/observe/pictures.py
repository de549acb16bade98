"""A made-up Status with every part filled, for the tests of what is made from it."""

from __future__ import annotations

from typha.observe.metrics import EVENT_TO_SOCKET_BOUNDS_S
from typha.observe.status import (
    BuildStatus,
    Gap,
    Latency,
    PackedFrames,
    Quarantined,
    ReflectorStatus,
    ServerStatus,
    Status,
    SubscriberStatus,
    SubscriptionStatus,
    TopicStatus,
    UpstreamStatus,
)
from typha.wire.states import TopicState

LATENCY = Latency(EVENT_TO_SOCKET_BOUNDS_S, (5, 0, 3, *(0,) * 11, 2), 71.5)
LOOP_LAG = Latency((0.01, 0.02), (998, 1, 1), 4.0)

PODS = TopicStatus(
    name="pods",
    state=TopicState.IN_SYNC,
    since_s=12.5,
    has_synced=True,
    head=1234,
    horizon=1000,
    age_s=0.5,
    entries=3,
    tombstones=2,
    value_bytes=900,
    held_bytes=300,
    subscribers=1,
    gaps=(Gap(1001, 1005),),
    quarantined=(Quarantined("default/odd", 1100, "spec.nodeName is no text"),),
    quarantined_count=1,
    puts_total=7,
    deletes_total=4,
    unchanged_total=20,
)
CERTS = TopicStatus(name="certs", state=TopicState.ABSENT, since_s=30.0, message="404: no such resource")


def picture(*topics: TopicStatus, draining: bool = False) -> Status:
    return Status(
        build=BuildStatus(version="0.1.0", python="3.11.7", loop="uvloop"),
        uptime_s=60.0,
        loop_lag=LOOP_LAG,
        topics=topics or (PODS, CERTS),
        server=ServerStatus(
            address="127.0.0.1:5473",
            draining=draining,
            connections=2,
            max_connections=10_000,
            joined_total={"snapshot": 3, "resume": 2},
            refused_total={"overloaded": 1},
            protocol_errors_total={"frame_too_large": 1},
            bytes_sent_total=4096,
            packed={"dictionary": PackedFrames(frames_total=7, bytes_before_total=3500, bytes_after_total=560)},
            dictionaries_trained_total=1,
            dictionaries_sent_total=2,
            event_to_socket=LATENCY,
        ),
        upstream=UpstreamStatus(
            address="https://127.0.0.1:6443",
            cluster="0b6b/1",
            reflectors=(
                ReflectorStatus(
                    resource="v1/pods",
                    state="watching",
                    topics=("pods",),
                    contact_s=0.5,
                    lists_total=1,
                    watches_total=2,
                    errors_total={"connection_lost": 1},
                    last_error='the "API server" went\naway',
                    last_error_s=20.0,
                ),
            ),
        ),
        feeds={"inventory": ("pods", "certs")},
        subscribers=(
            SubscriberStatus(
                session="s-1",
                node="node-1",
                agent="demo/1",
                address="127.0.0.1:40000",
                connected_s=9.0,
                caught_up=True,
                subscriptions=(SubscriptionStatus(topic="pods", cursor=1230, lag=4, where={"node": "node-1"}),),
            ),
        ),
    )
