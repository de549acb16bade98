"""Calico's formulas: how many connections a Typha holds, and the pace of its drain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.drop_in.rebalancing import Limit, connection_limit, drain_interval_s


@pytest.mark.parametrize(
    ("nodes", "typhas", "limit"),
    [
        (500, 3, Limit(1204, "fraction+20%")),
        (500, 2, Limit(2404, "fraction+20%")),
        (0, 3, Limit(400, "configured lower limit")),
        (100, 4, Limit(400, "configured lower limit")),
        (165, 3, Limit(400, "configured lower limit")),
        (166, 3, Limit(400, "configured lower limit")),
        (167, 3, Limit(404, "fraction+20%")),
        (10_000, 2, Limit(10_000, "configured upper limit")),
        (500, 1, Limit(10_000, "lone typha")),
        (500, 0, Limit(10_000, "lone typha")),
    ],
)
def test_limits(nodes: int, typhas: int, limit: Limit) -> None:
    assert connection_limit(nodes, typhas, lower=400, upper=10_000) == limit


def test_an_upper_limit_below_the_lower_one_counts() -> None:
    assert connection_limit(10, 3, lower=400, upper=100) == Limit(100, "configured upper limit")


@given(st.integers(0, 20_000), st.integers(2, 100))
def test_all_typhas_but_one_hold_everybody(nodes: int, typhas: int) -> None:
    limit = connection_limit(nodes, typhas, lower=1, upper=10**9)
    assert limit.connections * (typhas - 1) >= 4 * nodes


@pytest.mark.parametrize(
    ("connections", "interval_s"), [(0, 1.0), (1, 1.0), (285, 1.0), (286, 285 / 286), (2850, 0.1), (28_500, 0.01)]
)
def test_the_pace_of_a_drain(connections: int, interval_s: float) -> None:
    assert drain_interval_s(connections, 300.0, 1.0) == pytest.approx(interval_s)


@given(st.integers(1, 100_000), st.floats(1, 3600), st.floats(0.001, 60))
def test_a_drain_ends_in_time(connections: int, timeout_s: float, longest_s: float) -> None:
    assert connections * drain_interval_s(connections, timeout_s, longest_s) < timeout_s
