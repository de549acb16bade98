from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.scripted import packed
from typha.wire.errors import BadPayloadError
from typha_client.changes import Change, merge
from typha_client.replica import Replica, Staged


def filled(**values: Any) -> Replica:
    replica = Replica("pods", verify=True)
    staged = {key: Staged(number, packed(value)) for number, (key, value) in enumerate(values.items(), 1)}
    replica.commit_snapshot(staged, len(values), "c/1", "f1")
    return replica


def test_get_rv_keys_items() -> None:
    replica = filled(a={"x": 1}, b="text")
    assert replica.get("a") == {"x": 1}
    assert replica.get("none") is None
    assert replica.rv("b") == 2
    assert replica.rv("none") is None
    assert replica.keys() == ("a", "b")
    assert list(replica.items()) == [("a", 1, {"x": 1}), ("b", 2, "text")]
    assert len(replica) == 2
    assert "a" in replica


def test_get_gives_each_caller_its_own_object() -> None:
    replica = filled(a={"x": 1})
    replica.get("a")["x"] = 2
    assert replica.get("a") == {"x": 1}


def test_a_value_that_does_not_decode_names_its_key() -> None:
    replica = Replica("pods")
    replica.commit({"a": Staged(1, b"\xa2\xff\xff")}, 1)
    with pytest.raises(BadPayloadError, match="value of 'a' does not decode"):
        replica.get("a")


def test_index_follows_commits() -> None:
    replica = filled(a={"spec": {"nodeName": "n1"}}, b={"spec": {"nodeName": "n2"}}, c={"spec": {}})
    replica.add_index("node", "spec.nodeName")
    assert replica.by_index("node", "n1") == ("a",)
    replica.commit({"a": Staged(5, packed({"spec": {"nodeName": "n2"}})), "b": Staged(6, None)}, 6)
    assert replica.by_index("node", "n1") == ()
    assert replica.by_index("node", "n2") == ("a",)
    assert replica.indexes["node"].values() == ("n2",)


def test_index_of_a_list_and_of_names_with_dots() -> None:
    replica = filled(a={"ips": ["10.0.0.1", "fd00::1"], "labels": {"app.kubernetes.io/name": "web"}})
    replica.add_index("ip", "ips")
    replica.add_index("app", ("labels", "app.kubernetes.io/name"))
    assert replica.by_index("ip", "fd00::1") == ("a",)
    assert replica.by_index("app", "web") == ("a",)


def test_index_errors_say_what_to_do() -> None:
    replica = filled(a={})
    replica.add_index("node", "spec.nodeName")
    with pytest.raises(ValueError, match="already has an index 'node'"):
        replica.add_index("node", "x")
    with pytest.raises(KeyError, match=r"has no index 'zone'; declared: \['node'\]"):
        replica.by_index("zone", "x")
    with pytest.raises(ValueError, match=r"empty; write it like 'spec.nodeName'|has an empty name"):
        replica.add_index("bad", "spec..x")


def test_content_digest_ignores_order_and_rv() -> None:
    one, two = filled(a=1, b=2), filled(b=2, a=1)
    assert one.content_digest() == two.content_digest()
    assert one.rolling_digest == two.rolling_digest
    assert one.content_digest() != filled(a=1, b=3).content_digest()
    assert filled(a=1).content_digest() != filled().content_digest()


def test_older_entries_are_not_taken() -> None:
    replica = filled(a=1, b=2)
    assert replica.commit({"b": Staged(1, packed("old"))}, 9) == []
    assert replica.commit({"b": Staged(1, None)}, 9) == []
    assert replica.get("b") == 2


keys = st.sampled_from("abcdef")
staged_maps = st.dictionaries(keys, st.tuples(st.integers(1, 50), st.none() | st.integers(0, 3)))


@given(st.lists(st.tuples(st.booleans(), staged_maps), max_size=8))
def test_changes_replayed_give_the_copy(steps: list[tuple[bool, dict[str, tuple[int, int | None]]]]) -> None:
    """Whatever is committed: changes are in rv order, none is empty, and together they make what is held."""
    replica = Replica("pods", verify=True)
    replica.add_index("self", ("v",))
    seen: dict[str, bytes] = {}
    for number, (is_snapshot, step) in enumerate(steps, 1):
        staged = {
            key: Staged(rv + 50 * number, None if value is None else packed({"v": value}))
            for key, (rv, value) in step.items()
        }
        cursor = 50 * number + 50
        changes = replica.commit_snapshot(staged, cursor, "c", "f") if is_snapshot else replica.commit(staged, cursor)
        assert [change.rv for change in changes] == sorted(change.rv for change in changes)
        assert all(change.rv <= cursor for change in changes)
        for change in changes:
            assert seen.get(change.key) == change.old_encoded
            assert change.encoded != change.old_encoded
            if change.encoded is None:
                del seen[change.key]
            else:
                seen[change.key] = change.encoded
        assert {key: held.encoded for key, held in replica.entries.items()} == seen
        assert replica.rolling_digest == replica.recomputed_digest()
        assert replica.seen >= max((change.rv for change in changes), default=0)
        for value in range(4):
            wanted = {key for key in seen if replica.get(key) == {"v": value}}
            assert set(replica.by_index("self", value)) == wanted


def test_merge_of_two_changes() -> None:
    add = Change("pods", "put", "a", 1, b"1")
    update = Change("pods", "put", "a", 2, b"2", b"1")
    delete = Change("pods", "delete", "a", 3, None, b"2")
    assert merge(add, update) == Change("pods", "put", "a", 2, b"2")
    assert merge(add, Change("pods", "delete", "a", 3, None, b"1")) is None
    assert merge(update, delete) == Change("pods", "delete", "a", 3, None, b"1")
    assert merge(update, Change("pods", "put", "a", 4, b"1", b"2")) is None
    assert add.is_add
    assert update.is_update
    assert not delete.is_update


def test_a_change_says_what_it_is_without_its_values() -> None:
    change = Change("pods", "put", "a", 2, b"secret", b"hidden")
    assert repr(change) == "Change(topic='pods', op='put', key='a', rv=2)"
    with pytest.raises(AttributeError):
        change.rv = 3  # type: ignore[misc]
