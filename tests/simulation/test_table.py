"""Table: bytes ready to serve, history by rv, rows of the past."""

from __future__ import annotations

from random import Random

import msgspec

from tests.simulation.api_client import pod
from typha.simulation.store import Store
from typha.simulation.table import key_range, rest_of, stamp


def test_stamp_and_rest() -> None:
    tail = stamp(41, b'"name":"a"}}')
    assert msgspec.json.decode(b"{" + tail) == {"metadata": {"resourceVersion": "41", "name": "a"}}
    assert rest_of(tail) == b'"name":"a"}}'


def test_key_range_keeps_namespaces_apart() -> None:
    keys = sorted(["a/x", "a/y", "a-b/x", "ab/x"])
    start, end = key_range(keys, "a", "", by=str)
    assert keys[start:end] == ["a/x", "a/y"]
    start, end = key_range(keys, "a", "a/x", by=str)
    assert keys[start:end] == ["a/y"]
    assert key_range(keys, "zz", "", by=str) == (4, 4)


def test_rows_of_the_past_equal_what_was_there() -> None:
    random = Random(11)
    store = Store()
    past: dict[int, list[tuple[str, bytes]]] = {}
    for number in range(200):
        keys = sorted(store.table("pods").objects)
        choice = random.random()
        if choice < 0.4 or not keys:
            store.create("pods", pod(f"p{number}"))
        elif choice < 0.7:
            store.replace("pods", pod(random.choice(keys).split("/")[1], node=f"n{number}"))
        else:
            store.delete("pods", random.choice(keys))
        past[store.resource_version] = [(row.key, row.tail) for row in store.list_page("pods").rows]
    table = store.table("pods")
    for rv, rows in past.items():
        assert [(row.key, row.tail) for row in table.rows_at(rv, keep=False)] == rows


def test_history_is_trimmed_and_says_from_where() -> None:
    store = Store(history_limit=3)
    for number in range(7):
        store.create("pods", pod(f"p{number}"))
    table = store.table("pods")
    assert [event.rv for event in table.events] == [5, 6, 7, 8]
    assert (table.trimmed_rv, table.lost_rv) == (4, 4)
    assert [event.rv for event in table.events_after(6, 1)] == [7]


def test_compaction_without_events_loses_nothing_for_watches_that_run() -> None:
    store = Store()
    store.create("nodes", {"metadata": {"name": "n"}})
    store.compact()
    table = store.table("pods")
    assert (table.trimmed_rv, table.lost_rv) == (2, 0)


def test_lines_are_joined_once_for_all() -> None:
    store = Store()
    store.create("pods", pod("a"))
    store.delete("pods", "default/a")
    table = store.table("pods")
    lines = table.lines(table.events)
    assert lines is table.lines(list(table.events))
    first, second = map(msgspec.json.decode, lines.splitlines())
    assert (first["type"], second["type"]) == ("ADDED", "DELETED")
    assert first["object"]["kind"] == "Pod"
    assert second["object"]["metadata"]["resourceVersion"] == "3"


def test_rows_kept_for_a_list_outlive_the_history_until_forgotten() -> None:
    store = Store(history_limit=2)
    store.create("pods", pod("a"))
    table = store.table("pods")
    rows = table.rows_at(2, keep=True)
    for number in range(9):
        store.replace("pods", pod("a", node=f"n{number}"))
    assert table.can_serve(2)
    assert table.rows_at(2, keep=True) is rows
    table.forget(2)
    assert not table.can_serve(2)
