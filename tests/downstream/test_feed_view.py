"""One feed's topics as one topic of KVs: joins, differences, order, slices. Topics are filled by hand."""

from __future__ import annotations

import msgpack
import pytest

from tests.downstream.viewing import CONFIG, View, holding, listed, put
from typha.cache.log import Entry
from typha.calico_wire.messages import SyncStatus, UpdateType
from typha.downstream import feed_view
from typha.wire.states import TopicState


@pytest.fixture
def ready() -> View:
    return View().ready()


# --- what it holds


def test_a_view_remembers_no_more_deletions_than_its_topics_may() -> None:
    """It remembered 50,000 whatever ``tombstones`` said: a slow growth that a soak took for a leak."""
    topics = [holding("a", tombstones=3), holding("b", 1, tombstones=3)]
    view = View(*topics).ready()
    for number in range(8):
        put(topics[0], f"k{number}", number)
        view.follow()
        topics[0].delete(f"k{number}", topics[0].head + 1, 1000.0)
        view.follow()
    view.view.topic.trim(view.view.topic.head)
    assert list(view.view.topic.log.tombstones) == ["k5", "k6", "k7"]


def test_snapshots_come_in_the_order_of_the_bytes_of_keys(ready: View) -> None:
    keys = ["b", "a\U0001f40d", "a", "a/b", "aé", "a-b", "Z", "a\uffff", "~", "a%2fb", "10", "9"]
    for number, key in enumerate(keys):
        put(ready.topics[number % 2], key, number)
    ready.follow()
    log = ready.view.topic.log
    assert [entry.key for entry in log.changes_since(None).puts] == sorted(keys, key=str.encode)
    put(ready.topics[0], "a1", 1)
    ready.topics[1].delete("a", ready.topics[1].head + 1, 1000.0)
    ready.topics[0].delete("b", ready.topics[0].head + 1, 1000.0)
    put(ready.topics[0], "10", 7)
    ready.follow()
    wanted = sorted({*keys, "a1"} - {"b"} - ({"a"} if "a" not in ready.held else set()), key=str.encode)
    assert [entry.key for entry in log.changes_since(None).puts] == wanted
    rvs = [entry.rv for entry in log.changes_since(0).puts]
    assert rvs == sorted(rvs)  # what cursors read stands in the order of changes


def test_first_new_then_updated_then_deleted_then_new_again(ready: View) -> None:
    topic = ready.topics[0]
    put(topic, "k", {"v": 1})
    assert ready.follow() == [("k", b'{"v":1}', UpdateType.NEW)]
    put(topic, "k", {"v": 2})
    assert ready.follow() == [("k", b'{"v":2}', UpdateType.UPDATED)]
    topic.delete("k", topic.head + 1, 1000.0)
    assert ready.follow() == [("k", None, UpdateType.DELETED)]
    topic.delete("k", topic.head + 1, 1000.0)
    assert ready.follow() == []
    put(topic, "k", {"v": 2})
    assert ready.follow() == [("k", b'{"v":2}', UpdateType.NEW)]


def test_revision_alone_is_no_update(ready: View) -> None:
    topic = ready.topics[0]
    put(topic, "k", {"v": 1})
    ready.follow()
    listed(topic, topic.head + 5, k={"v": 1})
    assert ready.follow() == []
    topic.apply(Entry(topic.head + 1, "k", msgpack.packb({"v": 1}), ()))  # as a change of its owner stamps it
    topic.advance(topic.head + 1, 1000.0)
    assert ready.follow() == []
    assert ready.view.skipped_total > 0
    put(topic, "k", {"v": 12})  # begins with the same bytes
    assert ready.follow() == [("k", b'{"v":12}', UpdateType.UPDATED)]


def test_empty_text_is_sent_as_what_agents_take_it_for(ready: View) -> None:
    topic = ready.topics[0]
    put(topic, CONFIG, "")
    assert ready.follow() == []
    put(topic, CONFIG, "Info")
    assert ready.follow() == [(CONFIG, b"Info", UpdateType.NEW)]
    put(topic, CONFIG, "")
    assert ready.follow() == [(CONFIG, None, UpdateType.DELETED)]


# --- one key of two topics


def test_key_of_two_topics_is_the_first_ones(ready: View) -> None:
    first, second = ready.topics
    put(second, CONFIG, "second")
    assert ready.follow() == [(CONFIG, b"second", UpdateType.NEW)]
    put(first, CONFIG, "first")
    assert ready.follow() == [(CONFIG, b"first", UpdateType.UPDATED)]
    put(second, CONFIG, "second changed")
    assert ready.follow() == []
    second.delete(CONFIG, second.head + 1, 1000.0)
    assert ready.follow() == []
    put(second, CONFIG, "second again")
    ready.follow()
    first.delete(CONFIG, first.head + 1, 1000.0)
    assert ready.follow() == [(CONFIG, b"second again", UpdateType.UPDATED)]
    second.delete(CONFIG, second.head + 1, 1000.0)
    assert ready.follow() == [(CONFIG, None, UpdateType.DELETED)]


def test_both_at_once_make_one_update(ready: View) -> None:
    first, second = ready.topics
    put(second, CONFIG, "second")
    put(first, CONFIG, "first")
    assert ready.follow() == [(CONFIG, b"first", UpdateType.NEW)]


