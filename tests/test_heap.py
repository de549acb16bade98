"""Freed memory goes back after connections ended, and not for each of them."""

from __future__ import annotations

from typha.heap import Heap


def test_a_trim_after_a_hundred_ends_and_three_seconds() -> None:
    trims: list[int] = []
    heap = Heap(0.0, lambda: trims.append(1))
    heap.tick(99, 0, 10.0)
    assert not trims
    heap.tick(100, 0, 10.0)
    assert len(trims) == 1
    heap.tick(500, 0, 12.0)
    assert len(trims) == 1
    heap.tick(500, 0, 13.0)
    assert len(trims) == 2
    heap.tick(599, 0, 100.0)
    assert len(trims) == 2


def test_one_more_when_a_burst_is_over() -> None:
    trims: list[float] = []
    heap = Heap(0.0, lambda: trims.append(1))
    heap.tick(1000, 0, 10.0)
    heap.tick(1005, 0, 13.0)
    assert len(trims) == 1
    for at in (15.0, 16.0, 19.0, 100.0):
        heap.tick(1005, 0, at)
    assert len(trims) == 2
    heap.tick(1006, 0, 200.0)
    assert len(trims) == 2


def test_this_machine_can() -> None:
    Heap(0.0).tick(1000, 0, 10.0)


def test_a_trim_after_large_lists() -> None:
    """The JSON of 100,000 objects came and went."""
    trims: list[int] = []
    heap = Heap(0.0, lambda: trims.append(1))
    heap.tick(0, 4_999, 10.0)
    assert not trims
    heap.tick(0, 100_000, 11.0)
    heap.tick(0, 100_000, 20.0)
    assert len(trims) == 1
    heap.tick(0, 200_000, 30.0)
    assert len(trims) == 2
