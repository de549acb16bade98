"""Quantiles of a window that slides over a histogram's totals."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.downstream.statistics import KVS_BOUNDS, LATENCY_BOUNDS_S, Histogram
from typha.drop_in.summary import NOTHING, QUANTILES, SLICES, SummaryValue, Window, Windows


class Watched:
    """A stage's histogram and its window."""

    def __init__(
        self, bounds: tuple[float, ...] = LATENCY_BOUNDS_S, *, now: float = 0.0, window_s: float = 10.0
    ) -> None:
        self.histogram = Histogram(bounds)
        self.window = Window(bounds, now=now, window_s=window_s)

    def observe(self, *values: float) -> None:
        for value in values:
            self.histogram.observe(value)

    def value(self, now: float) -> SummaryValue:
        return self.window.value(self.histogram.counts, self.histogram.sum, now)


def test_nothing_has_no_quantiles() -> None:
    value = Watched().value(0.0)
    assert (value.count, value.sum) == (0, 0.0)
    assert all(math.isnan(each) for each in value.quantiles)
    assert len(NOTHING.quantiles) == len(QUANTILES)


def test_a_quantile_lies_in_a_straight_line_within_its_bucket() -> None:
    watched = Watched(KVS_BOUNDS)
    watched.observe(*(10.0 for _ in range(50)), *(100.0 for _ in range(50)))
    value = watched.value(0.0)
    assert (value.count, value.sum) == (100, 5500.0)
    assert value.quantiles == pytest.approx((10.0, 50 + 50 * 0.8, 50 + 50 * 0.98))


def test_beyond_the_last_bound_it_is_the_bound() -> None:
    watched = Watched()
    watched.observe(1e6)
    assert watched.value(0.0).quantiles == (30.0, 30.0, 30.0)


def test_the_window_slides_and_the_totals_stay() -> None:
    watched = Watched(now=100.0, window_s=10.0)
    watched.observe(0.001)
    for now in range(100, 105):
        watched.value(float(now))
    watched.observe(10.0)
    for now in range(105, 110):
        assert watched.value(float(now)).quantiles[0] <= 0.001
    assert watched.value(110.0).quantiles[0] > 5
    left = watched.value(116.0)
    assert (left.count, left.sum) == (2, 10.001)
    assert math.isnan(left.quantiles[0])


def test_a_pause_of_publication_is_a_window_without_values() -> None:
    watched = Watched(now=0.0, window_s=10.0)
    watched.observe(0.001)
    assert watched.value(1.0).quantiles[0] <= 0.001
    assert math.isnan(watched.value(1e9).quantiles[0])
    watched.observe(0.001)
    assert watched.value(1e9 + 1).quantiles[0] <= 0.001
    assert math.isnan(watched.value(1e9 + 11).quantiles[0])


def in_one_bucket(bounds: Sequence[float], one: float, other: float) -> bool:
    return abs(bisect_left(bounds, one) - bisect_left(bounds, other)) <= 1


@given(st.lists(st.floats(0, 29), min_size=1, max_size=200))
def test_each_quantile_is_in_the_bucket_of_the_value(values: list[float]) -> None:
    watched = Watched()
    watched.observe(*values)
    ranked = sorted(values)
    for quantile, found in zip(QUANTILES, watched.value(0.0).quantiles, strict=True):
        assert in_one_bucket(LATENCY_BOUNDS_S, found, ranked[max(0, math.ceil(quantile * len(ranked)) - 1)])


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 9)), max_size=50))
def test_what_is_a_window_old_is_forgotten(steps: list[tuple[float, float]]) -> None:
    watched, now = Watched(window_s=10.0), 0.0
    for pause_s, value in steps:
        now += pause_s
        watched.observe(value)
        assert not math.isnan(watched.value(now).quantiles[0])
    slice_s = 10.0 / SLICES
    for _ in range(2 * SLICES):
        now += slice_s
        watched.value(now)
    assert math.isnan(watched.value(now).quantiles[0])


def test_each_histogram_has_a_window_of_its_own() -> None:
    windows, felix, bgp = Windows(), Histogram(), Histogram()
    felix.observe(0.001)
    bgp.observe(5.0)
    assert windows.value("felix", "client_latency", felix, 0.0, window_s=10.0).quantiles[0] <= 0.001
    assert windows.value("bgp", "client_latency", bgp, 0.0, window_s=10.0).quantiles[0] > 2.5
    for now in range(1, 21):
        left = windows.value("felix", "client_latency", felix, float(now), window_s=10.0)
    assert left.count == 1
    assert math.isnan(left.quantiles[0])
