from __future__ import annotations

import pytest

from tests.cache.entries import entry, log_of
from typha.cache import views as views_module
from typha.cache.errors import FilterError
from typha.cache.filters import Filter, parse_filter
from typha.cache.log import Log
from typha.cache.views import Views

ATTRIBUTES = ("node", "labels", "zone")


def wanted(**where: str) -> Filter:
    found = parse_filter("pods", ATTRIBUTES, where)
    assert found is not None
    return found


def opened(views: Views, of: Filter, log: Log | None = None, head: int = 0) -> Log:
    return views.open(of, log or Log(), head).log


def test_nodes_are_indexed_from_the_first_entry_on() -> None:
    """An agent that comes from another replica resumes, also where it is the first that filters."""
    views = Views(ATTRIBUTES)
    assert list(views.put(None, entry("a", 1, 0, "n0", {}, None))) == []
    view = views.open(wanted(node="n0"), Log(), 7)
    assert (list(view.log.entries), view.horizon) == (["a"], 0)
    assert opened(views, wanted(node="n9")).is_empty


def test_other_attributes_are_indexed_for_all_values_when_the_first_reader_asks() -> None:
    views = Views(ATTRIBUTES)
    log = log_of(entry("a", 1, 0, None, {}, "z0"), entry("b", 2, 0, None, {}, "z1"), entry("c", 3, 0, None, {}, None))
    view = views.open(wanted(zone="z0"), log, 7)
    assert (list(view.log.entries), view.horizon) == (["a"], 7)
    log.put(entry("d", 8, 0, None, {}, "z1"))
    assert list(views.put(None, log.entries["d"])) == []
    other = views.open(wanted(zone="z1"), log, 9)
    assert (list(other.log.entries), other.horizon) == (["b", "d"], 7)
    assert opened(views, wanted(zone="z9")).is_empty


def test_nobody_pays_for_an_index_that_nobody_reads() -> None:
    views = Views(ATTRIBUTES)
    list(views.put(None, entry("a", 1, 0, None, {}, "z0")))
    assert list(views.logs()) == []


def test_moving_is_a_tombstone_here_and_a_put_there_at_one_rv() -> None:
    views = Views(ATTRIBUTES)
    before, after = entry("a", 1, 0, "n0", {}, None), entry("a", 2, 0, "n1", {}, None)
    list(views.put(None, before))
    (burial,) = views.put(before, after)
    left, entered = opened(views, wanted(node="n0")), opened(views, wanted(node="n1"))
    assert (burial.rv, burial.log, burial.key) == (2, left, "a")
    assert (dict(left.tombstones), entered.entries["a"]) == ({"a": 2}, after)


def test_losing_and_gaining_an_attribute() -> None:
    views = Views(ATTRIBUTES)
    unscheduled, scheduled = entry("a", 1, 0, None, None, None), entry("a", 2, 0, "n0", None, None)
    list(views.put(None, unscheduled))
    assert list(views.put(unscheduled, scheduled)) == []
    (burial,) = views.put(scheduled, entry("a", 3, 0, None, None, None))
    assert burial.rv == 3


def test_delete_buries_in_every_view_that_holds_it() -> None:
    views = Views(ATTRIBUTES)
    held = entry("a", 1, 0, "n0", {"app": "web"}, None)
    log = log_of(held)
    list(views.put(None, held))
    labelled, other = opened(views, wanted(labels="app=web"), log, 1), opened(views, wanted(labels="app=db"), log, 1)
    assert {burial.log for burial in views.delete(held, 5)} == {opened(views, wanted(node="n0")), labelled}
    assert other.is_empty


def test_on_demand_view_starts_with_what_matches_and_a_horizon() -> None:
    views = Views(ATTRIBUTES)
    log = log_of(entry("a", 1, 0, "n0", {"app": "web"}, None), entry("b", 2, 0, "n0", {"app": "db"}, None))
    view = views.open(wanted(labels="app"), log, 7)
    assert (list(view.log.entries), view.horizon) == (["a", "b"], 7)
    assert views.open(wanted(labels="app"), log, 9) is view
    both = views.open(wanted(node="n0", labels="app!=db"), log, 9)
    assert list(both.log.entries) == ["a"]


def test_number_of_views_is_bounded_and_unread_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views_module, "MAX_VIEWS", 2)
    views = Views(ATTRIBUTES)
    read = opened(views, wanted(labels="a"))
    read.readers += 1
    opened(views, wanted(labels="b"))
    other = opened(views, wanted(labels="c"))  # takes the place of b
    assert [found for found, _ in views.logs()] == [wanted(labels="a"), wanted(labels="c")]
    other.readers += 1
    with pytest.raises(FilterError, match="2 different filters are in use"):
        opened(views, wanted(labels="d"))


def test_drop_unread_keeps_what_is_read_or_holds_something() -> None:
    views = Views(ATTRIBUTES)
    held = entry("a", 1, 0, "n0", {}, None)
    list(views.put(None, held))
    opened(views, wanted(node="n1")).readers += 1
    opened(views, wanted(node="n2"))
    views.drop_unread(0.0)
    assert {found.texts[0][1] for found, _ in views.logs()} == {"n0", "n1"}


def test_drop_unread_waits_before_it_lets_a_view_go() -> None:
    """An agent that reconnects within the minute finds the history of its filter."""
    views = Views(ATTRIBUTES)
    opened(views, wanted(labels="a"))
    views.drop_unread(0.0)
    views.drop_unread(views_module.UNREAD_S - 1)
    assert len(list(views.logs())) == 1
    views.drop_unread(views_module.UNREAD_S)
    assert list(views.logs()) == []


def test_clear_keeps_the_logs_that_have_readers() -> None:
    views = Views(ATTRIBUTES)
    list(views.put(None, entry("a", 1, 0, "n0", {}, None)))
    list(views.put(None, entry("b", 2, 0, "n1", {}, None)))
    read = opened(views, wanted(node="n0"))
    read.readers += 1
    views.clear()
    assert [log for _, log in views.logs()] == [read]
    assert read.is_empty
    views.load([entry("c", 5, 0, "n0", {}, None)])
    assert list(read.entries) == ["c"]
