from __future__ import annotations

from tests.cache.entries import entry, log_of, value
from typha.cache.log import Log


def test_a_change_moves_its_key_to_the_end() -> None:
    log = log_of(entry("a", 1), entry("b", 2))
    log.put(entry("a", 3))
    assert [(held.key, held.rv) for held in log.entries.values()] == [("b", 2), ("a", 3)]
    assert log.last_rv == 3


def test_a_key_is_alive_or_dead_never_both() -> None:
    log = log_of(entry("a", 1))
    assert log.delete("a", 2)
    assert (dict(log.entries), dict(log.tombstones)) == ({}, {"a": 2})
    log.put(entry("a", 3))
    assert (list(log.entries), dict(log.tombstones)) == (["a"], {})


def test_deleting_what_is_not_held_leaves_no_tombstone() -> None:
    log = Log()
    assert not log.delete("a", 2)
    assert (log.is_empty, log.last_rv, log.change_count) == (True, 0, 0)


def test_changes_since_walks_both_back_to_the_rv() -> None:
    log = log_of(entry("a", 1), entry("b", 2), entry("c", 3), entry("d", 4))
    log.delete("b", 5)
    log.put(entry("a", 6))
    log.delete("c", 7)
    for start, puts, deletes in (
        (None, ["d", "a"], []),
        (0, ["d", "a"], ["b", "c"]),
        (4, ["a"], ["b", "c"]),
        (5, ["a"], ["c"]),
        (6, [], ["c"]),
        (7, [], []),
    ):
        changes = log.changes_since(start)
        assert [put.key for put in changes.puts] == puts, start
        assert [key for key, _ in changes.deletes] == deletes, start


def test_forget_tombstone_only_of_that_death() -> None:
    log = log_of(entry("a", 1))
    log.delete("a", 2)
    log.put(entry("a", 3))
    log.delete("a", 4)
    assert not log.forget_tombstone("a", 2)
    assert log.forget_tombstone("a", 4)
    assert log.is_empty


def test_load_replaces_everything_and_counts_as_a_change() -> None:
    log = log_of(entry("a", 1))
    log.delete("a", 2)
    before = log.change_count
    log.load([entry("b", 9)])
    assert (list(log.entries), dict(log.tombstones), log.last_rv) == (["b"], {}, 9)
    assert log.change_count > before
    log.load([])
    assert log.last_rv == 0


def test_holds_compares_value_and_attributes() -> None:
    held = entry("kéy", 7, 5, "n0", {"app": "web"})
    assert held.holds(value(5), ("n0", {"app": "web"}))
    assert not held.holds(value(6), ("n0", {"app": "web"}))
    assert not held.holds(value(5), ("n1", {"app": "web"}))
    assert not held.holds(value(5), ("n0", {"app": "db"}))
    assert not held.holds(b"\x00" + value(5), ("n0", {"app": "web"}))  # a longer value with the same end


def test_digests_follow_births_and_deaths() -> None:
    log = log_of(entry("a", 1))
    table = log.digests(b"saltsalt")
    log.put(entry("b", 2))
    log.put(entry("b", 3))
    log.delete("a", 4)
    log.put(entry("c", 5))
    assert log.digests(b"saltsalt") is table
    fresh = log_of(entry("b", 3), entry("c", 5)).digests(b"saltsalt")
    assert table.digests == fresh.digests
    assert log.digests(b"other...").salt == b"other..."
