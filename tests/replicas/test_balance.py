"""Shares and shedding, with a clock and a dice of our own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from typha.replicas.balance import CATCH_UP, Shedder, share


def dice(*values: float) -> Callable[[], float]:
    """These, over and over."""
    state = [0]

    def roll() -> float:
        value = values[state[0] % len(values)]
        state[0] += 1
        return value

    return roll


@pytest.mark.parametrize(
    ("own", "others", "limit", "moves"),
    [
        (200, [0], 110, 100),
        (150, [50], 110, 50),
        (111, [89], 110, 11),
        (110, [90], 110, 0),
        (0, [200], 110, 0),
        (100, [100, 0], 73, 33),
        (3, [0], 3, 0),
        (4, [0], 3, 2),
        (2, [1], 3, 0),
        (50, [], 55, 0),
        (0, [0, 0], 1, 0),
    ],
)
def test_share_of_one(own: int, others: list[int], limit: int, moves: int) -> None:
    found = share(own, others, 0.1)
    assert (found.limit, found.moves) == (limit, moves)


@pytest.mark.parametrize(("own", "leaving", "moves"), [(9, 0, 4), (7, 2, 2), (5, 4, 0), (4, 5, 0)])
def test_who_was_asked_to_go_is_not_asked_for_again(own: int, leaving: int, moves: int) -> None:
    assert share(own, [0], 0.1, leaving).moves == moves


loads = st.lists(st.integers(0, 120), min_size=2, max_size=6)


@given(loads, st.floats(0, 0.5))
def test_all_at_once_do_not_overshoot(held: list[int], tolerance: float) -> None:
    """Every server decides by itself from the same loads: what goes never exceeds what the others lack."""
    found = [share(own, held[:place] + held[place + 1 :], tolerance) for place, own in enumerate(held)]
    mean = sum(held) / len(held)
    assert sum(each.moves for each in found) <= sum(max(0.0, mean - own) for own in held) + 1e-6
    for own, each in zip(held, found, strict=True):
        assert own - each.moves >= mean or not each.moves


@given(loads)
@example([0, 0, 0, 0, 0, 89])
def test_shares_become_even_and_stay(held: list[int]) -> None:
    for _ in range(3):
        for place, own in enumerate(held):
            moves = share(own, held[:place] + held[place + 1 :], 0.1).moves
            held[place] -= moves
            for _ in range(moves):
                others = [other for other in range(len(held)) if other != place]
                held[min(others, key=held.__getitem__)] += 1
    mean = sum(held) / len(held)
    assert all(own <= mean * 1.1 + 2 for own in held)
    assert not any(share(own, held[:place] + held[place + 1 :], 0.1).moves for place, own in enumerate(held))


def test_an_aim_holds_however_many_come_meanwhile() -> None:
    shedder = Shedder(10.0, 0, random=dice(0.0), now=0.0)
    shedder.aim(100, 2, 1.0, 50.0)
    crowd = list(range(500))
    assert [len(shedder.due(at, crowd)) for at in (50.0, 51.0, 52.0, 53.0)] == [0, 1, 1, 0]


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