def test_owner_that_goes_absent_leaves_the_key_to_the_other(ready: View) -> None:
    first, second = ready.topics
    put(first, CONFIG, "first")
    put(second, CONFIG, "second")
    ready.follow()
    first.set_absent(1000.0, "no such resource")
    assert ready.follow() == [(CONFIG, b"second", UpdateType.UPDATED)]


# --- what a topic loses without a word


def test_new_life_of_a_topic_is_a_difference_to_readers(ready: View) -> None:
    first, second = ready.topics
    for key in ("kept", "changed", "lost"):
        put(first, key, key)
    put(second, "other", 1)
    ready.follow()
    generation, held = ready.view.topic.generation, ready.held
    first.restart(1000.0)
    assert ready.follow() == []
    assert ready.held == held  # nothing goes before it is known
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)
    listed(first, 3, kept="kept", changed="differently", fresh=1)
    assert sorted(ready.follow()) == [
        ("changed", b"differently", UpdateType.UPDATED),
        ("fresh", b"1", UpdateType.NEW),
        ("lost", None, UpdateType.DELETED),
    ]
    assert (ready.view.topic.generation, *ready.told) == (generation, TopicState.IN_SYNC, SyncStatus.IN_SYNC)


def test_nothing_is_dropped_while_another_topic_is_incomplete(ready: View) -> None:
    """Both start anew (the cluster was restored): what the first does not have may be the second's."""
    first, second = ready.topics
    put(first, "a", 1)
    put(second, "b", 1)
    ready.follow()
    first.restart(1000.0)
    second.restart(1000.0)
    ready.follow()
    assert ready.told == (TopicState.STALE, SyncStatus.WAIT_FOR_READY)
    listed(first, 3)
    assert ready.follow() == []
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)
    listed(second, 3, b=1)
    assert ready.follow() == [("a", None, UpdateType.DELETED)]
    assert ready.told == (TopicState.IN_SYNC, SyncStatus.IN_SYNC)


def test_absent_resource_is_complete_and_empty(ready: View) -> None:
    first = ready.topics[0]
    put(first, "a", 1)
    ready.follow()
    first.set_absent(1000.0, "no such resource")
    assert ready.follow() == [("a", None, UpdateType.DELETED)]
    assert ready.told == (TopicState.IN_SYNC, SyncStatus.IN_SYNC)
    listed(first, 3, a=1)  # the CRD comes
    assert ready.follow() == [("a", b"1", UpdateType.NEW)]


def test_forgotten_deletions_are_found_by_reading_everything() -> None:
    world = View(holding("a", tombstones=1), holding("b", 1)).ready()
    topic = world.topics[0]
    for key in "abcd":
        put(topic, key, key)
    world.follow()
    for key in "abc":
        topic.delete(key, topic.head + 1, 1000.0)
        topic.trim(topic.head)
    put(topic, "e", 1)
    assert sorted(world.follow()) == [
        ("a", None, UpdateType.DELETED),
        ("b", None, UpdateType.DELETED),
        ("c", None, UpdateType.DELETED),
        ("e", b"1", UpdateType.NEW),
    ]


# --- slices


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_view, "_SLICE", 1)


@pytest.mark.usefixtures("one_by_one")
def test_changes_between_slices_are_taken_in_the_end(ready: View) -> None:
    first, second = ready.topics
    for number in range(5):
        put(first, f"a{number}", 0)
        put(second, f"b{number}", 0)
    steps = ready.view.follow()
    for number, _ in enumerate(steps):
        if number < 12:
            put(first, f"a{number % 5}", number + 1)  # also of the topic that is read already
            second.delete(f"b{number % 5}", second.head + 1, 1000.0)
            put(second, f"c{number}", number)
    while ready.view.is_behind:
        ready.follow()
    wanted = {entry.key: str(msgpack.unpackb(entry.value)) for t in ready.topics for entry in t.log.entries.values()}
    assert {key: value.decode() for key, value in ready.held.items() if value} == wanted
    ready.view.topic.check_invariants()


@pytest.mark.usefixtures("one_by_one")
def test_what_changes_behind_the_reader_is_left_to_be_read(ready: View) -> None:
    first, second = ready.topics
    put(second, "b1", 0)
    put(second, "b2", 0)
    steps = ready.view.follow()
    next(steps)  # the first topic was read
    put(first, "a", 1)
    for _ in steps:
        pass
    assert "a" not in ready.held
    assert ready.view.is_behind
    assert ready.follow() == [("a", b"1", UpdateType.NEW)]
    assert not ready.view.is_behind


@pytest.mark.usefixtures("one_by_one")
def test_new_life_between_slices_starts_the_reading_anew(ready: View) -> None:
    first = ready.topics[0]
    for number in range(5):
        put(first, f"a{number}", 0)
    steps = ready.view.follow()
    next(steps)
    first.restart(1000.0)
    for _ in steps:
        pass
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)
    listed(first, 3, a4="x")
    ready.follow()
    assert ready.held == {"a4": b"x"}


def test_first_reading_yields_in_slices() -> None:
    world = View()
    listed(world.topics[0], 5, **{f"k{number}": number for number in range(1000)})
    listed(world.topics[1], 5)
    assert sum(1 for _ in world.view.follow()) == 1000 // 64
