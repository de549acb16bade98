"""Two causes told apart by least squares."""

from __future__ import annotations

import pytest

from bench.growth import two_slopes


def test_a_send_and_a_delivery() -> None:
    points = [(sends, sends * share, 8e-6 * sends + 2e-7 * sends * share) for sends in (100, 1000) for share in (1, 10)]
    per_send, per_delivery = two_slopes(points)
    assert per_send == pytest.approx(8e-6)
    assert per_delivery == pytest.approx(2e-7)


def test_one_ratio_tells_nothing() -> None:
    with pytest.raises(ValueError, match="one ratio"):
        two_slopes([(1, 10, 1), (2, 20, 2)])
