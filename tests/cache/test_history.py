from __future__ import annotations

from tests.cache.entries import entry, log_of
from typha.cache.history import MAX_GAPS, History
from typha.cache.log import Log
from typha.cache.views import Burial


def dead(history: History, log: Log, *deaths: tuple[str, int]) -> None:
    for key, rv in deaths:
        log.delete(key, rv)
        history.bury(Burial(rv, log, key))


def test_trim_forgets_the_oldest_and_raises_the_horizon() -> None:
    history, log = History(1), log_of(entry("a", 1), entry("b", 2), entry("c", 3))
    dead(history, log, ("a", 4), ("b", 5), ("c", 6))
    history.trim(6)
    assert (dict(log.tombstones), history.horizon) == ({"c": 6}, 5)


def test_trim_keeps_what_no_round_has_published() -> None:
    history, log = History(0), log_of(entry("a", 1), entry("b", 2))
    dead(history, log, ("a", 4), ("b", 5))
    history.trim(4)
    assert (dict(log.tombstones), history.horizon) == ({"b": 5}, 4)


def test_trim_of_a_key_that_lives_again_costs_no_history() -> None:
    history, log = History(0), log_of(entry("a", 1))
    dead(history, log, ("a", 4))
    log.put(entry("a", 5))
    history.trim(5)
    assert history.horizon == 0


def test_gap_holds_only_the_cursors_between_its_borders() -> None:
    history = History(10)
    history.add_gap(5, 9)
    assert [cursor for cursor in range(12) if not history.resumable(cursor)] == [6, 7, 8]


def test_gap_without_a_cursor_inside_is_none() -> None:
    history = History(10)
    history.add_gap(5, 6)
    history.add_gap(7, 7)
    assert history.gaps == []


def test_gap_goes_when_the_horizon_passes_it() -> None:
    history = History(10)
    history.add_gap(5, 9)
    history.add_gap(20, 30)
    history.raise_horizon(9)
    assert history.gaps == [(20, 30)]
    history.raise_horizon(3)
    assert history.horizon == 9


def test_too_many_gaps_raise_the_horizon() -> None:
    history = History(10)
    for number in range(MAX_GAPS + 3):
        history.add_gap(10 * number, 10 * number + 5)
    assert len(history.gaps) == MAX_GAPS
    assert history.horizon == 25
    assert not history.resumable(24)


def test_clear_starts_anew_at_a_horizon() -> None:
    history, log = History(0), log_of(entry("a", 1))
    dead(history, log, ("a", 4))
    history.add_gap(5, 9)
    history.clear(50)
    history.trim(100)
    assert (history.horizon, history.gaps, dict(log.tombstones)) == (50, [], {"a": 4})
