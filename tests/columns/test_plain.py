"""Which fields become columns."""

from __future__ import annotations

from typing import Any, NamedTuple

from typha.columns.plain import columns_of


class Row(NamedTuple):
    key: str
    rv: int
    value: Any


def test_known_fields_first_then_the_most_common() -> None:
    rows = [
        Row("a/x", 1, {"kind": "K", "z": 1, "common": 2, "status": {"phase": "Up"}, "metadata": {"uid": "u"}}),
        Row("a/y", 2, {"kind": "K", "common": True, "list": [1]}),
    ]
    assert columns_of(rows, wide=False)[:2] == (
        ["NAMESPACE", "NAME", "STATUS", "COMMON", "Z"],
        [["a", "x", "Up", "2", "1"], ["a", "y", "<none>", "true", "<none>"]],
    )


def test_equal_names_are_told_apart() -> None:
    rows = [Row("n", 1, {"status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"}}})]
    assert columns_of(rows, wide=False)[0] == ["NAME", "ALLOCATABLE.CPU", "CAPACITY.CPU"]


def test_wide_has_labels_and_values_may_be_texts() -> None:
    entries = [Row("k", 7, "text"), Row("l", 8, {"metadata": {"labels": {"a": "b"}}})]
    headings, rows, keys = columns_of(entries, wide=True)
    assert headings == ["NAME", "VALUE", "RV", "LABELS"]
    assert rows == [["k", "text", "7", "<none>"], ["l", "<none>", "8", "a=b"]]
    assert keys == ["k", "l"]


def test_nothing() -> None:
    assert columns_of([], wide=False) == (["NAME"], [], [])
