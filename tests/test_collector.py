"""Frozen at new peaks only."""

from __future__ import annotations

from typha.collector import Collector


def frozen_at(*connections: int) -> list[int]:
    frozen: list[int] = []
    now = 0
    collector = Collector(lambda: frozen.append(now))
    for now in connections:
        collector.tick(now)
    return frozen


def test_few_connections_are_left_to_the_collector() -> None:
    assert frozen_at(1, 100, 499, 0, 499) == []


def test_a_storm_is_frozen_step_by_step() -> None:
    assert frozen_at(400, 700, 1100, 1250, 5000) == [700, 1250, 5000]


def test_who_comes_back_is_no_new_peak() -> None:
    assert frozen_at(1000, 0, 1000, 1400, 0, 1499, 1500) == [1000, 1500]
