"""Freed memory goes back when there is enough of it, and not again at once."""

from __future__ import annotations

from typha.heap import WORTH_BYTES, Allocator, Heap


class Counted:
    """An allocator whose free bytes the test sets; a trim changes none of them, as with glibc."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.trims = 0

    def allocator(self) -> Allocator:
        return Allocator(lambda: self.free, self._trim)

    def _trim(self) -> None:
        self.trims += 1


def test_a_trim_when_enough_was_in_use_and_is_free_again() -> None:
    memory = Counted(free=50_000_000)
    heap = Heap(0.0, memory.allocator())
    heap.tick(10.0)
    memory.free = 20_000_000  # in use
    heap.tick(11.0)
    memory.free += WORTH_BYTES - 1
    heap.tick(12.0)
    assert memory.trims == 0
    memory.free += 1
    heap.tick(13.0)
    assert memory.trims == 1
    for at in (14.0, 20.0, 1000.0):
        heap.tick(at)
    assert memory.trims == 1, "what was given back still counts as free, and is not given back twice"


def test_trims_are_three_seconds_apart() -> None:
    memory = Counted(free=0)
    heap = Heap(0.0, memory.allocator())
    heap.tick(0.0)
    memory.free = WORTH_BYTES
    heap.tick(2.0)
    assert memory.trims == 0
    heap.tick(3.0)
    assert memory.trims == 1
    heap.tick(4.0)
    memory.free *= 2
    heap.tick(5.0)
    assert memory.trims == 1
    heap.tick(6.0)
    assert memory.trims == 2


def test_this_machine_can() -> None:
    heap = Heap(0.0)
    for at in range(10):
        heap.tick(float(at))
