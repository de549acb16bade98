"""A watch's connection may be left alone for a while."""

from __future__ import annotations

import asyncio

from tests.upstream.conftest import MakeRig
from tests.upstream.rig import PODS, pod
from typha.simulation.store import Store
from typha.upstream.lister_watcher import ListerWatcher
from typha.upstream.resources import Resource
from typha.upstream.settings import Settings

PODS_RESOURCE = Resource("", "v1", "pods", "Pod", namespaced=True)
LONG_ENOUGH_S = 0.1  # for a byte over loopback, many times


async def test_what_comes_in_a_pause_waits_and_comes_after_it(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.synced()
    watcher = ListerWatcher(rig.session, PODS_RESOURCE, rig.reflector.source, Settings())
    async with watcher.watch(str(store.resource_version), 60) as chunks:
        pieces = aiter(chunks)
        store.create(PODS, pod("before"))
        assert b"before" in await anext(pieces)
        assert chunks.pause_reading() == b""
        reading = asyncio.ensure_future(anext(pieces))
        store.create(PODS, pod("meanwhile"))
        await asyncio.wait({reading}, timeout=LONG_ENOUGH_S)
        assert not reading.done()
        chunks.resume_reading()
        assert b"meanwhile" in await reading


async def test_what_was_read_before_a_pause_is_given_out_with_it(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.synced()
    watcher = ListerWatcher(rig.session, PODS_RESOURCE, rig.reflector.source, Settings())
    async with watcher.watch(str(store.resource_version), 60) as chunks:
        pieces = aiter(chunks)
        store.create(PODS, pod("before"))
        assert b"before" in await anext(pieces)
        store.create(PODS, pod("meanwhile"))
        await asyncio.sleep(LONG_ENOUGH_S)
        assert b"meanwhile" in chunks.pause_reading()
        assert chunks.pause_reading() == b""


async def test_a_connection_that_ended_can_be_paused_and_resumed(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.synced()
    watcher = ListerWatcher(rig.session, PODS_RESOURCE, rig.reflector.source, Settings())
    async with watcher.watch(str(store.resource_version), 1) as chunks:
        async for _ in chunks:
            pass
        chunks.pause_reading()
        chunks.resume_reading()
