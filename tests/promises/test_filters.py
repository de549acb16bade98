"""Case 17: a cursor belongs to a topic and its ``where``; nobody learns of what is outside."""

from __future__ import annotations

import pytest

from tests.kit.client import Client
from tests.kit.truth import Where
from tests.kit.world import World
from typha.wire import messages as m
from typha.wire.states import Mode

INDEXED: Where = {"node": "n0"}
ON_DEMAND: Where = {"labels": "v=0"}
BOTH: Where = {"node": "n0", "labels": "v!=1"}


def keys_named(client: Client) -> set[str]:
    """Every key in any frame that reached it."""
    indexes = [frame for frame in client.frames if isinstance(frame, m.KeyIndex)]
    return {change.key for change in client.changes_sent()} | {key for index in indexes for key in index.keys}


def test_where_change() -> None:
    """The cursor of ``node=n0`` is nothing worth for ``node=n1``: a snapshot, as one diff."""
    world = World()
    for number in range(4):
        world.put(f"p{number}", node=f"n{number % 2}")
    client = world.joined(world.a, where={"node": "n0"})
    for where in ({"node": "n1"}, {}, {"labels": "v=0"}, {"node": "n0"}):
        client.ask_for(where)
        world.move(client, world.a)
        assert client.modes == [Mode.SNAPSHOT], where
        assert client.held == world.truth.state("pods", world.truth.rv, where)
    world.move(client, world.a)
    assert client.modes == [Mode.RESUME]


@pytest.mark.parametrize("where", [INDEXED, ON_DEMAND, BOTH], ids=str)
def test_leave_filter_while_away(where: Where) -> None:
    """The entry still exists, elsewhere: its leaving is a delete at the rv of the change."""
    world = World(tombstones=10)
    world.put("leaves")
    world.put("stays")
    client = world.joined(world.a, where=where)
    client.disconnect()
    left = world.put("leaves", 1, node="n1")
    world.sync(world.a)
    world.move(client, world.a)
    assert client.modes == [Mode.RESUME]
    assert client.seen_changes() == [("delete", "leaves", left)]
    back = world.put("leaves", 0, node="n0")
    world.sync(world.a)
    world.deliver()
    assert client.seen_changes()[-1] == ("put", "leaves", back)


@pytest.mark.parametrize("where", [INDEXED, ON_DEMAND, BOTH], ids=str)
def test_leave_filter_during_relist_gap(where: Where) -> None:
    """It came into the filter and left it between two lists of A; B's client saw it inside."""
    world = World(tombstones=10)
    world.put("p", 1, node="n1")
    world.sync()
    world.joined(world.a, where=where)
    world.put("p", 0, node="n0")
    client = world.joined(world.b, where=where)
    assert list(client.held) == ["p"]
    world.put("p", 1, node="n1")
    world.truth.tick()
    world.a.relist()
    world.move(client, world.a)
    assert client.held == {}


@pytest.mark.parametrize("where", [INDEXED, ON_DEMAND, BOTH], ids=str)
@pytest.mark.parametrize("tombstones", [0, 100])
def test_filter_leaks_no_key(where: Where, tombstones: int) -> None:
    """Changes, deaths, re-lists, resumes and reconciles of what never matched: no frame names it."""
    world = World(tombstones=tombstones)
    world.put("mine")
    world.put("theirs", 1, node="n1")
    client = world.joined(world.a, where=where)
    for step in range(3):
        world.put("theirs", 1, node="n2")
        world.put("mine", 0)
        world.sync(world.a)
        world.deliver()
        client.disconnect()
        world.put("secret", 1, node="n1")
        world.put("theirs", 1, node="n1")
        world.delete("secret")
        if step == 1:
            world.delete("mine")
        if step == 2:
            world.a.relist()
        world.sync(world.a)
        world.move(client, world.a)
    assert keys_named(client) <= {"mine"}
    world.quiesce()


def test_change_outside_costs_a_filtered_subscriber_nothing() -> None:
    """5,000 nodes: a change is published to the one node that it concerns."""
    world = World()
    world.put("mine", node="n0")
    client = world.joined(world.a, where=INDEXED)
    written = client.outlet.written_bytes
    world.put("theirs", node="n1")
    world.sync(world.a)
    assert client.outlet.written_bytes == written
    world.time(11)
    world.deliver()
    assert client.cursor == world.truth.rv  # the cursor moves all the same


def test_attribute_counts_as_a_change() -> None:
    """The value's bytes are equal, only what is filtered by has changed: it has to move between the filters."""
    world = World()
    topic = world.a.pods
    topic.begin_list().commit(1, 0.0)
    topic.open(topic.parse_filter({"node": "n0"}))
    topic.put("p", 2, [("p", b"\x01", ("n0", {"v": "0"}))], 0.0)
    topic.put("p", 3, [("p", b"\x01", ("n1", {"v": "0"}))], 0.0)
    left, entered = (topic.open(topic.parse_filter({"node": node})) for node in ("n0", "n1"))
    assert (dict(left.tombstones), list(left.entries)) == ({"p": 3}, [])
    assert (dict(entered.tombstones), list(entered.entries)) == ({}, ["p"])


def test_filter_made_on_demand_knows_no_deletion_of_before() -> None:
    """B's view of the same labels did not exist when the pod left it: reconcile, not resume."""
    world = World(tombstones=10)
    world.put("p", 0)
    world.put("stays", 0)
    world.sync()
    client = world.joined(world.a, where=ON_DEMAND)
    client.disconnect()
    world.put("p", 1)
    world.sync(world.b)
    world.move(client, world.b)
    assert client.modes == [Mode.RECONCILE]
    assert list(client.held) == ["stays"]


@pytest.mark.parametrize("where", [INDEXED, ON_DEMAND, BOTH], ids=str)
def test_subscribers_of_one_filter_share_frames(where: Where) -> None:
    world = World()
    world.put("p")
    clients = [world.joined(world.a, where=where) for _ in range(3)]
    world.put("p", 0, keys=("other",))
    world.put("q")
    world.sync(world.a)
    assert len({bytes(client.outlet.buffer) for client in clients}) == 1
    assert clients[0].outlet.buffer
