from __future__ import annotations

import time

import pytest

from typha.wire.states import TopicState
from typha_client.events import Bookmarked, StatusChanged
from typha_client.health import STALE_AFTER_S, TopicHealth
from typha_client.replica import Replica


def synced() -> TopicHealth:
    health = TopicHealth(Replica("pods"))
    health.replica.commit_snapshot({}, 5, "c", "f")
    assert health.bookmark(Bookmarked("pods", 5, 100.0), 100.0)
    return health


def test_unknown_until_the_first_bookmark() -> None:
    health = TopicHealth(Replica("pods"))
    assert health.age_s(5.0) is None
    assert health.is_stale(5.0)
    assert not health.is_synced


def test_age_grows_until_it_is_stale() -> None:
    health = synced()
    assert health.age_s(130.0) == 30.0
    assert not health.is_stale(100.0 + STALE_AFTER_S)
    assert health.is_stale(100.1 + STALE_AFTER_S)


def test_a_bookmark_never_makes_the_copy_older() -> None:
    health = synced()
    health.bookmark(Bookmarked("pods", 6, 90.0), 110.0)
    assert health.age_s(110.0) == 10.0
    health.bookmark(Bookmarked("pods", 6, None), 110.0)
    assert health.age_s(110.0) == 10.0


def test_the_servers_word_counts_more_than_a_bookmark() -> None:
    health = synced()
    health.status(StatusChanged("pods", TopicState.STALE, 50.0, "403"))
    assert not health.bookmark(Bookmarked("pods", 6, 110.0), 110.0)
    assert (health.state, health.message, health.is_synced) == (TopicState.STALE, "403", False)


def test_absent_is_complete() -> None:
    health = synced()
    health.status(StatusChanged("pods", TopicState.ABSENT, 50.0, "404"))
    assert health.is_synced


def test_cut_off_keeps_the_copy_and_calls_it_stale_until_a_server_speaks() -> None:
    health = synced()
    assert health.cut_off(120.0, "not_ready everywhere")
    assert not health.cut_off(121.0, "again")
    assert health.is_stale(121.0)
    health.welcomed()
    assert health.bookmark(Bookmarked("pods", 7, 130.0), 130.0)
    assert not health.is_stale(130.0)


def test_wall_clock_jump_leaves_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding 27: ages are durations on the monotonic clock; nothing here asks for the date."""
    health = synced()
    before = health.age_s(130.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert health.age_s(130.0) == before == 30.0
