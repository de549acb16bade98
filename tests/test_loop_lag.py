"""The lag of the loop: pauses count for as long as they last."""

from __future__ import annotations

from itertools import pairwise

from typha.loop_lag import BOUNDS_S, LoopLag
from typha.observe.picture import latency

PERIOD_S = 0.01


def counted(*ticks_at: float) -> dict[float, int]:
    lag = LoopLag(0.0, PERIOD_S)
    for at in ticks_at:
        lag.tick(at)
    return {bound: count for bound, count in zip(BOUNDS_S, lag.histogram.counts, strict=False) if count}


def test_a_loop_in_time_is_never_late() -> None:
    assert counted(0.01, 0.02, 0.03) == {0.001: 3}


def test_a_timer_that_fires_early_is_not_late() -> None:
    assert counted(0.0095, 0.0199) == {0.001: 2}


def test_a_pause_counts_for_each_period_that_it_swallowed() -> None:
    # Due at 10 ms, there at 45: a call at 10, 20, 30 and 40 would have waited 35, 25, 15 and 5 ms.
    assert counted(0.045) == {0.05: 1, 0.03: 1, 0.015: 1, 0.005: 1}


def test_after_a_pause_it_is_due_at_the_next_period() -> None:
    lag = LoopLag(0.0, PERIOD_S)
    lag.tick(0.045)
    assert lag.due_at == 0.05
    lag.tick(0.0502)
    assert sum(lag.histogram.counts) == 5


def test_shares_are_shares_of_time() -> None:
    """A tenth of the time in pauses of half a second: the 90th in a hundred is where they begin."""
    lag = LoopLag(0.0, PERIOD_S)
    now = 0.0
    while now < 100.0:
        now = lag.due_at + (0.5 if int(lag.due_at * 100) % 500 == 499 else 0.0)
        lag.tick(now)
    found = latency(lag.histogram)
    assert found.quantile_s(0.89) < PERIOD_S
    assert found.quantile_s(0.95) > 0.2


def test_a_machine_that_slept_is_counted_within_bounds() -> None:
    lag = LoopLag(0.0, PERIOD_S)
    lag.tick(1e6)
    assert sum(lag.histogram.counts) < 20_000
    assert lag.due_at > 1e6 - PERIOD_S


def test_bounds_ascend_and_have_the_goal_among_them() -> None:
    assert all(lower < upper for lower, upper in pairwise(BOUNDS_S))
    assert 0.02 in BOUNDS_S
