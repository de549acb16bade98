"""Deletions that a server has forgotten: keys are compared, and nothing is lost or deleted by mistake on the way."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.small_steps import small_steps
from tests.kit.world import World
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.digests import bucket_of, digests_of, key_hash
from typha.wire.states import Mode


def reconciling(world: World) -> Client:
    """Away while ``gone`` died beyond the tombstone limit (0); back at A, its digest not delivered yet."""
    world.put("gone")
    world.put("stays")
    client = world.joined(world.a)
    client.disconnect()
    world.delete("gone")
    world.put("stays", 1)
    world.sync(world.a)
    client.connect(world.a)
    world.a.settle()
    assert client.modes == [Mode.RECONCILE]
    return client


def digests(client: Client) -> list[m.KeyDigest]:
    return [frame for frame in client.frames if isinstance(frame, m.KeyDigest)]


def test_mass_delete_in_one_round_beyond_tombstone_limit() -> None:
    """Case 4: a client that is connected and caught up loses nothing, and needs no reconcile."""
    world = World(tombstones=4)  # two for each: the topic's and its index's
    for number in range(10):
        world.put(f"p{number}")
    client = world.joined(world.a)
    for number in range(10):
        world.delete(f"p{number}")
    world.sync()
    world.deliver()
    assert client.held == {}
    assert digests(client) == []
    assert len(world.a.pods.log.tombstones) == 2


def test_mass_delete_while_a_subscriber_is_slow() -> None:
    """It left its group before the round: the horizon passes it, and it is reconciled in place."""
    world = World(tombstones=2)
    for number in range(10):
        world.put(f"p{number}")
    client = world.joined(world.a)
    client.pace(is_slow=True)
    world.put("p0", 1)
    world.sync()
    assert not client.outlet.is_drained
    for number in range(10):
        world.delete(f"p{number}")
        world.sync()
    client.pace(is_slow=False)
    world.deliver()
    assert client.held == {}
    assert len(digests(client)) == 1


def test_horizon_overtakes_slow_snapshot_reader() -> None:
    """Case 4: its snapshot has R; the deletion above R is forgotten before it has read to the end."""
    with small_steps():
        world = World(tombstones=1)
        for number in range(8):
            world.put(f"p{number}")
        world.sync()
        client = world.client()
        client.pace(is_slow=True)
        client.connect(world.a)
        client.deliver()
        world.a.settle()
        assert client.peer is not None
        assert client.peer.subscriptions[0].is_joining
        for number in range(6):
            world.delete(f"p{number}")
        world.sync()
        world.deliver()
        assert client.held == world.truth.state("pods", world.truth.rv)
        assert len(digests(client)) == 1
        assert client.diffs == 1  # handlers never saw R
        world.quiesce()


def test_disconnect_between_digest_and_index() -> None:
    """Case 5: live frames and Bookmarks flow in between; the cursor did not move, the next resume reconciles."""
    world = World(tombstones=0)
    client = reconciling(world)
    before = client.cursor
    mute_at_digest(client)
    world.put("live")
    world.sync()
    world.time(11)
    world.a.settle()
    client.deliver()
    assert [frame for frame in client.frames if isinstance(frame, m.Entries) and frame.through == world.truth.rv]
    assert "live" not in client.held
    assert client.cursor == before
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert sorted(client.held) == ["live", "stays"]


def mute_at_digest(client: Client) -> None:
    """Everything up to the KeyDigest reaches the client; its KeyRequest is on its way."""
    client.mute()
    while not digests(client):
        assert client.deliver_frame()


def test_live_put_between_digest_and_index() -> None:
    """Case 6: a key born after the digest is not in the client's request, and survives the index."""
    world = World(tombstones=0)
    client = reconciling(world)
    mute_at_digest(client)
    world.put("new")
    world.sync()
    client.speak()
    world.deliver()
    assert sorted(client.held) == ["new", "stays"]
    world.quiesce()


def test_second_digest_while_first_is_open() -> None:
    """Case 6: the horizon passes it again before it answered; the answer to the first digest is ignored."""
    world = World(tombstones=0)
    client = reconciling(world)
    mute_at_digest(client)
    client.pace(is_slow=True)
    world.put("second")
    world.sync()
    world.delete("stays")
    world.delete("second")
    world.sync()  # the horizon passes it while it does not drain
    client.pace(is_slow=False)
    world.a.settle()  # the second digest is on its way
    client.speak()
    world.deliver()
    assert len(digests(client)) == 2
    indexes = [frame for frame in client.frames if isinstance(frame, m.KeyIndex)]
    assert {index.at for index in indexes} <= {digests(client)[1].at}
    assert client.held == {}
    world.quiesce()


def test_no_bookmark_while_a_reconcile_is_open() -> None:
    """From Welcome to the last KeyIndex: neither an own nor the shared Bookmark names this topic."""
    world = World(tombstones=0)
    client = reconciling(world)
    mute_at_digest(client)
    for _ in range(3):
        world.time(11)
        world.put("live", world.truth.rv)
        world.sync()
    client.deliver()
    assert not [frame for frame in client.frames if isinstance(frame, m.Bookmark)]


def test_digest_needs_salt() -> None:
    """Case 20: names that XOR to 0 in one bucket under a known salt are noticed, because each process has its own."""
    salt = b"a known!"
    forged = forge(salt)
    assert not any(digests_of(forged, salt, 8)), "the forgery must be one"
    world = World(tombstones=0)
    world.put("stays")
    world.sync(world.a)
    for name in forged:
        world.put(name)
    client = world.joined(world.a)
    client.disconnect()
    for name in forged:
        world.delete(name)
    world.sync(world.a)
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert list(client.held) == ["stays"]


def forge(salt: bytes) -> list[str]:
    """Names whose digests are all 0 under that salt: Gaussian elimination over their 64-bit hashes."""
    basis: dict[int, tuple[int, frozenset[str]]] = {}
    number = 0
    while True:
        name, number = f"f{number}", number + 1
        hashed = key_hash(name, salt)
        if bucket_of(hashed, 8):
            continue
        names = frozenset({name})
        while hashed and (held := basis.get(hashed.bit_length())):
            hashed, names = hashed ^ held[0], names ^ held[1]
        if not hashed:
            return sorted(names)
        basis[hashed.bit_length()] = hashed, names


@pytest.mark.parametrize("buckets", [None, [], [0, 0, 1], [3, 65_535]])
def test_any_request_is_answered_once_and_ends_the_reconcile(buckets: list[int] | None) -> None:
    """What a client asks for is its own affair; buckets that do not exist are no error and no loop."""
    world = World(tombstones=0)
    client = reconciling(world)
    mute_at_digest(client)
    client.unsent = encode_message(m.KeyRequest(0, digests(client)[0].at, buckets))
    client.speak()
    world.a.settle()
    assert client.peer is not None
    assert not client.peer.subscriptions[0].is_staged
    assert not world.a.fan_out.has_work


def test_filtered_reconcile_compares_the_filters_keys_only() -> None:
    """An index that named the whole topic would ask for, and give away, keys outside the filter."""
    world = World(tombstones=0)
    for number in range(4):
        world.put(f"p{number}", node=f"n{number % 2}")
    client = world.joined(world.a, where={"node": "n0"})
    client.disconnect()
    world.delete("p0")
    world.put("p5", node="n1")
    world.sync(world.a)
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert list(client.held) == ["p2"]
    named = {key for frame in client.frames if isinstance(frame, m.KeyIndex) for key in frame.keys}
    assert named <= {"p2"}
