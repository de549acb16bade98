"""Resources that do not exist, may not be read, or hold what cannot be converted: never taken for deletions."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.world import World
from typha.wire import messages as m
from typha.wire.states import Mode, TopicState
from typha_client import events as e


def states(client: Client) -> list[TopicState]:
    return [event.state for event in client.events if isinstance(event, e.StatusChanged)]


def test_absent_topic_on_fresh_replica() -> None:
    """Case 12: its head is 0, any cursor is above; nobody waits: an empty snapshot, and Status says why."""
    world = World()
    world.put("cr")
    client = world.joined(world.b)
    world.truth.drop_resource()
    world.a.relist()
    assert world.a.is_absent
    world.move(client, world.a)
    assert not client.is_waiting
    assert client.modes == [Mode.SNAPSHOT]
    assert (client.held, client.cursor) == ({}, 0)
    assert states(client)[-1] is TopicState.ABSENT
    assert world.a.catalog.is_ready()


def test_crd_deleted_and_recreated() -> None:
    """Reset to an empty snapshot; the new one's objects come live; cursors of before are void everywhere."""
    world = World()
    world.put("cr", 0)
    world.put("other", 0)
    client, away = world.joined(world.a), world.joined(world.b)
    world.truth.drop_resource()
    world.a.relist()
    world.deliver()
    assert [type(event) for event in client.events if isinstance(event, e.WasReset)] == [e.WasReset]
    assert client.held == {}
    world.truth.create_resource()
    world.put("cr", 0)
    world.a.relist()
    world.deliver()
    assert list(client.held) == ["cr"]
    assert states(client)[-1] is TopicState.IN_SYNC
    world.move(away, world.a)
    assert away.modes == [Mode.RECONCILE]
    assert list(away.held) == ["cr"]
    world.b.relist()
    world.quiesce()


def test_forbidden_never_in_sync() -> None:
    """403 before the first list: no Bookmark, not ready. After it: stale, with the data kept."""
    world = World()
    world.put("a")
    for topic in world.a.topics:
        topic.set_state(TopicState.WAITING, world.clock.now, "403: may not list pods")
    client = world.client()
    client.connect(world.a)
    for _ in range(3):
        world.time(11)
        world.deliver()
    assert states(client) == [TopicState.WAITING]
    assert not [frame for frame in client.frames if isinstance(frame, m.Bookmark)]
    assert not world.a.catalog.is_ready()
    world.sync(world.a)
    world.deliver()
    assert states(client)[-1] is TopicState.IN_SYNC
    world.a.pods.set_state(TopicState.STALE, world.clock.now, "403: may not watch pods")
    world.deliver()
    late = world.client()
    late.connect(world.a)
    world.deliver()
    for reader in (client, late):
        assert states(reader)[-1] is TopicState.STALE
        assert list(reader.held) == ["a"]
    assert world.a.catalog.is_ready()  # an outage must not empty the Service


def test_silence_makes_stale_and_contact_heals() -> None:
    world = World()
    world.put("a")
    client = world.joined(world.a)
    world.clock.now += 181
    world.a.catalog.tick(world.clock.now)
    world.deliver()
    assert states(client) == [TopicState.STALE]
    world.a.pods.contact(world.clock.now)
    world.deliver()
    assert states(client) == [TopicState.STALE, TopicState.IN_SYNC]


@pytest.mark.parametrize("topic", ["pods", "hosts"])
def test_quarantine_same_on_old_and_fresh_replica(topic: str) -> None:
    """Case 16: what agents hold is a function of the API server's state alone, not of a replica's history."""
    world = World()
    world.put("x")
    world.put("y")
    client = world.joined(world.a, topic)
    bad = world.bad("x")
    world.sync(world.a)
    world.deliver()
    world.b.relist()
    fresh = world.joined(world.b, topic)
    assert client.held == fresh.held
    assert [change[::2] for change in client.seen_changes()] == [("delete", bad)]
    for server in world.servers:
        assert server.catalog.topics[topic].quarantined["x"] == (bad, "bad value")
    world.put("x", 1)
    world.sync()
    world.deliver()
    assert client.held == fresh.held
    assert len(client.held) == 2
    assert all(not server.catalog.topics[topic].quarantined for server in world.servers)


def test_quarantined_over_relist_is_deleted() -> None:
    world = World()
    world.put("x")
    client = world.joined(world.a)
    world.bad("x")
    world.truth.tick()
    world.a.relist()
    world.deliver()
    assert client.seen_changes() == [("delete", "x", world.truth.rv)]


def test_quarantined_object_that_is_deleted_is_forgotten() -> None:
    world = World()
    world.bad("x")
    world.sync(world.a)
    assert list(world.a.pods.quarantined) == ["x"]
    world.delete("x")
    world.sync(world.a)
    assert world.a.pods.quarantined == {}
    assert world.a.pods.log.is_empty
