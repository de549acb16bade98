from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cache.entries import item, listed, versions
from typha.cache.errors import OutOfOrderError
from typha.cache.log import NO_VALUE
from typha.cache.topic import Topic, in_items
from typha.wire.states import TopicState


@pytest.fixture
def topic() -> Topic:
    return listed(Topic("pods", 0, form="1", tombstone_limit=10), 10, a=(3, 0), b=(5, 0))


def test_put_delete_and_head(topic: Topic) -> None:
    topic.put("a", 11, [item("a", 1)], 1.0)
    topic.delete("b", 12, 2.0)
    assert versions(topic.log) == {"a": 11}
    assert (dict(topic.log.tombstones), topic.head, topic.contact_at) == ({"b": 12}, 12, 2.0)


def test_unchanged_value_moves_only_the_head(topic: Topic) -> None:
    topic.put("a", 11, [item("a", 0)], 0.0)
    assert (versions(topic.log), topic.head, topic.unchanged_total) == ({"a": 3, "b": 5}, 11, 1)


@pytest.mark.parametrize("rv", [9, 10])
def test_event_at_or_below_the_head_is_out_of_order(topic: Topic, rv: int) -> None:
    acts: list[Callable[[], None]] = [
        lambda: topic.put("a", rv, [item("a", 1)], 0.0),
        lambda: topic.delete("a", rv, 0.0),
        lambda: topic.quarantine("a", rv, "bad", 0.0),
    ]
    for act in acts:
        with pytest.raises(OutOfOrderError) as error:
            act()
        assert (error.value.rv, error.value.head) == (rv, 10)
    assert versions(topic.log) == {"a": 3, "b": 5}


def test_bookmark_below_the_head_says_nothing_new(topic: Topic) -> None:
    topic.advance(8, 4.0)
    assert (topic.head, topic.contact_at) == (10, 4.0)
    topic.advance(15, 5.0)
    assert topic.head == 15


def test_deletion_of_what_is_not_held_leaves_no_tombstone(topic: Topic) -> None:
    topic.delete("never", 11, 0.0)
    assert (dict(topic.log.tombstones), topic.head) == ({}, 11)


def test_quarantine_deletes_and_a_good_version_heals(topic: Topic) -> None:
    topic.quarantine("a", 11, "no node", 0.0)
    assert (dict(topic.log.tombstones), topic.quarantined) == ({"a": 11}, {"a": (11, "no node")})
    topic.put("a", 12, [item("a", 0)], 0.0)
    assert (versions(topic.log)["a"], topic.quarantined) == (12, {})


def test_state_since_moves_only_with_the_state(topic: Topic) -> None:
    heard: list[TopicState] = []
    topic.listener = lambda changed: heard.append(changed.state)
    topic.set_state(TopicState.STALE, 5.0, "403")
    topic.set_state(TopicState.STALE, 6.0, "still 403")
    topic.set_state(TopicState.STALE, 7.0, "still 403")
    assert (topic.state_since_at, topic.state_message, len(heard)) == (5.0, "still 403", 2)


def test_absent_is_empty_complete_and_without_history(topic: Topic) -> None:
    generation = topic.generation
    topic.set_absent(1.0, "404")
    topic.set_absent(2.0, "404")
    assert (topic.state, topic.has_synced, topic.head, topic.log.is_empty) == (TopicState.ABSENT, True, 0, True)
    assert topic.generation == generation + 1
    listed(topic, 20, c=(15, 0))
    assert (topic.state, versions(topic.log)) == (TopicState.IN_SYNC, {"c": 15})
    assert not topic.resumable(10)


def test_restart_forgets_everything_and_tells(topic: Topic) -> None:
    topic.quarantine("a", 11, "bad", 0.0)
    topic.restart(3.0)
    assert (topic.head, topic.has_synced, topic.log.is_empty, topic.quarantined) == (0, False, True, {})
    assert (topic.state, topic.state_message) == (TopicState.SYNCING, "the cluster has a new life")


def test_unordered_topic_resumes_nothing(topic: Topic) -> None:
    assert topic.resumable(10)
    topic.mark_unordered()
    assert not topic.resumable(10)


def test_value_bytes_follow_what_is_held(topic: Topic) -> None:
    def held() -> int:
        return sum(entry.size for entry in topic.log.entries.values())

    assert topic.value_bytes == held()
    assert topic.saved_bytes == sum(entry.saved for entry in topic.log.entries.values())
    topic.put("c", 11, [("c", b"\xa5hello", ())], 0.0)
    topic.put("c", 12, [("c", b"\xa1h", ())], 0.0)
    topic.delete("a", 13, 0.0)
    assert topic.value_bytes == held()
    assert topic.saved_bytes == sum(entry.saved for entry in topic.log.entries.values())
    topic.restart(0.0)
    assert (topic.value_bytes, topic.saved_bytes) == (0, 0)


