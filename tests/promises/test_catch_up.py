"""Catch-ups, cut at any frame, at replicas whose entries stand at different rvs."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.small_steps import small_steps
from tests.kit.world import World
from typha.wire import messages as m
from typha.wire.states import Mode


def lagging_client(world: World) -> Client:
    """Joined at b, away while eight keys change and two die."""
    for number in range(8):
        world.put(f"p{number}")
    client = world.joined(world.b)
    client.disconnect()
    for number in range(8):
        world.put(f"p{number}", 1)
    world.delete("p3")
    world.delete("p5")
    world.put("p9")
    return client


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECONCILE, Mode.SNAPSHOT])
def test_cut_after_each_frame_of_a_catch_up(mode: Mode) -> None:
    """Case 3: the connection ends after each prefix of frames, the other replica goes on from what is left."""
    cuts = 0
    with small_steps():
        while True:
            world = World(tombstones=0 if mode is Mode.RECONCILE else 10)
            client = lagging_client(world)
            if mode is Mode.SNAPSHOT:
                client.replicas.cluster = "another/life"
            world.sync()
            client.connect(world.b)
            taken = 0
            while taken < cuts:
                world.b.settle()
                if not client.deliver_frame():
                    break
                taken += 1
            if taken < cuts:
                break
            assert client.modes == [mode]
            world.a.relist()  # entries that heartbeats moved stand elsewhere there
            world.move(client, world.a)
            world.quiesce()
            cuts += 1
    assert cuts > 6


def test_cursor_moves_only_at_the_end_of_a_catch_up() -> None:
    with small_steps():
        world = World(tombstones=10)
        client = lagging_client(world)
        before = client.cursor
        world.sync()
        client.connect(world.b)
        world.deliver()
        frames = [frame for frame in client.take_frames() if isinstance(frame, m.Entries)]
        assert len(frames) > 3
        assert [frame.through for frame in frames] == [None] * (len(frames) - 1) + [world.truth.rv]
        assert client.diffs == 1
        assert before is not None
        assert client.cursor == world.truth.rv


def test_keys_of_one_rv_stay_in_one_frame() -> None:
    """A node with 7 keys: a slice border inside one rv would let a cursor stand in the middle of it."""
    keys = tuple("abcdefg")
    for frame_bytes in range(10, 200, 15):
        with small_steps(frame_bytes=frame_bytes):
            world = World()
            for name in ("h0", "h1", "h2"):
                world.put(name, keys=keys)
            world.put("h1", 5, keys=tuple("abcx"))  # 4 puts and 4 deletes at one rv
            world.sync()
            client = world.client("hosts")
            client.connect(world.a)
            world.deliver()
            lagging = world.joined(world.a, "hosts")
            lagging.disconnect()
            world.put("h2", 7, keys=tuple("aqrstuv"))
            world.put("h0", 7, keys=keys)
            world.sync()
            world.move(lagging, world.a)
            for reader in (client, lagging):
                frames = [frame for frame in reader.take_frames() if isinstance(frame, m.Entries)]
                seen: set[int] = set()
                for frame in frames:
                    rvs = {put.rv for put in frame.puts} | {delete.rv for delete in frame.deletes}
                    assert not rvs & seen, f"frames of {frame_bytes} bytes: {rvs & seen} is in two frames"
                    seen |= rvs


def test_heartbeat_gives_replicas_different_entry_rvs() -> None:
    """A watched heartbeat leaves the entry where it is; B re-lists and has it at the heartbeat's rv."""
    with small_steps():
        for cut in range(6):
            world = World(tombstones=10)
            changed = [world.put(name) for name in ("k", "l", "m")]
            client = world.joined(world.a)
            client.disconnect()
            changed = [world.put(name, 1) for name in ("k", "l", "m")]
            world.sync(world.a)
            beaten = world.beat("k")
            world.sync(world.a)
            world.b.relist()
            assert world.a.pods.log.entries["k"].rv == changed[0]
            assert world.b.pods.log.entries["k"].rv == beaten
            client.connect(world.b)
            for _ in range(cut):
                world.b.settle()
                client.deliver_frame()
            world.move(client, world.a)
            world.quiesce()


