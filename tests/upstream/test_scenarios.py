"""Histories that broke earlier rules of the design, upstream's half of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upstream.conftest import MakeRig
from tests.upstream.rig import QUICK, STREAMED, pod
from typha.simulation.store import Store
from typha.upstream.clock import MonotonicClock
from typha.upstream.settings import Settings
from typha.wire.states import TopicState

SHAPED: dict[str, Any] = {"pods": {"resource": "v1/pods", "fields": ["spec.nodeName", "status.phase"]}}


async def test_watchlist_delete_before_initial_events_end(make_rig: MakeRig, store: Store) -> None:
    """MODIFIED and DELETED among the initial events edit the list; its version is that of the closing bookmark."""
    rig = await make_rig(start=False, settings=STREAMED)

    def meanwhile() -> None:
        store.delete("v1/pods", "a/p0")
        store.replace("v1/pods", pod("p1", phase="Failed"))
        store.create("v1/pods", pod("born"))
        store.create("v1/pods", pod("short"))
        store.delete("v1/pods", "a/short")

    rig.faults.while_streaming(meanwhile, after_events=3)
    commits: list[int] = []
    rig.topic.listener = lambda topic: commits.append(topic.head) if topic.has_synced else None
    await rig.start()
    await rig.synced()
    assert "a/p0" not in rig.held()
    assert rig.held()["a/p1"]["status"]["phase"] == "Failed"
    assert rig.topic.history.horizon == commits[0]


async def test_watchlist_cut_before_its_end_leaves_no_trace(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False, settings=STREAMED)
    rig.faults.cut("reset", after_events=4, verb="watchlist")
    await rig.start()
    await rig.synced()
    assert rig.failures == {"ConnectionLostError": 1}


async def test_absent_topic_on_fresh_replica(make_rig: MakeRig) -> None:
    """Absent is complete: has_synced without an object, so that no agent and no readiness waits for it."""
    rig = await make_rig(topics={"certs": {"resource": "example.com/v1/certs"}}, clock=MonotonicClock())
    await rig.until(lambda: rig.state is TopicState.ABSENT)
    assert rig.topic.has_synced
    assert rig.topic.head == 0


@pytest.mark.parametrize("settings", [QUICK, STREAMED], ids=["pages", "watch_list"])
async def test_deleted_object_that_never_converted(make_rig: MakeRig, store: Store, settings: Settings) -> None:
    rig = await make_rig(start=False, topics=SHAPED, settings=settings)
    rig.faults.create_misshapen("v1/pods", "bad", namespace="a")
    await rig.start()
    await rig.until(lambda: rig.state is TopicState.IN_SYNC)
    assert set(rig.topic.quarantined) == {"a/bad"}
    store.delete("v1/pods", "a/bad")
    await rig.until(lambda: rig.topic.head == store.resource_version)
    assert not rig.topic.quarantined
    assert "a/bad" not in rig.topic.log.tombstones


async def test_quarantine_same_on_old_and_fresh_replica(make_rig: MakeRig, store: Store) -> None:
    """The replica that saw the good version before holds what the fresh one holds: nothing."""
    old = await make_rig(topics=SHAPED)
    await old.until(lambda: old.state is TopicState.IN_SYNC)
    assert "a/p1" in old.held()
    store.replace("v1/pods", {**pod("p1"), "spec": ["odd"]})
    await old.until(lambda: "a/p1" in old.topic.quarantined)
    fresh = await make_rig(topics=SHAPED)
    await fresh.until(lambda: fresh.state is TopicState.IN_SYNC)
    assert old.held() == fresh.held()
    assert old.topic.quarantined == fresh.topic.quarantined
    store.replace("v1/pods", pod("p1", node="n7"))
    for rig in (old, fresh):
        await rig.until(lambda rig=rig: rig.held().get("a/p1", {}).get("spec") == {"nodeName": "n7"})  # type: ignore[misc]
        assert not rig.topic.quarantined


async def test_objects_that_nobody_can_name_are_counted_and_skipped(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    for odd in (b'{"metadata":{}}', b'"text"', b"[1]", b'{"metadata":{"name":7}}', b'{"metadata":{"name":"x"}}'):
        rig.faults.insert_open(b'{"type":"MODIFIED","object":' + odd + b"}\n")
    await rig.until(lambda: rig.reflector.statistics().unreadable == 5)
    store.create("v1/pods", pod("after"))
    await rig.until(rig.equals_truth)
    assert rig.failures == {}


async def test_huge_object_passes(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    rig.faults.create_huge("v1/pods", "huge", 3_000_000, namespace="a")
    await rig.until(rig.equals_truth)
    assert rig.failures == {}
