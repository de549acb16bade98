"""Rounds that yield, snapshots that take long, clocks that jump: what happens between two steps of the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.kit.client import Client
from tests.kit.small_steps import STEPPED_ROUNDS, small_steps
from tests.kit.world import World
from typha.wire import messages as m


def versions(client: Client) -> list[tuple[str, int]]:
    return [(change.key, change.rv) for change in client.changes_sent()]


def test_snapshot_build_while_topic_changes() -> None:
    """Case 25: R is the head when the build starts; keys that move, die or are born meanwhile are seen once, later."""
    with small_steps():
        world = World(tombstones=20)
        for number in range(8):
            world.put(f"p{number}")
        world.sync()
        start = world.a.pods.head
        client = world.client()
        client.pace(is_slow=True)
        client.connect(world.a)
        for step in range(40):
            world.a.settle()
            if not client.deliver_frame():
                break
            if step == 3:
                world.put("p0", 1)  # sent already, moves to the end
                world.put("p7", 1)  # not sent yet, moves too
                world.delete("p1")
                world.delete("p6")
                world.put("new")
                world.sync(world.a)
        shared = [version for version in versions(client) if version[1] <= start]
        assert shared == [(f"p{number}", 2 + number) for number in range(8)]
        assert len(set(versions(client))) == len(versions(client))
        world.quiesce()
        assert client.diffs == 1


def test_round_yields_and_catch_up_meets_unsealed_change() -> None:
    """Case 24: between two yields the topic moves on; a walk goes beyond the seal; nothing comes twice or is missed."""
    with small_steps():
        world = World(settings=STEPPED_ROUNDS)
        world.put("a")
        world.sync()
        members = [world.joined(world.a) for _ in range(3)]
        late = world.joined(world.a)
        late.disconnect()
        world.put("a", 1)
        world.a.watch()
        late.connect(world.a)
        step = 0
        while world.a.step() or step < 12:
            step += 1
            if step % 2:
                world.put(f"k{step}")
                world.a.watch()
        world.a.settle()
        world.deliver()
        for client in (*members, late):
            assert sorted(set(versions(client))) == sorted(versions(client)), "a version was sent twice"
        world.quiesce()


def test_shared_frame_goes_to_nobody_who_joined_in_its_round() -> None:
    """Its catch-up went beyond the last seal: the next batch starts below its position, and is not for it."""
    with small_steps(frame_bytes=1000):
        world = World(settings=replace(STEPPED_ROUNDS, round_budget_s=1.0))
        world.put("a")
        world.sync()
        member, other, late = (world.joined(world.a) for _ in range(3))
        late.disconnect()
        world.put("b")
        world.a.watch()
        other.connect(world.a)
        late.connect(world.a)
        other.outlet.write = lambda data: world.time(2.0)  # type: ignore[method-assign]
        assert world.a.step()  # ``other`` was settled, that took the round's time; ``late`` comes after the yield
        world.put("c")
        world.a.watch()
        while world.a.step():
            pass
        world.a.settle()
        late.deliver()
        member.deliver()
        assert versions(late) == versions(member) == [("b", 3), ("c", 4)]


def test_subscribers_of_a_busy_topic_share_frames() -> None:
    """A topic that changes in every round must not keep its subscribers on walks of their own for ever."""
    world = World()
    world.put("a")
    world.sync()
    client = world.client()
    client.connect(world.a)
    for step in range(6):
        world.put("a", step)
        world.a.watch()
        world.a.round()
        client.deliver()
    assert client.subscriber is not None
    assert client.subscriber.group is not None
    before = world.a.fan_out.counters.shared_sends
    world.put("a", 100)
    world.a.watch()
    world.a.round()
    assert world.a.fan_out.counters.shared_sends == before + 1


def test_slow_subscriber_gets_newest_versions_only() -> None:
    """Compacted: what it lags behind by is one version per key, however often keys changed."""
    world = World()
    world.put("a")
    client = world.joined(world.a)
    client.pace(is_slow=True)
    for step in range(50):
        world.put("a", 100 + step)
        world.sync(world.a)
    assert client.outlet.written_bytes < 1000
    client.pace(is_slow=False)
    world.deliver()
    assert len(versions(client)) <= 3
    world.quiesce()


def test_change_is_encoded_once_for_everybody() -> None:
    """Publishing costs subscribers x rounds: the very same bytes go to all."""
    world = World()
    world.put("a")
    world.sync()
    clients = [world.joined(world.a) for _ in range(4)]
    world.put("a", 1)
    world.sync(world.a)
    assert len({bytes(client.outlet.buffer) for client in clients}) == 1
    assert clients[0].outlet.buffer


def test_large_relist_is_read_by_each_at_its_own_speed() -> None:
    """A re-list that changes everything is more than one frame: nobody's socket gets it at once."""
    with small_steps():
        world = World(tombstones=50)
        for number in range(10):
            world.put(f"p{number}")
        client, slow = world.joined(world.a), world.joined(world.a)
        slow.pace(is_slow=True)
        for number in range(10):
            world.put(f"p{number}", 1)
        world.a.relist()
        world.a.settle()
        assert len(slow.outlet.buffer) < len(client.outlet.buffer)
        world.quiesce()


