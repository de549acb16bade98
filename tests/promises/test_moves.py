"""From server to server: make before break, interrupted snapshots, other forms; never back, never twice."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.small_steps import small_steps
from tests.kit.world import World
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.states import CloseCode, GoAwayReason, Mode
from typha_client import events as e


def second_connection(world: World, client: Client) -> Client:
    """The same agent, its replicas and what its handlers saw, over another connection."""
    other = world.client(*client.topics, where=client.where)
    other.replicas, other.copies, other.events = client.replicas, client.copies, client.events
    return other


@pytest.mark.parametrize("answer", ["welcome", "refused"])
def test_goaway_old_stream_after_hello(answer: str) -> None:
    """Case 14: the new server answers with a@old in flight while the old one still delivers a@new."""
    world = World()
    world.put("a", 0)
    world.sync()
    old = world.joined(world.a)
    world.put("a", 1)
    world.sync()
    world.deliver()
    if answer == "refused":
        world.restart(world.b)
        world.b.relist()
        world.b.catalog.topics["pods"].head -= 1  # hangs on an API server that lags
    assert old.peer is not None
    old.peer.say(encode_message(m.GoAway(GoAwayReason.MAX_AGE, 30.0, ())))
    assert old.subscriber is not None
    old.subscriber.flush()
    old.deliver()
    assert any(isinstance(event, e.MoveRequested) for event in old.events)

    assert old.session is not None
    old.session.hold()
    new = second_connection(world, old)
    new.connect(world.b)  # Hello with the cursor of now
    newest = world.put("a", 2)
    world.sync(world.a)
    old.deliver()  # in flight: buffered, not applied
    assert ("put", "a", newest) not in old.seen_changes()
    if answer == "refused":
        new.give_up()
        old.check(old.session.release(0.0))
        assert old.seen_changes()[-1] == ("put", "a", newest)
        assert old.is_connected
    else:
        new.deliver()
        old.check(old.session.close(CloseCode.MOVED))
        old.upload()
        assert not old.is_connected
        world.sync(world.b)
        new.deliver()
        assert [change for change in new.seen_changes() if change[2] == newest] == [("put", "a", newest)]
    assert new.held == world.truth.state("pods", world.truth.rv)


def test_rejoin_of_interrupted_first_snapshot() -> None:
    """Case 10: no cursor yet; what it was sent it has not seen, so an older shared snapshot is no travel."""
    with small_steps():
        world = World()
        for number in range(6):
            world.put(f"p{number}")
        world.sync()
        world.put("p0", 1)
        world.a.watch()
        world.a.settle()
        client = world.client()
        client.connect(world.a)
        world.a.settle()
        for _ in range(4):
            assert client.deliver_frame()
        client.connect(world.b)  # behind a by one
        assert client.modes == [Mode.SNAPSHOT]
        world.b.settle()
        client.deliver()
        world.b.settle()
        client.deliver()
        assert client.held == world.truth.state("pods", world.b.pods.head)
        world.quiesce()


def test_rejoin_of_interrupted_second_snapshot_waits_for_what_was_seen() -> None:
    """Its cursor is void, yet its handlers have seen up to ``seen``: a server behind that may not answer."""
    world = World()
    world.put("a", 0)
    world.sync()
    client = world.joined(world.a)
    world.put("a", 1)
    world.sync(world.a)
    world.deliver()
    client.replica.void_cursor()
    client.connect(world.b)
    assert client.is_waiting
    world.b.watch()
    world.deliver()
    assert client.modes == [Mode.SNAPSHOT]
    world.quiesce()


def test_snapshot_over_state_is_one_diff() -> None:
    """Case 11: the shared frames of R are older than what is held; handlers see neither R's past nor a restart."""
    with small_steps():
        world = World()
        for number in range(40):
            world.put(f"p{number}")
        first = world.joined(world.a)
        del first
        world.put("p0", 1)
        world.put("p1", 1)
        world.delete("p2")
        client = world.joined(world.a)
        built = world.a.fan_out.walks.snapshots_built
        client.replica.format = "another"
        client.connect(world.a)
        assert client.modes == [Mode.SNAPSHOT]
        world.deliver()
        assert world.a.fan_out.walks.snapshots_built == built  # R is that of the first joiner
        assert client.seen_changes() == []


def test_upgrade_changes_values_at_same_rv() -> None:
    """Case 8: another form is a snapshot, also back and forth between old and new servers; one diff each time."""
    world = World()
    rv = world.put("a", 0)
    world.sync(world.a)
    world.b.form = "2"
    world.restart(world.b)
    world.sync(world.b)
    client = world.joined(world.a)
    for number, server in enumerate((world.b, world.a, world.b), 1):
        world.move(client, server)
        assert client.modes == [Mode.SNAPSHOT]
        assert client.replica.format == server.form
        assert client.seen_changes() == [("put", "a", rv)] * number
    world.move(client, world.b)
    assert client.modes == [Mode.RESUME]


def test_unordered_topic_is_always_a_snapshot() -> None:
    """Versions that are no numbers: a cursor means nothing at another server."""
    world = World()
    world.put("a")
    world.a.pods.mark_unordered()
    client = world.joined(world.a)
    world.move(client, world.a)
    assert client.modes == [Mode.SNAPSHOT]
    assert not client.is_waiting


def test_cursor_of_an_unsynced_topic_waits_for_its_list() -> None:
    """A server that just started welcomes at once and answers when its list is in; state and cursor stay."""
    world = World()
    world.put("a")
    world.put("b")
    client = world.joined(world.a)
    world.delete("b")
    world.restart(world.a)
    client.connect(world.a)
    world.deliver()
    assert sorted(client.held) == ["a", "b"]
    world.sync(world.a)
    world.deliver()
    assert client.seen_changes() == [("delete", "b", world.truth.rv)]
