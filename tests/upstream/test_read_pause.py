"""A followed watch is read in turns: what one round publishes together is read together."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.upstream.conftest import MakeRig
from tests.upstream.manual_clock import ManualClock
from tests.upstream.rig import STREAMED, pod
from typha.simulation.store import Store
from typha.upstream.ingest import Ingest
from typha.upstream.positions import Positions
from typha.upstream.watch_session import WatchSession, until_next_turn

PAUSE_S = 0.0625  # a sum of powers of two: turns of the manual clock are exact
PACED = dataclasses.replace(STREAMED, read_pause_s=PAUSE_S)


class Replayed:
    """Chunks of a connection that somebody may leave alone."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.read_meanwhile = b""
        self.is_paused = False
        self.pauses = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    def pause_reading(self) -> bytes:
        self.is_paused = True
        self.pauses += 1
        rest, self.read_meanwhile = self.read_meanwhile, b""
        return rest

    def resume_reading(self) -> None:
        self.is_paused = False


def test_turns_fall_on_the_same_moments_for_all_watches() -> None:
    assert until_next_turn(1000.0, 0.5) == 0.5
    assert until_next_turn(1000.1, 0.5) == pytest.approx(0.4)
    assert until_next_turn(1000.374, 0.5) == pytest.approx(0.126)
    assert until_next_turn(1000.376, 0.5) == pytest.approx(0.624), "so shortly before the moment it lets it pass"
    assert until_next_turn(999.999, 0.5) == pytest.approx(0.501), "a timer that was early does not count twice"


async def test_events_after_a_read_wait_for_the_next_turn_and_none_is_lost(make_rig: MakeRig, store: Store) -> None:
    clock = ManualClock()
    rig = await make_rig(clock=clock, settings=PACED)
    await rig.following()
    await rig.until(lambda: clock.sleepers == 2)  # the guard of silence, and the turn after the list
    await clock.advance(PAUSE_S)
    store.create("v1/pods", pod("first"))
    await rig.until(lambda: "a/first" in rig.held() and clock.sleepers == 2)
    for number in range(20):
        store.create("v1/pods", pod(f"next-{number}"))
    assert "a/next-0" not in rig.held()
    await clock.advance(PAUSE_S)
    await rig.until(rig.equals_truth)


async def test_a_list_that_is_streamed_is_read_without_pause(make_rig: MakeRig, store: Store) -> None:
    for number in range(300):
        store.create("v1/pods", pod(f"pod-{number}"))
    rig = await make_rig(clock=ManualClock(), settings=PACED)
    await rig.synced()


def events(count: int) -> list[bytes]:
    """Lines of a watch."""
    pods = [
        {"type": "ADDED", "object": {"metadata": {"name": f"pod-{number}", "resourceVersion": str(number + 1)}}}
        for number in range(count)
    ]
    return [json.dumps(each).encode() + b"\n" for each in pods]


def followed(connection: Replayed, clock: ManualClock, counts: Counter[str]) -> asyncio.Task[None]:
    async def probe() -> None:
        raise AssertionError("it was not silent")

    session = WatchSession(
        connection,
        Ingest([], Positions()),
        clock=clock,
        settings=PACED,
        probe=probe,
        streamed=lambda now: None,
        counts=counts,
    )
    return asyncio.create_task(session.follow())


async def settled() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def test_a_read_that_was_full_is_followed_at_once() -> None:
    clock = ManualClock()
    counts: Counter[str] = Counter()
    lines = events(2000)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(lines[:-2])  # more than one read of the connection holds
        yield lines[-2]
        yield lines[-1]
        await asyncio.Event().wait()

    connection = Replayed(chunks())
    following = followed(connection, clock, counts)
    await settled()
    assert counts["event"] == 1999, "the second read came at once, the third waits"
    assert connection.is_paused, "what comes meanwhile stays in the kernel"
    await clock.advance(PAUSE_S)
    await settled()
    assert counts["event"] == 2000
    assert connection.pauses == 2
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_was_read_while_the_last_piece_was_worked_on_does_not_cost_the_next_turn() -> None:
    """It was all that the next turn read: the kernel's waited a turn longer, 100 ms for one of ten changes."""
    clock = ManualClock()
    counts: Counter[str] = Counter()
    lines = events(5)

    async def chunks() -> AsyncIterator[bytes]:
        yield lines[0]
        yield b"".join(lines[3:])
        await asyncio.Event().wait()

    connection = Replayed(chunks())
    connection.read_meanwhile = b"".join(lines[1:3])
    following = followed(connection, clock, counts)
    await settled()
    assert counts["event"] == 3
    assert connection.is_paused
    await clock.advance(PAUSE_S)
    await settled()
    assert counts["event"] == 5
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
