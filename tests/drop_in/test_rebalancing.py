"""Limits, shedding and drain, with a clock and a dice of our own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.drop_in.rebalancing import CATCH_UP, Limit, Shedder, connection_limit, drain_interval_s


def dice(*values: float) -> Callable[[], float]:
    """These, over and over."""
    state = [0]

    def roll() -> float:
        value = values[state[0] % len(values)]
        state[0] += 1
        return value

    return roll


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


def test_one_goes_per_interval_while_there_are_too_many() -> None:
    shedder = Shedder(1.0, 3, random=dice(0.0), now=100.0)
    connections = list("abcde")
    assert shedder.due(100.0, connections) == []
    assert shedder.next_at == 101.0
    assert shedder.due(101.0, connections) == ["a"]
    assert shedder.due(101.5, connections) == []
    assert shedder.due(102.0, connections[1:]) == ["b"]
    assert shedder.due(103.0, connections[2:]) == []
    assert shedder.dropped == 2


def test_the_interval_has_up_to_a_tenth_more() -> None:
    assert Shedder(10.0, 0, random=dice(0.999), now=0.0).next_at == pytest.approx(10.999)


def test_never_below_the_limit_also_when_late() -> None:
    shedder = Shedder(1.0, 4, random=dice(0.0), now=0.0)
    assert len(shedder.due(5.0, list("abcdef"))) == 2


def test_a_loop_that_stood_still_closes_no_crowd() -> None:
    shedder = Shedder(1.0, 0, random=dice(0.5), now=0.0)
    connections = list(range(1000))
    assert len(shedder.due(500.0, connections)) == CATCH_UP
    assert shedder.due(500.5, connections) == []
    assert len(shedder.due(501.1, connections)) == 1


def test_a_limit_that_is_raised_ends_it() -> None:
    shedder = Shedder(1.0, 1, random=dice(0.0), now=0.0)
    assert shedder.due(1.0, ["a", "b"]) == ["a"]
    shedder.limit = 2
    assert shedder.due(2.0, ["b", "c"]) == []


def test_the_one_that_goes_is_chosen_at_random() -> None:
    rng = random.Random(1)
    chosen = {Shedder(1.0, 0, random=rng.random, now=0.0).due(2.0, list("abcd"))[0] for _ in range(100)}
    assert chosen == set("abcd")


@pytest.mark.parametrize(
    ("connections", "interval_s"), [(0, 1.0), (1, 1.0), (285, 1.0), (286, 285 / 286), (2850, 0.1), (28_500, 0.01)]
)
def test_the_pace_of_a_drain(connections: int, interval_s: float) -> None:
    assert drain_interval_s(connections, 300.0, 1.0) == pytest.approx(interval_s)


@given(st.integers(1, 100_000), st.floats(1, 3600), st.floats(0.001, 60))
def test_a_drain_ends_in_time(connections: int, timeout_s: float, longest_s: float) -> None:
    assert connections * drain_interval_s(connections, timeout_s, longest_s) < timeout_s
