"""Who drained goes on in turns that end in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from typha.downstream.turns import Turns


class Line:
    """Who is ready is a name here; each costs 1 ms of a budget of 2 ms."""

    def __init__(self) -> None:
        self.now = 0.0
        self.served: list[str] = []
        self.soon: deque[Callable[[], None]] = deque()
        self.comes_back = ""
        self.turns = Turns(self._serve, self.soon.append, 0.002, lambda: self.now)

    def _serve(self, name: str) -> None:
        self.now += 0.001
        self.served.append(name)
        if name == self.comes_back:
            self.comes_back = ""
            self.add(name)

    def add(self, *names: str) -> None:
        for name in names:
            self.turns.add(name)

    def turn(self) -> list[str]:
        """Who was served when the loop came around once."""
        self.served.clear()
        for _ in range(len(self.soon)):
            self.soon.popleft()()
        return list(self.served)


def test_nobody_is_served_in_the_callback_itself() -> None:
    line = Line()
    line.add("a")
    assert line.served == []
    assert line.turn() == ["a"]


def test_a_turn_ends_after_its_budget_and_the_others_go_on_in_the_next() -> None:
    line = Line()
    line.add("a", "b", "c", "d", "e")
    assert [line.turn() for _ in range(4)] == [["a", "b"], ["c", "d"], ["e"], []]


def test_one_waits_once() -> None:
    line = Line()
    line.add("a", "b", "a")
    assert line.turn() == ["a", "b"]
    assert line.turn() == []


def test_who_drains_again_in_a_turn_is_last_in_line() -> None:
    line = Line()
    line.comes_back = "a"
    line.add("a", "b")
    assert line.turn() == ["a", "b"]
    assert line.turn() == ["a"]


def test_who_comes_when_the_line_was_empty_is_served() -> None:
    line = Line()
    line.add("a")
    line.turn()
    line.add("b")
    assert line.turn() == ["b"]


def test_one_that_raises_holds_up_nobody_else() -> None:
    line, served = Line(), []

    def serve(name: str) -> None:
        served.append(name)
        if name == "a":
            raise ValueError(name)

    line.turns = Turns(serve, line.soon.append, 0.002, lambda: 0.0)
    line.add("a", "b")
    with pytest.raises(ValueError, match="a"):
        line.turn()
    line.turn()
    assert served == ["a", "b"]
