from __future__ import annotations

import pytest

from tests.cache.entries import entry, value
from typha.cache.errors import FilterError
from typha.cache.filters import parse_filter
from typha.cache.log import Entry

ATTRIBUTES = ("node", "namespace", "labels")


def test_empty_where_is_no_filter() -> None:
    assert parse_filter("pods", ATTRIBUTES, {}) is None


def test_equal_wheres_are_equal_filters() -> None:
    one = parse_filter("pods", ATTRIBUTES, {"node": "n0", "labels": "a=b"})
    other = parse_filter("pods", ATTRIBUTES, {"labels": "a=b", "node": "n0"})
    assert one == other
    assert hash(one) == hash(other)


def test_every_part_must_match() -> None:
    wanted = parse_filter("pods", ATTRIBUTES, {"node": "n0", "namespace": "x", "labels": "a=b"})
    assert wanted is not None
    assert wanted.matches(entry("k", 1, 0, "n0", "x", {"a": "b"}))
    assert not wanted.matches(entry("k", 1, 0, "n1", "x", {"a": "b"}))
    assert not wanted.matches(entry("k", 1, 0, "n0", None, {"a": "b"}))
    assert not wanted.matches(entry("k", 1, 0, "n0", "x", None))


def test_labels_can_be_read_from_the_value() -> None:
    """A map for each of 100,000 entries would cost as much as the values."""
    wanted = parse_filter("pods", ATTRIBUTES, {"labels": "seven=7"})
    assert wanted is not None
    for number, matches in ((7, True), (8, False)):
        held = Entry(1, "k", value(number), ("n0", "x", lambda raw: {"seven": str(raw[0])}))
        assert wanted.matches(held) is matches


def test_one_text_is_indexed() -> None:
    for where, key in (
        ({"namespace": "x"}, (1, "x")),
        ({"node": "n0", "namespace": "x"}, None),
        ({"labels": "a"}, None),
        ({"node": "n0", "labels": "a"}, None),
    ):
        wanted = parse_filter("pods", ATTRIBUTES, where)
        assert wanted is not None
        assert wanted.index_key == key


def test_unknown_attribute_says_what_is_allowed() -> None:
    with pytest.raises(FilterError, match="topic pods has no filter 'color'; it can be filtered by node, namespace"):
        parse_filter("pods", ATTRIBUTES, {"color": "red"})
    with pytest.raises(FilterError, match="it declares no filters"):
        parse_filter("services", (), {"node": "n0"})
