"""What a re-list may have missed: born and deleted, there and back, deleted and made again, handed from key to key."""

from __future__ import annotations

import pytest

from tests.kit.invariants import check_server
from tests.kit.world import World
from typha.cache.topic import Topic
from typha.wire.states import Mode


def test_born_and_deleted_during_relist_gap() -> None:
    """Case 1: A never knew ``b`` and keeps no tombstone of it; the client of B that holds it moves to A."""
    world = World()
    world.put("a")
    world.sync()
    world.put("b")
    client = world.joined(world.b)
    world.delete("b")
    world.truth.tick()
    world.a.relist()
    assert world.a.pods.log.tombstones == {}
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert list(client.held) == ["a"]


def test_gap_borders() -> None:
    """Cursors H and L resume, those strictly between are reconciled; all of them end with the truth."""
    world = World()
    world.put("a")
    world.sync()
    low = world.truth.rv
    clients = {low: world.joined(world.b)}
    clients[low].disconnect()
    for step in range(4):
        if step == 2:
            world.delete("b")
        else:
            world.put("b", step)
        clients[world.truth.rv] = world.joined(world.b)
        clients[world.truth.rv].disconnect()
    high = world.truth.rv
    world.a.relist()
    assert world.a.pods.history.gaps == [(low, high)]
    for cursor, client in clients.items():
        world.move(client, world.a)
        assert client.modes == [Mode.RESUME if cursor in {low, high} else Mode.RECONCILE], cursor
    world.quiesce()


def test_a_b_a_over_relist() -> None:
    """Case 2: the bytes are those of before, but they changed twice; who saw the middle must get them again."""
    world = World()
    world.put("a", 0)
    world.sync()
    world.put("a", 1)
    client = world.joined(world.b)
    world.put("a", 0)
    world.a.relist()
    assert world.a.pods.log.entries["a"].rv == world.truth.rv
    check_server(world.a)
    world.move(client, world.a)
    assert client.held == world.truth.state("pods", world.truth.rv)


def test_delete_recreate_over_relist() -> None:
    """The object is another one with the same bytes: who saw its death must see it born again."""
    world = World()
    world.put("a", 0)
    world.put("z", 0)
    world.sync()
    world.delete("a")
    client = world.joined(world.b)
    assert "a" not in client.held
    world.put("a", 0)
    world.a.relist()
    check_server(world.a)
    world.move(client, world.a)
    assert sorted(client.held) == ["a", "z"]


def test_first_list_horizon() -> None:
    """A fresh replica knows no deletion from before its list: it never answers ``resume`` below."""
    world = World()
    world.put("a")
    world.put("b")
    client = world.joined(world.b)
    world.delete("b")
    world.put("c")
    world.a.relist()
    assert not any(world.a.pods.resumable(cursor) for cursor in range(world.truth.rv))
    assert world.a.pods.resumable(world.truth.rv)
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert sorted(client.held) == ["a", "c"]


def test_unchanged_below_head_stays_where_it_is_over_a_relist() -> None:
    """Else every re-list would send the whole topic to everyone who resumes."""
    world = World()
    stays = world.put("a")
    client = world.joined(world.a)
    world.truth.tick()
    world.a.relist()
    assert world.a.pods.log.entries["a"].rv == stays
    world.deliver()
    assert client.seen_changes() == []


def test_differing_below_head_takes_the_lists_rv_and_is_counted() -> None:
    """It should not happen; if it does (a converter that is no pure function), everybody must hear of it."""
    topic = Topic("pods", 0, form="1")
    for list_rv, value in ((5, b"\xa3old"), (9, b"\xa3new"), (12, b"\xa3new")):
        loading = topic.begin_list()
        loading.put("a", 2, [("a", value, ())])  # in the last list below the rv that it was given: no restore
        loading.put("z", 3, [("z", b"\xa1z", ())])
        loading.commit(list_rv, 0.0)
    assert {key: held.rv for key, held in topic.log.entries.items()} == {"z": 3, "a": 9}
    assert topic.restamped_total == 1


def test_more_gaps_than_are_kept_raise_the_horizon() -> None:
    world = World(tombstones=1000)
    world.put("a")
    world.sync()
    for _ in range(20):
        world.put("a", world.truth.rv)
        world.put("a", world.truth.rv)
        world.a.relist()
        check_server(world.a)
    assert len(world.a.pods.history.gaps) == 16
    assert world.a.pods.history.horizon > 0


def test_object_renames_its_key() -> None:
    """Findings 21, 22: keys do not follow from the name, so the topic must know which ones the object gave before."""
    world = World()
    world.put("h", keys=("old", "stays"))
    client = world.joined(world.a, "hosts")
    renamed = world.put("h", keys=("new", "stays"))
    world.sync()
    world.deliver()
    assert client.seen_changes() == [("delete", "h.old", renamed), ("put", "h.new", renamed)]
    world.put("h", keys=())  # a config field is removed: no key at all
    world.sync()
    world.deliver()
    assert client.held == {}


def test_object_renames_its_key_over_relist() -> None:
    world = World()
    world.put("h", keys=("old",))
    client = world.joined(world.a, "hosts")
    world.put("h", keys=("new",))
    world.a.relist()
    world.deliver()
    assert list(client.held) == ["h.new"]
    world.quiesce()


