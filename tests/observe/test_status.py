"""Shares of a histogram."""

from __future__ import annotations

import pytest

from typha.observe.status import Latency

LAG = Latency((1.0, 2.0, 4.0), (10, 0, 10, 0), 35.0)


@pytest.mark.parametrize(("share", "seconds"), [(0.25, 0.5), (0.5, 1.0), (0.75, 3.0), (1.0, 4.0)])
def test_a_quantile_lies_on_a_straight_line_within_its_bucket(share: float, seconds: float) -> None:
    assert LAG.quantile_s(share) == seconds


def test_of_none_it_is_0() -> None:
    assert Latency((1.0,), (0, 0), 0.0).quantile_s(0.99) == 0.0


def test_beyond_the_highest_bound_it_is_that_bound() -> None:
    assert Latency((1.0, 2.0), (1, 0, 9), 50.0).quantile_s(0.99) == 2.0
