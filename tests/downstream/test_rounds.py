"""When rounds are made: time is a list of what the loop was asked to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from typha.downstream.rounds import Rounds
from typha.downstream.settings import DownstreamSettings

PAUSE_S = 0.1
GATHERING_S = pytest.approx(0.005)
REST_S = pytest.approx(0.09)


class Scene:
    """A fan-out whose rounds take ``takes_s`` in so many turns. ``more`` rounds have work at their end."""

    def __init__(self, *, takes_s: float = 0.0, turns: int = 0, more: int = 0, eager_rounds: int = 0) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.began_at: list[float] = []
        self.is_awaited = self.is_eager = eager_rounds > 0
        self._eager_rounds = eager_rounds
        # Changes that come while it waits, for each time that it does.
        self.pieces: list[int] = []
        self.progress = 0
        # When the changes of each round began to come; of none: it has other work.
        self.since: list[float] = []
        self.ended = 0
        self.settings = DownstreamSettings(round_pause_s=PAUSE_S, reads_apart_s=PAUSE_S)
        self.rounds = Rounds(self.settings, lambda: self.now, self._end, self._sleep)
        self._takes_s = takes_s
        self._turns = turns
        self._more = more

    @property
    def has_work(self) -> bool:
        self._more -= 1
        return self._more >= 0

    @property
    def waiting_since(self) -> float | None:
        return self.since.pop(0) if self.since else None

    def round(self) -> Iterator[None]:
        self.began_at.append(self.now)
        self.now += self._takes_s
        if self._eager_rounds and len(self.began_at) == self._eager_rounds:
            self.is_awaited = self.is_eager = False
        for _ in range(self._turns):
            yield

    def _end(self) -> None:
        self.ended += 1

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.progress += self.pieces.pop(0) if self.pieces else 0
        await asyncio.sleep(0)

    async def play(self, wakes: int = 1) -> None:
        """Until it waits for a word again, that many times."""
        task = asyncio.create_task(self.rounds.run(self))
        for _ in range(wakes):
            self.rounds.wake()
            for _ in range(100):
                await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_round_waits_for_the_pieces_of_a_read_and_the_next_for_the_pause() -> None:
    scene = Scene(more=1)
    await scene.play()
    assert scene.slept == [GATHERING_S, REST_S, GATHERING_S, REST_S]
    assert scene.began_at == [GATHERING_S, pytest.approx(0.1)]
    assert scene.ended == 2


async def test_a_round_has_all_pieces_of_a_read() -> None:
    """With 4 ms of work between two turns of the loop, a read of 400 events was half in one round, half in the next."""
    scene = Scene()
    scene.pieces = [100, 200, 100]
    await scene.play()
    assert scene.slept == [GATHERING_S] * 4 + [REST_S]
    assert scene.began_at == [pytest.approx(0.02)]


async def test_a_round_that_is_late_does_not_make_the_next_one_late() -> None:
    """The second read is at 0.1: its round was due 0.09 after the first had started, at 0.12."""
    scene = Scene(takes_s=0.01, more=1)
    scene.pieces = [1] * 6
    scene.since = [0.0, 0.1]
    await scene.play()
    assert scene.began_at == [pytest.approx(0.03), pytest.approx(0.095)]


async def test_changes_without_end_make_no_more_rounds_than_the_pause_allows() -> None:
    """Each begins in the midst of a read, so its oldest change came right after the one before."""
    scene = Scene(more=3)
    scene.pieces = [1] * 100
    scene.since = [0.0, 0.03, 0.12, 0.21]
    await scene.play()
    assert scene.began_at == [pytest.approx(each) for each in (0.03, 0.12, 0.21, 0.3)]


async def test_rounds_that_nobody_had_to_wait_for_do_not_delay_those_after_them() -> None:
    scene = Scene(more=9, eager_rounds=8)
    await scene.play()
    assert scene.began_at[:8] == [0.0] * 8
    assert scene.began_at[8:] == [pytest.approx(0.095), pytest.approx(0.19)]


async def test_events_without_end_are_not_waited_for() -> None:
    scene = Scene()
    scene.pieces = [1] * 100
    await scene.play()
    assert scene.began_at == [pytest.approx(0.03)]


async def test_who_joins_ends_the_wait_for_pieces() -> None:
    scene = Scene()
    scene.pieces = [1] * 100
    gathered = scene._sleep

    async def joined(seconds: float) -> None:
        scene.is_awaited = True
        await gathered(seconds)

    scene.rounds = Rounds(scene.settings, lambda: scene.now, scene._end, joined)
    await scene.play()
    assert scene.began_at == [GATHERING_S]


async def test_nobody_who_joins_waits_for_a_piece() -> None:
    scene = Scene()
    scene.is_awaited = True
    await scene.play()
    assert scene.began_at == [0.0]


async def test_nobody_who_reads_as_fast_as_we_write_waits_for_the_pause() -> None:
    scene = Scene(more=1)
    scene.is_awaited = scene.is_eager = True
    await scene.play()
    assert scene.slept == [0, 0]
    assert scene.began_at == [0.0, 0.0]


async def test_the_time_of_a_round_is_in_the_pause() -> None:
    scene = Scene(takes_s=0.03)
    await scene.play()
    assert scene.slept[-1] == pytest.approx(0.06)


async def test_after_a_long_round_the_next_begins_at_once() -> None:
    scene = Scene(takes_s=0.5, more=1)
    scene.is_awaited = True
    await scene.play()
    assert scene.began_at == [0.0, 0.5]


async def test_the_loop_looks_at_everything_else_between_turns() -> None:
    scene = Scene(turns=3)
    await scene.play()
    assert scene.slept[1:4] == [0, 0, 0]


async def test_without_work_it_waits_for_a_word() -> None:
    scene = Scene()
    await scene.play(wakes=2)
    assert len(scene.began_at) == 2


async def test_another_pause_counts_from_the_next_round_on() -> None:
    """It is one of the settings that a running server takes."""
    scene = Scene()
    scene.settings.take(DownstreamSettings(round_pause_s=1.0, reads_apart_s=1.0))
    await scene.play()
    assert scene.slept == [GATHERING_S, pytest.approx(0.99)], "watches are read as before"