def test_joiners_are_bounded_and_all_are_served() -> None:
    with small_steps():
        world = World(settings=replace(STEPPED_ROUNDS, max_joiners=2))
        for number in range(6):
            world.put(f"p{number}")
        world.sync()
        clients = [world.client() for _ in range(7)]
        for client in clients:
            client.pace(is_slow=True)
            client.connect(world.a)
        for _ in range(300):
            world.a.round()
            assert world.a.fan_out.joiners.count <= 2
            for client in clients:
                client.deliver_frame()
        assert {client.bookmarked for client in clients} == {world.truth.rv}
        assert world.a.fan_out.walks.snapshots_built == 1


def test_joiner_of_a_topic_that_starts_anew_gives_its_place_up() -> None:
    """Its topic waits (a restore, 403): other topics' joiners must not wait with it."""
    with small_steps():
        world = World(settings=replace(STEPPED_ROUNDS, max_joiners=1))
        for number in range(6):
            world.put(f"p{number}")
        world.sync()
        stuck = world.client()
        stuck.connect(world.a)
        world.a.round()  # one slice of it, all of it taken: nothing will tell that its socket has drained
        assert world.a.fan_out.joiners.count == 1
        waiting = world.client("hosts")
        waiting.connect(world.a)
        world.a.pods.restart(world.clock.now)
        for _ in range(20):
            world.a.settle()
            stuck.deliver()
            waiting.deliver()
        assert waiting.bookmarked == world.truth.rv


def test_wall_clock_jump_leaves_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding 27: ages are durations on a monotonic clock; nobody on the path reads the wall clock at all."""

    def jumped() -> float:
        raise AssertionError("somebody reads the wall clock")

    monkeypatch.setattr(time, "time", jumped)
    monkeypatch.setattr(time, "time_ns", jumped)
    world = World()
    world.put("a")
    client = world.joined(world.a)
    world.clock.now += 7.5
    world.a.bookmark()
    world.time(4)
    world.a.settle()
    client.deliver()
    (bookmark,) = [frame for frame in client.frames if isinstance(frame, m.Bookmark)]
    assert bookmark.topics[0].age_ms == 4000
    late = world.client()
    late.connect(world.a)
    late.deliver()
    (status,) = [frame for frame in late.frames if isinstance(frame, m.Status)]
    assert status.topics[0].since_ms == 11_500


def test_age_is_unknown_without_contact() -> None:
    world = World()
    client = world.client()
    client.connect(world.a)
    world.a.pods.has_synced = True
    world.a.pods.listener = None
    from typha.downstream.native import bookmark_frame

    assert bookmark_frame([(world.a.pods, 1)], 5.0).endswith(b"\xc0")


def test_subscriber_of_two_topics_joins_its_group_at_both_positions() -> None:
    """One topic moves on while the other is still being read: no shared frame may leave a hole between."""
    with small_steps():
        world = World(settings=STEPPED_ROUNDS)
        for number in range(8):
            world.put(f"p{number}")
        world.sync()
        fast = world.joined(world.a, "pods", "hosts")
        client = world.client("hosts", "pods")
        client.pace(is_slow=True)
        client.connect(world.a)
        for step in range(60):
            world.put(f"p{step % 8}", 100 + step)
            world.a.watch()
            world.a.step()
            client.deliver_frame()
            fast.deliver()
        world.quiesce()


def test_quiet_topic_of_two_stays_at_its_own_position() -> None:
    """``pods`` changes in each round, ``hosts`` never: its cursor follows its own head, and nothing is sent for it."""
    world = World()
    world.put("p", keys=())
    client = world.joined(world.a, "pods", "hosts")
    for step in range(3):
        world.put("p", step + 1, keys=())
        world.sync()
        world.deliver()
    assert {frame.topic_id for frame in client.frames if isinstance(frame, m.Entries)} == {0}
    world.time(11)
    world.deliver()
    assert {copy.bookmarked for copy in client.copies.values()} == {world.truth.rv}


def test_joiners_of_a_topic_that_changes_at_every_turn_are_not_left_behind() -> None:
    """They read on by themselves for ever: each came into the group only where nothing changed since the last seal."""
    world = World(settings=replace(STEPPED_ROUNDS, round_budget_s=0.001))
    world.put("a")
    world.sync()
    clients = [world.joined(world.a), *(world.client() for _ in range(6))]
    for client in clients[1:]:
        client.connect(world.a)
        hand_over = client.outlet.write

        def take_the_turn(
            data: bytes | memoryview, hand_over: Callable[[bytes | memoryview], None] = hand_over
        ) -> None:
            hand_over(data)
            world.clock.now += 0.002

        client.outlet.write = take_the_turn  # type: ignore[method-assign]
    rounds, version = world.a.fan_out.counters.rounds, 0
    while world.a.fan_out.counters.rounds < rounds + 3:
        version += 1
        world.put("a", version % 2)
        world.a.watch()
        world.a.step()
    subscribers = [client.subscriber for client in clients if client.subscriber is not None]
    assert [subscriber.group for subscriber in subscribers].count(None) == 0
    # Those who joined in the last round stand ahead; the next one has everybody together, with nothing sent twice.
    world.a.round()
    assert len({subscriber.group for subscriber in subscribers}) == 1
    assert len(list(world.a.fan_out._streams)) == 1
    for client in clients:
        client.deliver()
        assert sorted(set(versions(client))) == sorted(versions(client)), "a version was sent twice"
    world.quiesce()
