"""etcd goes back in time: a new life of the cluster, and everybody is told."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.small_steps import small_steps
from tests.kit.world import World
from typha.cache.errors import RestoredError
from typha.wire.states import Mode
from typha_client import events as e


def changed_world() -> tuple[World, int]:
    """``a`` was 0 at the rv given, then 1; ``new`` came."""
    world = World(tombstones=10)
    at = world.put("a", 0)
    world.put("a", 1)
    world.put("new")
    world.sync()
    return world, at


def resets(client: Client) -> list[str]:
    return [event.cluster for event in client.events if isinstance(event, e.WasReset)]


def test_restore_noticed() -> None:
    """The list proves it; cursors of the old life get a snapshot, and the client ends with the restored state."""
    world, at = changed_world()
    client = world.joined(world.a)
    client.disconnect()
    world.truth.restore(at)
    with pytest.raises(RestoredError, match="etcd was restored"):
        world.a.relist(world.truth.rv)
    world.a.notice_restore()
    world.sync(world.a)
    world.move(client, world.a)
    assert client.modes == [Mode.SNAPSHOT]
    assert (client.replicas.cluster, client.cursor) == ("uid/1", at)
    world.quiesce()


def test_restore_proved_by_a_list_changes_nothing() -> None:
    """What the proof is found in is not applied: the caller decides, all topics at once."""
    world, at = changed_world()
    before = dict(world.a.pods.log.entries)
    world.truth.restore(at)
    with pytest.raises(RestoredError):
        world.a.relist(world.truth.rv)
    assert world.a.pods.log.entries == before
    assert world.a.pods.head > at


def test_restore_overtaken_by_writes() -> None:
    """Case 7: the list's rv is above the head again; an object below the rv seen for it is the proof that is left."""
    world, at = changed_world()
    head = world.a.pods.head
    world.truth.restore(at)
    for number in range(5):
        world.put(f"later{number}")
    assert world.truth.rv > head
    with pytest.raises(RestoredError) as error:
        world.a.relist(world.truth.rv)
    assert (error.value.rv, error.value.seen) == (at, at + 1)
    world.quiesce()


def test_restore_overtaken_in_every_object_needs_a_new_life_by_hand() -> None:
    """rv alone cannot see it; the operator's ``life`` does: every topic starts anew, every cursor is void."""
    world, at = changed_world()
    client = world.joined(world.a)
    world.truth.restore(at)
    for _ in range(3):
        world.put("a", 7)
    world.delete("a")
    world.a.relist(world.truth.rv)  # no proof in it
    world.a.notice_restore()
    world.sync(world.a)
    world.deliver()
    assert resets(client) == ["uid/1"]
    world.quiesce()


def test_restore_noticed_by_one_replica() -> None:
    """The other one still serves the dead life. Whoever moves is told by the cluster in Welcome, either way."""
    world, at = changed_world()
    client = world.joined(world.b)
    world.truth.restore(at)
    world.put("b")
    world.a.notice_restore()
    world.sync(world.a)
    world.move(client, world.a)
    assert (client.modes, client.replicas.cluster) == ([Mode.SNAPSHOT], "uid/1")
    world.move(client, world.b)
    assert (client.modes, client.replicas.cluster) == ([Mode.SNAPSHOT], "uid/0")
    world.b.notice_restore()
    world.sync(world.b)
    world.deliver()
    assert resets(client) == ["uid/1"]
    world.quiesce()


def test_restore_tells_connected_clients() -> None:
    """Reset in mid-session; handlers see one diff from the dead state to the restored one."""
    world, at = changed_world()
    client = world.joined(world.a)
    world.truth.restore(at)
    world.a.notice_restore()
    world.a.settle()
    client.deliver()
    assert resets(client) == ["uid/1"]
    assert sorted(client.held) == ["a", "new"]  # nothing is deleted before the new life is complete
    world.sync(world.a)
    world.deliver()
    assert client.diffs == 1
    assert client.seen_changes() == [("delete", "new", at), ("put", "a", at)]
    assert client.replica.seen == at
    world.quiesce()


def test_restore_gives_joiners_no_snapshot_of_the_dead_life() -> None:
    """The shared snapshot is kept while few entries changed; a whole new list is one change of the log."""
    world = World()
    for number in range(40):
        world.put(f"p{number}")
    at = world.truth.rv
    for number in range(40):
        world.put(f"p{number}", 1)
    client = world.joined(world.a)
    world.truth.restore(at)
    world.a.notice_restore()
    world.a.relist()
    world.deliver()
    late = world.client()
    late.connect(world.a)
    world.deliver()
    expected = world.truth.state("pods", at)
    assert client.held == expected
    assert late.held == expected


@pytest.mark.parametrize("frames", range(8))
def test_restore_in_mid_snapshot(frames: int) -> None:
    """Cut anywhere: what was staged of the dead life is dropped."""
    with small_steps():
        world = World()
        for number in range(5):
            world.put(f"p{number}")
        at = world.truth.rv
        world.put("p0", 1)
        world.sync()
        client = world.client()
        client.pace(is_slow=True)
        client.connect(world.a)
        for _ in range(frames):
            world.a.settle()
            client.deliver_frame()
        world.truth.restore(at)
        world.put("other")
        world.quiesce()


def test_first_list_below_what_a_client_has_seen_resets_it() -> None:
    """A fresh server and a restored etcd: the consistent first list is the proof for this client."""
    world, at = changed_world()
    client = world.joined(world.a)
    world.restart(world.a)
    client.connect(world.a)  # its topics wait for their first list; Welcome came at once
    assert not client.is_waiting
    world.truth.restore(at)
    world.a.epoch = world.truth.epoch
    world.a.catalog.cluster = "uid/0"  # this process never knew that there was another
    loading = world.a.pods.begin_list()
    loading.put("a", at, [("a", world.truth.state("pods", at)["a"], ("n0", {"v": "0"}))])
    loading.commit(at, 0.0)
    world.a.settle()
    while client.outlet.buffer:
        data = bytes(client.outlet.buffer)
        client.outlet.buffer.clear()
        assert client.session is not None
        client.events += client.session.receive_data(data, 0.0)
        world.a.settle()
    assert resets(client) == ["uid/0"]
    assert {key: held.rv for key, held in client.replica.entries.items()} == {"a": at}


def test_cursor_of_another_cluster_gets_a_snapshot() -> None:
    world, _ = changed_world()
    client = world.joined(world.a)
    client.replicas.cluster = client.replica.cluster = "another-uid/0"
    client.connect(world.a)
    assert client.modes == [Mode.SNAPSHOT]


def test_restore_proved_by_a_client_that_came_before_the_first_list() -> None:
    """It was reset into the life that it knew, so that its handlers went back within one cluster."""
    world, at = changed_world()
    client = world.joined(world.b)
    world.truth.restore(at)
    world.restart(world.a)
    catalog = world.a.catalog
    catalog.cluster = "uid/0"  # a fresh process cannot know that there was another life
    told: list[str] = []

    def on_evidence(why: str) -> None:
        told.append(why)
        catalog.set_cluster("uid/1", world.clock.now)

    world.a.fan_out._on_evidence = on_evidence
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    world.a.relist()
    world.a.settle()
    world.deliver()
    assert len(told) == 1
    assert "a client has seen" in told[0]
    assert resets(client) == ["uid/1"]
    world.sync(world.a)
    world.deliver()
    assert client.replicas.cluster == "uid/1"