def test_heartbeat_is_not_sent() -> None:
    world = World()
    world.put("a")
    client = world.joined(world.a)
    at = world.beat("a")
    world.sync()
    world.deliver()
    assert [frame for frame in client.take_frames() if isinstance(frame, m.Entries)] == []
    assert world.a.pods.head == at
    assert world.a.pods.unchanged_total == 1
    world.time(11)
    world.deliver()
    assert client.bookmarked == at  # but the cursor moves


def test_quiet_topic_moves_without_refusal() -> None:
    """Case 9: A got a bookmark, B's last event is older: the cursor is above B's head, and it resumes at once."""
    world = World()
    world.put("a")
    world.sync()
    client = world.joined(world.a)
    for _ in range(50):
        world.truth.tick()
    world.a.bookmark()
    world.time(11)
    world.deliver()
    cursor = client.cursor
    assert cursor == world.truth.rv > world.b.pods.head
    world.move(client, world.b)
    assert (client.modes, client.is_waiting) == ([Mode.RESUME], False)
    assert client.cursor == cursor  # never back, although B's own is lower
    world.quiesce()


def test_delete_recreate_in_one_frame() -> None:
    """Case 18: no tombstone is kept beside the newer put, so the order inside the frame cannot delete it."""
    world = World()
    world.put("a", 0)
    client = world.joined(world.a)
    world.delete("a")
    born = world.put("a", 1)
    world.sync()
    world.deliver()
    assert client.seen_changes() == [("put", "a", born)]
    assert world.a.pods.log.tombstones == {}


def test_ip_reuse_order() -> None:
    """Pod ``old`` goes @5, ``new`` takes its address @6: handlers see them in that order, also from one frame."""
    world = World()
    world.put("old")
    client = world.joined(world.a)
    client.disconnect()
    went = world.delete("old")
    came = world.put("new")
    world.sync()
    world.move(client, world.a)
    assert client.seen_changes() == [("delete", "old", went), ("put", "new", came)]
    live = world.joined(world.a)
    went = world.delete("new")
    came = world.put("newer")
    world.sync()
    world.deliver()
    assert live.seen_changes() == [("delete", "new", went), ("put", "newer", came)]


def test_resume_sends_only_what_changed() -> None:
    """With k changes while away: k puts and deletes, whatever the size of the topic."""
    world = World(tombstones=10)
    for number in range(100):
        world.put(f"p{number}")
    client = world.joined(world.a)
    client.disconnect()
    world.put("p7", 1)
    world.delete("p8")
    world.sync()
    world.move(client, world.a)
    frames = [frame for frame in client.take_frames() if isinstance(frame, m.Entries)]
    assert [(len(frame.puts), len(frame.deletes)) for frame in frames] == [(1, 1)]
    assert client.outlet.written_bytes < 500


def test_lagging_api_server_of_two() -> None:
    """HA: B hangs on an API server that is behind. It may not serve a client that has seen more."""
    world = World()
    world.put("a", 0)
    world.sync()
    client = world.joined(world.a)
    world.put("a", 1)
    world.sync(world.a)
    world.deliver()
    client.connect(world.b)
    world.b.bookmark(lag=1)
    world.b.relist(world.truth.rv - 1)  # the re-list comes from the one that lags
    world.deliver()
    assert client.is_waiting
    assert client.seen_changes() == [("put", "a", world.truth.rv)]
    world.b.watch()
    world.deliver()
    assert client.modes == [Mode.RESUME]
    world.quiesce()


def test_all_servers_behind_client_waits() -> None:
    """Case 10: refused everywhere it keeps its state and cursor; a snapshot of the past is never its way out."""
    world = World(servers="abc")
    world.put("a", 0)
    world.sync()
    client = world.joined(world.a)
    world.put("a", 1)
    world.sync(world.a)
    world.deliver()
    held, cursor, seen = dict(client.held), client.cursor, client.replica.seen
    world.servers[2].bookmark(lag=1)
    world.restart(world.a)
    for server in (world.b, world.servers[2], world.b):
        client.connect(server)
        world.deliver()
        client.give_up()
        assert not client.is_connected
        assert (client.held, client.cursor, client.replica.seen) == (held, cursor, seen)
    world.b.watch()
    world.move(client, world.b)
    assert client.modes == [Mode.RESUME]
    assert client.seen_changes() == [("put", "a", seen)]