def pools(**held: str) -> list[tuple[str, bytes, tuple[()]]]:
    return [(key, b"\xa1" + value.encode(), ()) for key, value in held.items()]


def test_key_handed_over() -> None:
    """Case 21: A's rename frees the CIDR, B takes it, A is deleted afterwards: the key stays B's."""
    topic = Topic("pools", 0, form="1", keys_of=None)
    topic.begin_list().commit(1, 0.0)
    topic.put("a", 2, pools(cidr="a"), 0.0)
    topic.put("a", 3, pools(other="a"), 0.0)
    topic.put("b", 4, pools(cidr="b"), 0.0)
    topic.delete("a", 5, 0.0)
    assert {key: entry.rv for key, entry in topic.log.entries.items()} == {"cidr": 4}
    assert dict(topic.log.tombstones) == {"other": 5}
    topic.check_invariants()


def test_key_claimed_by_two_living_objects_is_settled_by_name_and_told() -> None:
    """Whoever comes first: the lowest name owns it, the other has no value, and cursors end to suffice."""
    for order in (("a", "b"), ("b", "a")):
        topic = Topic("pools", 0, form="1", keys_of=None)
        topic.begin_list().commit(1, 0.0)
        for rv, name in enumerate(order, 2):
            topic.put(name, rv, pools(cidr=name), 0.0)
        assert topic.log.entries["cidr"].value.endswith(b"\xa1a")
        assert list(topic.quarantined) == ["b"]
        assert "belongs to a" in topic.quarantined["b"].reason
        topic.delete("a", 4, 0.0)
        assert topic.log.entries["cidr"].value.endswith(b"\xa1b")
        assert topic.log.entries["cidr"].rv == 4
        assert topic.quarantined == {}
        assert not topic.resumable(4)
        topic.check_invariants()


def contested() -> Topic:
    return Topic("pools", 0, form="1", keys_of=None, may_be_contested=lambda name, key: True)


def test_key_that_two_objects_can_claim_takes_the_lists_rv() -> None:
    """The heir's value came @4; a later replica finds its object @3, below a cursor of 3 that saw another."""
    watched, fresh = contested(), contested()
    watched.begin_list().commit(1, 0.0)
    watched.put("a", 2, pools(cidr="a"), 0.0)
    watched.put("b", 3, pools(cidr="b"), 0.0)
    watched.delete("a", 4, 0.0)
    loading = fresh.begin_list()
    loading.put("b", 3, pools(cidr="b"))
    loading.commit(6, 0.0)
    assert (watched.log.entries["cidr"].rv, fresh.log.entries["cidr"].rv) == (4, 6)
    assert watched.resumable(3)
    assert fresh.resumable(6)
    assert fresh.statistics().restamped == 0


def test_key_that_changed_hands_twice_between_two_lists_moves_to_the_list() -> None:
    """b's key went to a and came back, both unseen: equal bytes, and yet a reader elsewhere may have seen a's."""
    topic = contested()
    for at in (5, 9):
        loading = topic.begin_list()
        loading.put("b", 3, pools(cidr="b"))
        loading.commit(at, 0.0)
        assert topic.log.entries["cidr"].rv == at
    topic.put("b", 10, pools(cidr="B"), 0.0)
    assert topic.log.entries["cidr"].rv == 10
    topic.check_invariants()


def test_deleted_object_that_never_converted() -> None:
    """The DELETED event's object does not convert: its keys are known without it."""
    world = World()
    world.put("h", keys=("x", "y"))
    world.bad("never")
    client = world.joined(world.a, "hosts")
    gone = world.delete("never")
    world.bad("h")
    world.delete("h")
    world.sync()
    world.deliver()
    assert client.held == {}
    assert [change[0] for change in client.seen_changes()] == ["delete", "delete"]
    assert world.a.pods.quarantined == {}
    assert all(rv != gone for _, _, rv in client.seen_changes())


def test_list_that_fails_leaves_no_trace() -> None:
    """A 410 in mid-list: what was loaded is dropped, the next list decides alone."""
    world = World()
    world.put("a")
    client = world.joined(world.a)
    loading = world.a.pods.begin_list()
    loading.put("ghost", 90, [("ghost", b"\xc0", ("n0", {"v": "0"}))])
    world.a.settle()
    world.deliver()
    assert client.seen_changes() == []
    world.a.relist()
    world.quiesce()


@pytest.mark.parametrize("last", ["delete", "put", "quarantine"])
def test_watchlist_edits_the_list_being_loaded(last: str) -> None:
    """Case 29: until ``initial-events-end`` a WatchList may bring MODIFIED and DELETED."""
    topic = Topic("pods", 0, form="1")
    loading = topic.begin_list()
    loading.put("a", 2, [("a", b"\x01", ())])
    loading.put("a", 5, [("a", b"\x02", ())])
    if last == "delete":
        loading.delete("a")
    elif last == "quarantine":
        loading.quarantine("a", 6, "bad")
    loading.commit(7, 0.0)
    assert {key: (entry.rv, entry.value[-1]) for key, entry in topic.log.entries.items()} == (
        {"a": (5, 2)} if last == "put" else {}
    )
    assert list(topic.quarantined) == (["a"] if last == "quarantine" else [])
    assert topic.head == 7
