"""Figures of every second, made of two pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.observe.pictures import LATENCY, PODS, picture
from typha.observe.history import KEPT_S, History
from typha.observe.status import Published, Status


def with_counts(puts: int, deletes: int, sent: int, *, has_synced: bool = True) -> Status:
    topic = replace(PODS, puts_total=puts, deletes_total=deletes, has_synced=has_synced)
    made = picture(topic)
    return replace(made, server=replace(made.server, bytes_sent_total=sent))


def published(status: Status | None, at: float) -> Published:
    return Published(status, at, at)


def test_rates_are_per_second_whatever_lies_between() -> None:
    history = History()
    history.add(published(with_counts(10, 0, 1000), 100.0))
    history.add(published(with_counts(16, 2, 5000), 102.0))
    (sample,) = history.samples
    assert (sample.number, sample.at, sample.changes_per_s, sample.sent_bytes_per_s) == (1, 102.0, 4.0, 2000.0)
    assert history.rates["pods"] == (3.0, 1.0)
    assert (sample.subscribers, sample.entries) == (2, 3)


def test_a_first_list_is_no_change() -> None:
    history = History()
    history.add(published(with_counts(0, 0, 0, has_synced=False), 100.0))
    history.add(published(with_counts(100_000, 0, 0), 101.0))
    assert history.samples[-1].changes_per_s == 0
    history.add(published(with_counts(100_003, 0, 0), 102.0))
    assert history.samples[-1].changes_per_s == 3


def test_pictures_too_close_to_the_last_are_left_out() -> None:
    history = History()
    for at in (100.0, 100.1, 100.5, 101.0, 101.2, 102.0):
        history.add(published(with_counts(0, 0, 0), at))
    assert [sample.at for sample in history.samples] == [101.0, 102.0]
    history.add(published(None, 110.0))
    assert len(history.samples) == 2


def test_ten_minutes_are_kept() -> None:
    history = History()
    for second in range(2 * KEPT_S):
        history.add(published(with_counts(second, 0, 0), float(second)))
    assert len(history.samples) in (KEPT_S, KEPT_S + 1)
    assert history.samples[-1].number == 2 * KEPT_S - 1


def test_a_page_has_what_is_new_and_ages_instead_of_times() -> None:
    history = History()
    for second in range(4):
        history.add(published(with_counts(second, 0, 0), 100.0 + second))
    page = history.page(after=2, now=103.5)
    assert page["fields"][:3] == ["number", "age_s", "changes_per_s"]
    assert [row[:3] for row in page["samples"]] == [(3, 0.5, 1.0)]
    assert page["topics"] == {"pods": (1.0, 0.0)}


def test_latency_is_of_what_happened_between_the_two() -> None:
    history = History()
    quiet = replace(picture(PODS), server=replace(picture(PODS).server, event_to_socket=LATENCY))
    history.add(published(quiet, 100.0))
    history.add(published(quiet, 101.0))
    assert (history.samples[-1].p50_s, history.samples[-1].p99_s) == (None, None)
    counts = list(LATENCY.counts)
    counts[3] += 10  # 5 to 10 ms
    counts[-1] += 1  # above the last bound
    busy = replace(quiet, server=replace(quiet.server, event_to_socket=LATENCY._replace(counts=tuple(counts))))
    history.add(published(busy, 102.0))
    assert history.samples[-1].p50_s == pytest.approx(0.00775)
    assert history.samples[-1].p99_s == LATENCY.bounds_s[-1]