def test_keys_of_one_object_change_at_one_rv() -> None:
    topic = Topic("nodes", 0, form="1", keys_of=lambda name: [f"{name}/{part}" for part in "xyz"])
    topic.begin_list().commit(1, 0.0)
    topic.put("n", 2, [item("n/x"), item("n/y")], 0.0)
    topic.put("n", 3, [item("n/z"), item("n/y")], 0.0)
    assert versions(topic.log) == {"n/y": 2, "n/z": 3}
    assert dict(topic.log.tombstones) == {"n/x": 3}
    topic.delete("n", 4, 0.0)
    assert dict(topic.log.tombstones) == {"n/x": 3, "n/y": 4, "n/z": 4}


def test_statistics_count(topic: Topic) -> None:
    topic.put("c", 11, [item("c", 1)], 0.0)
    topic.put("c", 12, [item("c", 1)], 0.0)
    topic.delete("a", 13, 0.0)
    seen = topic.statistics()
    assert (seen.entries, seen.tombstones, seen.puts, seen.deletes, seen.unchanged) == (2, 1, 3, 1, 1)
    assert (seen.head, seen.horizon, seen.gaps) == (13, 10, ())


def test_check_invariants_names_the_broken_rule(topic: Topic) -> None:
    topic.check_invariants()
    topic.log.tombstones["a"] = 11
    topic.head = 11
    with pytest.raises(AssertionError, match="a key lives and is dead"):
        topic.check_invariants()
    topic.log.tombstones.clear()
    topic.head = 4
    with pytest.raises(AssertionError, match="above the head"):
        topic.check_invariants()
    topic.head = 11
    topic.log.entries["a"] = topic.log.entries.pop("a")
    with pytest.raises(AssertionError, match="not in order"):
        topic.check_invariants()


def test_keys_in_items_go_without_a_map_of_names() -> None:
    """A pod's key holds its node: the items name it also when there is no value, and so does a deletion."""
    topic = Topic("endpoints", 0, form="1", keys_of=in_items)
    loading = topic.begin_list()
    loading.put("a", 2, [item("n0/a", 1)])
    loading.put("b", 3, [("n0/b", NO_VALUE, ())])
    loading.put("c", 4, [item("n0/c", 1)])
    loading.delete("c", ["n0/c"])
    loading.put("d", 4, [item("n0/d", 1)])
    loading.quarantine("d", 4, "bad", ["n0/d"])
    loading.commit(5, 0.0)
    assert versions(topic.log) == {"n0/a": 2}
    topic.put("b", 6, [item("n0/b", 1)], 0.0)
    topic.put("a", 7, [("n0/a", NO_VALUE, ())], 0.0)
    assert versions(topic.log) == {"n0/b": 6}
    assert dict(topic.log.tombstones) == {"n0/a": 7}
    topic.quarantine("b", 8, "bad", 0.0, ["n0/b"])
    assert dict(topic.log.tombstones) == {"n0/a": 7, "n0/b": 8}
    topic.put("b", 9, [item("n0/b", 1)], 0.0)
    topic.delete("b", 10, 0.0, ["n0/b"])
    assert topic.log.tombstones["n0/b"] == 10
    assert list(topic.quarantined) == ["d"]
    topic.check_invariants()


def fresh(text: str) -> str:
    """An equal text, but an object of its own, as every decoded one is."""
    return bytes(text, "ascii").decode()


def test_a_key_is_one_text_in_every_log_and_tombstone() -> None:
    """Churn would otherwise leave each key twice: what digests and tombstones hold, and what entries do."""
    topic = listed(Topic("t", 0, form="1", attributes=("node",)), 1)
    for rv, number in ((2, 1), (3, 2)):
        key = fresh("a/x")
        topic.put(key, rv, [item(key, number, fresh("n0"))], 0.0)
    entry = topic.log.entries["a/x"]
    (held,) = topic.log.entries
    by_node = topic.open(topic.parse_filter({"node": "n0"}))
    (in_view,) = by_node.entries
    assert held is in_view
    assert held is entry.key
    topic.delete(fresh("a/x"), 4, 0.0)
    texts = [*topic.log.tombstones, *by_node.tombstones, *(burial.key for burial in topic.history._order)]
    assert len(texts) == 4
    assert all(text is entry.key for text in texts)
