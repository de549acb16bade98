"""A followed watch is read in turns: what one round publishes together is read together."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator

from tests.upstream.conftest import MakeRig
from tests.upstream.manual_clock import ManualClock
from tests.upstream.rig import STREAMED, pod
from typha.simulation.store import Store
from typha.upstream.ingest import Ingest
from typha.upstream.positions import Positions
from typha.upstream.watch_session import WatchSession

PAUSE_S = 0.05
PACED = dataclasses.replace(STREAMED, read_pause_s=PAUSE_S)


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


async def test_a_read_that_was_full_is_followed_at_once() -> None:
    clock = ManualClock()
    counts: Counter[str] = Counter()
    pods = [
        {"type": "ADDED", "object": {"metadata": {"name": f"pod-{number}", "resourceVersion": str(number + 1)}}}
        for number in range(2000)
    ]
    lines = [json.dumps(each).encode() + b"\n" for each in pods]

    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(lines[:-2])  # more than one read of the connection holds
        yield lines[-2]
        yield lines[-1]
        await asyncio.Event().wait()

    async def probe() -> None:
        raise AssertionError("it was not silent")

    session = WatchSession(
        chunks(),
        Ingest([], Positions()),
        clock=clock,
        settings=PACED,
        probe=probe,
        streamed=lambda now: None,
        counts=counts,
    )
    following = asyncio.create_task(session.follow())
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert counts["event"] == 1999, "the second read came at once, the third waits"
    await clock.advance(PAUSE_S)
    assert counts["event"] == 2000
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
