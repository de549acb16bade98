"""The rows of the recovery table that begin with silence: a quiet stream, a deaf one, a frozen server."""

from __future__ import annotations

import dataclasses

from tests.upstream.conftest import MakeRig
from tests.upstream.manual_clock import ManualClock
from tests.upstream.rig import QUICK, pod
from typha.simulation.store import Store


async def test_silence_is_probed_and_counts_as_contact(make_rig: MakeRig) -> None:
    clock = ManualClock()
    rig = await make_rig(clock=clock)
    await rig.following()
    await rig.until(lambda: clock.sleepers == 1)
    await clock.advance(70)
    await rig.until(lambda: rig.topic.contact_at == clock.now())
    assert rig.reflector.statistics().probes == 1
    assert rig.failures == {}


async def test_silent_stream_behind_good_probes_is_replaced(make_rig: MakeRig, store: Store) -> None:
    clock = ManualClock()
    rig = await make_rig(clock=clock)
    await rig.following()
    for seconds in (70, 70, 60):
        await rig.until(lambda: clock.sleepers == 1)
        await clock.advance(seconds)
        await rig.until(lambda: clock.sleepers == 1 or bool(rig.failures))
    await rig.until(lambda: rig.failures == {"StreamSilentError": 1})
    await rig.until(lambda: rig.reflector.statistics().watches == 2)
    store.create("v1/pods", pod("after"))
    await rig.until(rig.equals_truth)
    assert rig.reflector.statistics().lists == 1


async def test_frozen_server_is_found_by_the_probe_and_resumed(make_rig: MakeRig, store: Store) -> None:
    clock = ManualClock()
    settings = dataclasses.replace(QUICK, probe_timeout_s=0.1)
    rig = await make_rig(clock=clock, settings=settings, random=lambda: 0.5)
    await rig.following()
    rig.faults.freeze()
    await rig.until(lambda: clock.sleepers == 1)
    await clock.advance(70)
    await rig.until(lambda: rig.failures.get("ConnectionLostError", 0) == 1)
    assert rig.topic.contact_at != clock.now()
    rig.faults.thaw()
    store.create("v1/pods", pod("after"))
    await rig.until(lambda: clock.sleepers == 1)
    await clock.advance(1)
    await rig.until(rig.equals_truth)


async def test_frozen_server_ends_a_list_by_its_timeouts(make_rig: MakeRig) -> None:
    settings = dataclasses.replace(QUICK, read_timeout_s=0.1)
    rig = await make_rig(start=False, settings=settings)
    rig.faults.silence("headers", verb="list")
    rig.faults.silence("body", verb="list", skip=1)
    await rig.start()
    await rig.synced()
    assert rig.failures == {"ConnectionLostError": 2}


async def test_watch_that_ends_at_once_does_not_spin(make_rig: MakeRig) -> None:
    clock = ManualClock()
    rig = await make_rig(start=False, clock=clock, random=lambda: 0.5)
    rig.faults.answer_raw(b"", verb="watch", times=3)
    await rig.start()
    for count in (1, 2, 3):
        await rig.until(lambda count=count: rig.failures == {"ConnectionLostError": count} and clock.sleepers == 1)  # type: ignore[misc]
        await clock.advance(30)
    await rig.synced()
    assert rig.failures == {"ConnectionLostError": 3}
