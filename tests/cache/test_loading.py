"""One list into a topic, rule by rule; the histories behind the rules are in tests/promises/test_relists.py."""

from __future__ import annotations

import pytest

from tests.cache.entries import item, listed, versions
from typha.cache.errors import OutOfOrderError, RestoredError
from typha.cache.topic import Topic
from typha.wire.states import TopicState


@pytest.fixture
def topic() -> Topic:
    return listed(Topic("pods", 0, form="1", attributes=()), 10, a=(3, 0), b=(5, 0))


def test_first_list_comes_in_key_order_and_stands_in_rv_order() -> None:
    topic = listed(Topic("pods", 0, form="1"), 10, a=(7, 0), b=(3, 0), c=(5, 0))
    assert list(versions(topic.log).items()) == [("b", 3), ("c", 5), ("a", 7)]
    assert (topic.head, topic.history.horizon, topic.has_synced, topic.state) == (10, 10, True, TopicState.IN_SYNC)


def test_nothing_changes_before_commit(topic: Topic) -> None:
    loading = topic.begin_list()
    loading.put("a", 12, [item("a", 1)])
    loading.quarantine("b", 13, "bad")
    assert versions(topic.log) == {"a": 3, "b": 5}
    assert (topic.head, topic.quarantined) == (10, {})


def test_above_head_moves_even_at_equal_bytes(topic: Topic) -> None:
    listed(topic, 20, a=(15, 0), b=(5, 0))
    assert versions(topic.log) == {"b": 5, "a": 15}


def test_at_or_below_head_with_other_bytes_takes_the_lists_rv(topic: Topic) -> None:
    listed(topic, 20, a=(3, 0), b=(5, 9))
    assert versions(topic.log) == {"a": 3, "b": 20}
    assert topic.restamped_total == 1


def test_key_at_or_below_head_that_was_not_held_takes_the_lists_rv(topic: Topic) -> None:
    listed(topic, 20, a=(3, 0), b=(5, 0), c=(4, 0))
    assert versions(topic.log)["c"] == 20


def test_what_the_list_lacks_dies_at_its_rv_and_leaves_a_gap(topic: Topic) -> None:
    listed(topic, 20, b=(5, 0))
    assert dict(topic.log.tombstones) == {"a": 20}
    assert topic.history.gaps == [(10, 20)]
    assert (topic.history.horizon, topic.head) == (10, 20)


def test_list_at_the_head_is_no_gap(topic: Topic) -> None:
    listed(topic, 10, a=(3, 0), b=(5, 0))
    assert topic.history.gaps == []


def test_list_below_the_head_is_a_restore(topic: Topic) -> None:
    with pytest.raises(RestoredError, match="list's resourceVersion 9 is below 10"):
        listed(topic, 9, a=(3, 0))
    assert versions(topic.log) == {"a": 3, "b": 5}


def test_object_below_the_rv_seen_is_a_restore(topic: Topic) -> None:
    with pytest.raises(RestoredError, match="resourceVersion of b: 4 is below 5"):
        listed(topic, 30, b=(4, 0))


def test_the_first_list_of_a_new_life_is_no_restore(topic: Topic) -> None:
    topic.restart(0.0)
    listed(topic, 2, a=(1, 0))
    assert (topic.head, topic.history.horizon) == (2, 2)


def test_same_object_twice_newest_counts(topic: Topic) -> None:
    loading = topic.begin_list()
    loading.put("a", 3, [item("a", 0)])
    loading.put("b", 5, [item("b", 0)])
    loading.put("a", 14, [item("a", 7)])
    loading.commit(20, 0.0)
    assert versions(topic.log) == {"b": 5, "a": 14}


def test_quarantined_in_the_list_has_no_value(topic: Topic) -> None:
    loading = topic.begin_list()
    loading.put("a", 3, [item("a", 0)])
    loading.quarantine("a", 14, "no node name")
    loading.put("b", 5, [item("b", 0)])
    loading.quarantine("c", 15, "no node name")
    loading.delete("c")
    loading.commit(20, 0.0)
    assert versions(topic.log) == {"b": 5}
    assert topic.quarantined == {"a": (14, "no node name")}


def test_equal_bytes_are_not_kept_twice(topic: Topic) -> None:
    loading = topic.begin_list()
    loading.put("a", 3, [item("a", 0)])
    loading.put("b", 5, [item("b", 0)])
    assert loading._changed == {}


def test_claims_are_settled_over_the_whole_list_whatever_its_order() -> None:
    for order in (("x", "y"), ("y", "x")):
        topic = Topic("pools", 0, form="1", keys_of=None)
        loading = topic.begin_list()
        for name in order:
            loading.put(name, 3 if name == "x" else 2, [item("cidr", ord(name) % 100)])
        loading.commit(5, 0.0)
        assert versions(topic.log) == {"cidr": 3}
        assert list(topic.quarantined) == ["y"]


def test_list_of_before_a_restart_is_not_applied() -> None:
    topic = Topic("pods", 0, form="1")
    first = topic.begin_list()
    first.put("a", 1, [("a", b"\x01", ())])
    first.commit(5, 0.0)
    late = topic.begin_list()
    late.put("a", 1, [("a", b"\x01", ())])
    topic.restart(1.0)
    with pytest.raises(OutOfOrderError):
        late.commit(9, 2.0)
    assert not topic.has_synced
    assert topic.log.is_empty
