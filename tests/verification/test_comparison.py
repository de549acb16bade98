"""Which differences are real, and which are of two moments."""

from __future__ import annotations

import pytest

from typha.verification.comparison import Difference, Held, Kind, Observation, Watcher, compare

A, B = "a", "b"


def proved(copy: dict[str, Held], cursor: int | None, listed: dict[str, Held], list_rv: int | None) -> dict[str, bool]:
    return {each.kind: is_proved for each, is_proved in compare(Observation(copy, cursor, listed, list_rv)).items()}


def test_equal_values_differ_in_nothing_whatever_their_rvs() -> None:
    assert compare(Observation({"k": Held(3, A)}, 9, {"k": Held(5, A)}, 7)) == {}


@pytest.mark.parametrize(
    ("cursor", "list_rv", "listed_at", "expected"),
    [
        (5, 5, 4, True),
        (5, 9, 5, True),
        (5, 9, 6, False),  # born after what the copy shows
        (9, 5, 4, False),  # may have gone after the list
        (None, 5, 4, False),
        (5, None, 4, False),
    ],
)
def test_missing(cursor: int | None, list_rv: int | None, listed_at: int, expected: bool) -> None:
    assert proved({}, cursor, {"k": Held(listed_at, A)}, list_rv) == {Kind.MISSING: expected}


@pytest.mark.parametrize(
    ("cursor", "list_rv", "held_at", "expected"),
    [
        (5, 5, 4, True),
        (9, 5, 4, True),
        (9, 5, 6, False),  # born after the list
        (5, 9, 4, False),  # may have gone after what the copy shows
    ],
)
def test_surplus(cursor: int, list_rv: int, held_at: int, expected: bool) -> None:
    assert proved({"k": Held(held_at, A)}, cursor, {}, list_rv) == {Kind.SURPLUS: expected}


@pytest.mark.parametrize(
    ("cursor", "list_rv", "held_at", "listed_at", "expected"),
    [
        (5, 5, 4, 4, True),
        (5, 9, 4, 5, True),
        (5, 9, 4, 6, False),
        (9, 5, 4, 4, True),
        (9, 5, 6, 4, False),
    ],
)
def test_different(cursor: int, list_rv: int, held_at: int, listed_at: int, expected: bool) -> None:
    found = proved({"k": Held(held_at, A)}, cursor, {"k": Held(listed_at, B)}, list_rv)
    assert found == {Kind.DIFFERENT: expected}


def test_what_moves_is_looked_at_again_and_forgotten() -> None:
    watcher = Watcher(grace_s=10)
    assert watcher.look(Observation({}, 5, {"k": Held(6, A)}, 9), 0.0)
    assert watcher.differences == []
    assert not watcher.look(Observation({"k": Held(6, A)}, 9, {"k": Held(6, A)}, 9), 1.0)
    assert watcher.differences == []


def test_what_stands_still_for_the_grace_is_a_difference() -> None:
    """A watch that brings nothing any more: the copy's cursor never reaches the list."""
    watcher = Watcher(grace_s=10)
    assert watcher.look(Observation({"gone": Held(2, A)}, 5, {"k": Held(6, A)}, 9), 0.0)
    assert watcher.look(Observation({"gone": Held(2, A)}, 5, {"k": Held(6, A)}, 20), 9.9)
    assert not watcher.look(Observation({"gone": Held(2, A)}, 5, {"k": Held(6, A)}, 21), 10.0)
    assert watcher.differences == [
        Difference("gone", Kind.SURPLUS, 2, None),
        Difference("k", Kind.MISSING, None, 6),
    ]


def test_what_changes_all_the_time_never_stands() -> None:
    watcher = Watcher(grace_s=10)
    for now in range(0, 60, 5):
        held, listed = Held(100 + now, now), Held(101 + now, now + 1)
        assert watcher.look(Observation({"k": held}, 100 + now, {"k": listed}, 101 + now), float(now))
    assert watcher.differences == []


def test_proved_ones_need_no_second_look() -> None:
    watcher = Watcher(grace_s=10)
    assert not watcher.look(Observation({}, 5, {"k": Held(4, A)}, 5), 0.0)
    assert watcher.differences == [Difference("k", Kind.MISSING, None, 4)]
