"""What the rounds count and keep; the promises that they carry are in tests/promises/test_rounds.py."""

from __future__ import annotations

from tests.kit.small_steps import STEPPED_ROUNDS, small_steps
from tests.kit.world import World
from typha.wire import messages as m


def joined_world() -> World:
    world = World()
    world.put("a")
    world.sync()
    return world


def test_nothing_to_do_is_no_work() -> None:
    world = joined_world()
    world.joined(world.a)
    assert not world.a.fan_out.has_work
    world.time(1)
    assert not world.a.fan_out.has_work


def test_bookmark_goes_to_a_group_when_it_is_due() -> None:
    world = joined_world()
    clients = [world.joined(world.a) for _ in range(2)]
    world.time(9.5)
    world.deliver()
    assert clients[0].frames == []
    world.time(0.5)
    world.deliver()
    for client in clients:
        assert [type(frame) for frame in client.take_frames()] == [m.Bookmark]
    world.time(9.5)
    world.deliver()
    assert clients[0].frames == []


def test_change_and_due_bookmark_are_one_write() -> None:
    world = joined_world()
    client = world.joined(world.a)
    assert client.subscriber is not None
    before = client.subscriber.frames_sent
    world.put("a", 1)
    world.a.watch()
    world.time(11)
    world.a.settle()
    assert client.subscriber.frames_sent == before + 1
    client.deliver()
    assert [type(frame) for frame in client.take_frames()] == [m.Entries, m.Bookmark]


def test_state_is_told_to_those_who_subscribe_to_the_topic() -> None:
    world = joined_world()
    client, other = world.joined(world.a), world.joined(world.a, "hosts")
    from typha.wire.states import TopicState

    world.a.pods.set_state(TopicState.STALE, world.clock.now, "403")
    world.deliver()
    assert [type(frame) for frame in client.frames] == [m.Status]
    assert other.frames == []


def test_unsubscribed_streams_groups_and_logs_are_let_go() -> None:
    world = joined_world()
    client = world.joined(world.a, where={"node": "nowhere"})
    fan_out = world.a.fan_out
    assert (len(list(fan_out._streams)), len(list(fan_out._groups))) == (1, 1)
    client.disconnect()
    world.time(1)
    assert (list(fan_out._streams), list(fan_out._groups), list(fan_out.subscribers)) == ([], [], [])
    assert len(list(world.a.pods.views.logs())) == 1  # n0 holds an entry, nowhere is gone


def test_snapshot_is_dropped_when_the_storm_is_over() -> None:
    world = joined_world()
    world.joined(world.a)
    world.joined(world.a)
    assert world.a.fan_out.walks.snapshots_built == 1
    world.time(1)
    world.joined(world.a)
    assert world.a.fan_out.walks.snapshots_built == 2


def test_stalled_joiner_gives_its_place_up_and_is_served_all_the_same() -> None:
    with small_steps():
        world = World()
        world.a.fan_out.joiners.limit = 1
        for number in range(6):
            world.put(f"p{number}")
        world.sync()
        sleeper, other = world.client(), world.client()
        sleeper.pace(is_slow=True)
        sleeper.connect(world.a)
        sleeper.deliver()
        world.a.settle()
        other.connect(world.a)
        world.a.settle()
        assert (world.a.fan_out.joiners.count, world.a.fan_out.joiners.waiting_count) == (1, 1)
        for _ in range(3):
            world.time(1)
        world.a.settle()
        other.deliver()
        world.a.settle()
        other.deliver()
        assert other.bookmarked == world.truth.rv
        assert sleeper.bookmarked is None
        world.quiesce()


def test_counters() -> None:
    world = joined_world()
    client = world.joined(world.a)
    world.put("a", 1)
    world.sync(world.a)
    client.disconnect()
    counters = world.a.fan_out.counters
    assert (counters.snapshots, counters.shared_sends, counters.demotions, counters.reconciles) == (1, 1, 0, 0)
    assert sum(counters.event_to_socket.counts) == 1


def test_event_to_socket_is_the_time_from_the_change_to_the_round() -> None:
    world = joined_world()
    world.joined(world.a)
    world.put("a", 1)
    world.a.watch()
    world.clock.now += 0.75
    world.a.settle()
    assert world.a.fan_out.counters.event_to_socket.sum == 0.75


def test_removed_subscriber_is_not_written_to() -> None:
    world = joined_world()
    client = world.joined(world.a)
    world.put("a", 1)
    world.a.watch()
    client.disconnect()
    world.a.settle()
    assert client.outlet.buffer == b""


def test_a_round_is_awaited_by_who_joins_and_not_by_what_changed() -> None:
    world = joined_world()
    fan_out, awaited = world.a.fan_out, []
    world.client().connect(world.a)
    awaited.append(fan_out.is_awaited)
    world.a.settle()
    awaited.append(fan_out.is_awaited)
    world.put("a", 1)
    world.a.watch()
    awaited.append(fan_out.is_awaited)
    assert awaited == [True, False, False]
    assert fan_out.has_work


def test_joiner_who_drains_while_a_round_is_handed_out_is_written_to_after_it() -> None:
    """Each turn of a round of 4,000 sends ended with a send to each of 64 joiners: who was in sync waited for those."""
    with small_steps():
        world = World(settings=STEPPED_ROUNDS)
        for number in range(20):
            world.put(f"p{number}")
        members = [world.joined(world.a) for _ in range(3)]
        joiner = world.client()
        joiner.pace(is_slow=True)
        joiner.connect(world.a)
        assert joiner.subscriber is not None
        while not joiner.subscriber.is_walking:
            joiner.deliver()
            world.a.round()
        world.put("p0", 1)
        world.a.watch()
        world.a.step()
        before = joiner.outlet.written_bytes
        assert [bool(member.outlet.buffer) for member in members] == [True, False, False]
        assert not joiner.outlet.is_drained
        joiner.deliver()
        while not members[-1].outlet.buffer:
            assert joiner.outlet.written_bytes == before
            world.a.step()
        world.a.settle()
        assert joiner.outlet.written_bytes > before
        world.quiesce()
