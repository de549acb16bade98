"""One test per row of the recovery table, on real HTTP: the fault, what is done about it, and the truth after it."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest

from tests.upstream.conftest import MakeRig
from tests.upstream.manual_clock import ManualClock
from tests.upstream.rig import QUICK, STREAMED, pod
from typha.simulation.discovery import Resource as Served
from typha.simulation.faults import ALWAYS
from typha.simulation.store import Store
from typha.upstream.clock import MonotonicClock
from typha.wire.states import TopicState

CERTS = Served("example.com", "v1", "certs", "Cert")
CERT_TOPIC = {"certs": {"resource": "example.com/v1/certs"}}


def cert(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a"}, "spec": {"dns": name}}


async def test_connection_lost_resumes_from_head_behind_a_probe(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    rig.faults.cut_open("reset")
    await rig.until(lambda: rig.reflector.statistics().watches == 2)
    store.create("v1/pods", pod("later"))
    await rig.until(rig.equals_truth)
    statistics = rig.reflector.statistics()
    assert (statistics.lists, statistics.probes) == (1, 1)
    assert statistics.failures == {"ConnectionLostError": 1}


async def test_end_in_mid_line_resumes_from_head(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig(start=False)
    rig.faults.cut("mid_line", after_events=1)
    await rig.start()
    await rig.following()
    store.create("v1/pods", pod("whole"))
    store.create("v1/pods", pod("cut"))
    await rig.until(rig.equals_truth)
    assert rig.reflector.statistics().lists == 1
    assert rig.failures == {"ConnectionLostError": 1}


async def test_server_that_is_gone_is_waited_for(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig(random=lambda: 0.1, clock=MonotonicClock())
    await rig.following()
    await rig.server.stop()
    store.create("v1/pods", pod("while-away"))
    await rig.until(lambda: rig.failures.get("ConnectionLostError", 0) >= 2)
    assert rig.state is TopicState.IN_SYNC  # until the catalog's tick finds it too old
    await rig.server.start()
    await rig.until(rig.equals_truth)


async def test_410_of_a_watch_lists_again_not_older_than_head(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    head = rig.topic.head
    asked: list[str] = []
    lister = rig.reflector._lister_watcher.list_page

    async def spy(continue_token: str = "", not_older_than: str = "") -> bytes:
        asked.append(not_older_than)
        return await lister(continue_token, not_older_than)

    rig.reflector._lister_watcher.list_page = spy  # type: ignore[method-assign]
    rig.faults.expire_open()
    store.delete("v1/pods", "a/p3")
    await rig.until(lambda: bool(asked) and rig.equals_truth())
    assert int(asked[0]) >= head
    assert rig.failures == {"WatchExpiredError": 1}


async def test_410_twice_lists_again_consistently(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    asked: list[str] = []
    lister = rig.reflector._lister_watcher.list_page

    async def spy(continue_token: str = "", not_older_than: str = "") -> bytes:
        if not continue_token:
            asked.append(not_older_than)
        return await lister(continue_token, not_older_than)

    rig.reflector._lister_watcher.list_page = spy  # type: ignore[method-assign]
    rig.faults.answer(410, verb="watch", times=2, reason="Expired")
    rig.faults.cut_open("end")
    await rig.until(lambda: len(asked) == 2)
    assert asked[0] != ""
    assert asked[1] == ""
    await rig.synced()


@pytest.mark.parametrize("settings", [QUICK, STREAMED], ids=["pages", "watch_list"])
async def test_too_large_resource_version_lists_again(make_rig: MakeRig, settings: Any) -> None:
    rig = await make_rig(settings=settings)
    await rig.following()
    rig.faults.answer(504, verb="watch", times=2, message="Too large resource version: 99, current: 1")
    rig.faults.cut_open("end")
    await rig.until(lambda: rig.failures.get("TooLargeResourceVersionError") == 2)
    await rig.synced()
    assert rig.restored == []


async def test_429_backs_off_and_honours_retry_after(make_rig: MakeRig) -> None:
    clock = ManualClock()
    rig = await make_rig(start=False, clock=clock)
    rig.faults.answer(429, verb="list", retry_after_s=7)
    await rig.start()
    await rig.until(lambda: clock.sleepers == 1)
    assert clock.next_wake_s() == 7
    assert rig.state is TopicState.WAITING
    assert "429" in rig.topic.state_message
    await clock.advance(7)
    await rig.synced()


async def test_500_backs_off_with_growing_delays(make_rig: MakeRig) -> None:
    clock = ManualClock()
    rig = await make_rig(start=False, clock=clock, random=lambda: 0.5)
    rig.faults.answer(500, verb="list", times=3)
    await rig.start()
    delays = []
    for _ in range(3):
        await rig.until(lambda: clock.sleepers == 1)
        delay = clock.next_wake_s()
        assert delay is not None
        delays.append(delay)
        await clock.advance(delay)
    assert delays == pytest.approx([0.4, 0.8, 1.6])
    await rig.synced()


async def test_503_on_a_watch_resumes_from_head(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    rig.faults.answer(503, verb="watch", times=2)
    rig.faults.cut_open("end")
    await rig.until(lambda: rig.failures.get("WatchFailedError") == 2)
    store.create("v1/pods", pod("after"))
    await rig.until(rig.equals_truth)
    assert rig.reflector.statistics().lists == 1


async def test_401_refreshes_credentials_once_then_backs_off(make_rig: MakeRig) -> None:
    clock = ManualClock()
    rig = await make_rig(start=False, clock=clock, random=lambda: 0.5)
    rig.faults.require_token("right")
    rig.token = "old"
    await rig.start()
    await rig.until(lambda: clock.sleepers == 1)
    assert rig.loads == 2
    assert rig.failures == {"UnauthorizedError": 2}
    assert clock.next_wake_s() == pytest.approx(0.4)
    rig.token = "right"
    await clock.advance(0.4)
    await rig.synced()
    assert rig.loads == 3


async def test_403_keeps_data_as_stale_and_recovers_with_the_rights(make_rig: MakeRig, store: Store) -> None:
    clock = ManualClock()
    rig = await make_rig(clock=clock, random=lambda: 0.5)
    await rig.following()
    rig.faults.forbid("pods")
    rig.faults.cut_open("end")  # RBAC shows at the next request only
    await rig.until(lambda: clock.sleepers > 0)
    await clock.advance(1)
    await rig.until(lambda: rig.state is TopicState.STALE)
    assert "403" in rig.topic.state_message
    assert len(rig.held()) == 12
    store.delete("v1/pods", "a/p1")
    rig.faults.allow("pods")
    for _ in range(3):
        await clock.advance(1)
    await rig.until(lambda: rig.state is TopicState.IN_SYNC)
    await rig.until(rig.equals_truth)
    assert rig.reflector.statistics().lists == 1


async def test_forbidden_never_in_sync(make_rig: MakeRig, caplog: pytest.LogCaptureFixture) -> None:
    """A topic without rights is waiting: missing data is no deleted data. One warning, however often it is tried."""
    rig = await make_rig(start=False)
    rig.faults.forbid("pods")
    seen: set[TopicState] = set()
    rig.topic.listener = lambda topic: seen.add(topic.state)
    with caplog.at_level(logging.DEBUG, logger="typha.upstream.outage"):
        await rig.start()
        await rig.until(lambda: rig.failures.get("ForbiddenError", 0) >= 5)
        assert not rig.topic.has_synced
        assert seen <= {TopicState.WAITING, TopicState.SYNCING}
        warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert [each.name for each in warnings].count("typha.upstream.outage") == 1  # a slow machine has asyncio's too
        rig.faults.allow("pods")
        await rig.synced()
    assert "served again" in caplog.records[-1].getMessage()


async def test_forbidden_watch_behind_an_allowed_list_stays_stale(make_rig: MakeRig) -> None:
    rig = await make_rig()
    await rig.following()
    seen: list[TopicState] = []
    rig.faults.answer(403, verb="watch", times=ALWAYS)
    rig.faults.cut_open("end")
    await rig.until(lambda: rig.state is TopicState.STALE)
    rig.topic.listener = lambda topic: seen.append(topic.state)
    count = rig.failures["ForbiddenError"]
    await rig.until(lambda: rig.failures["ForbiddenError"] >= count + 3)
    assert set(seen) <= {TopicState.STALE}


async def test_404_is_absent_when_discovery_agrees_twice(make_rig: MakeRig) -> None:
    clock = ManualClock()
    settings = dataclasses.replace(QUICK, absent_confirm_s=10.0, absent_poll_s=4.0)
    rig = await make_rig(topics=CERT_TOPIC, clock=clock, settings=settings, random=lambda: 0.5)
    await rig.until(lambda: clock.sleepers == 1)
    states = []
    for _ in range(4):  # backoff of 0.4 s, then polls each 4 s
        await clock.advance(4)
        states.append(rig.state)
        await rig.until(lambda: clock.sleepers == 1)
    assert states[:3] == [TopicState.WAITING] * 3
    await rig.until(lambda: rig.state is TopicState.ABSENT)
    assert rig.topic.has_synced
    assert "example.com" in rig.topic.state_message


async def test_absent_topic_is_served_soon_after_its_crd(make_rig: MakeRig, store: Store) -> None:
    """A new CRD answers 429 at first."""
    rig = await make_rig(topics=CERT_TOPIC, clock=MonotonicClock())
    await rig.until(lambda: rig.state is TopicState.ABSENT)
    rig.faults.answer(429, resource="certs", times=2, retry_after_s=0)
    store.register(CERTS)
    store.create("example.com/v1/certs", cert("c1"))
    await rig.until(lambda: rig.state is TopicState.IN_SYNC)
    assert rig.held().keys() == {"a/c1"}


async def test_crd_deleted_and_recreated(make_rig: MakeRig, store: Store) -> None:
    store.register(CERTS)
    store.create("example.com/v1/certs", cert("old"))
    rig = await make_rig(topics=CERT_TOPIC, clock=MonotonicClock())
    await rig.until(lambda: rig.held().keys() == {"a/old"})
    generation = rig.topic.generation
    store.unregister("example.com/v1/certs")
    await rig.until(lambda: rig.state is TopicState.ABSENT)
    assert rig.held() == {}
    assert rig.topic.generation > generation  # cursors of before are void
    store.register(CERTS)
    store.create("example.com/v1/certs", cert("new"))
    await rig.until(lambda: rig.state is TopicState.IN_SYNC and rig.held().keys() == {"a/new"})


async def test_discovery_that_fails_is_no_absence(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False, topics=CERT_TOPIC, clock=MonotonicClock())
    rig.faults.answer(503, verb="discovery", times=ALWAYS)
    await rig.start()
    await rig.until(lambda: rig.failures.get("DiscoveryFailedError", 0) > 10)
    assert rig.state is TopicState.WAITING


async def test_410_in_mid_list(make_rig: MakeRig, store: Store) -> None:
    """The list starts over; two versions are never mixed."""
    rig = await make_rig(start=False)
    rig.faults.on_request(lambda: store.create("v1/pods", pod("meanwhile")), verb="continue", skip=1)
    rig.faults.answer(410, verb="continue", skip=1, reason="Expired")
    await rig.start()
    await rig.synced()
    assert rig.failures == {"ListExpiredError": 1}
    assert "a/meanwhile" in rig.held()


async def test_pages_of_two_versions_start_over(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False)
    rig.faults.answer_raw(b'{"metadata":{"resourceVersion":"99"},"items":[]}', verb="continue")
    await rig.start()
    await rig.synced()
    assert rig.failures == {"InconsistentListError": 1}


async def test_event_out_of_order_lists_again_consistently(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    rig.faults.insert_open(
        b'{"type":"MODIFIED","object":{"metadata":{"name":"p1","namespace":"a","resourceVersion":"2"}}}\n'
    )
    await rig.until(lambda: rig.failures == {"OutOfOrderError": 1})
    await rig.synced()
    assert rig.reflector.statistics().relists == 1


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"<html>busy</html>\n", "BadStreamError"),
        (b'{"type":"ADDED"}\n', "BadStreamError"),
        (b'{"type":"SURPRISE","object":{}}\n', "BadStreamError"),
        (b"x" * 5000 + b"\n", "LineTooLongError"),
    ],
)
async def test_line_that_is_no_event_lists_again(make_rig: MakeRig, store: Store, line: bytes, error: str) -> None:
    rig = await make_rig(settings=dataclasses.replace(QUICK, line_limit_bytes=4000))
    await rig.following()
    rig.faults.insert_open(line)
    await rig.until(lambda: rig.failures == {error: 1})
    store.create("v1/pods", pod("after"))
    await rig.until(rig.equals_truth)


async def test_answer_that_is_no_list_backs_off(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False)
    rig.faults.answer_raw(b"<html>a proxy</html>", verb="list", content_type="text/html")
    await rig.start()
    await rig.synced()
    assert rig.failures == {"BadAnswerError": 1}


async def test_restore_noticed(make_rig: MakeRig, store: Store) -> None:
    """The version below head shows in the probe before the watch resumes; the topics begin a new life."""
    rig = await make_rig()
    copy = store.snapshot()
    await rig.following()
    store.create("v1/pods", pod("lost"))
    await rig.until(rig.equals_truth)
    rig.faults.rollback(copy)
    await rig.until(lambda: len(rig.restored) == 1)
    assert "below" in rig.restored[0]
    await rig.synced()
    assert "a/lost" not in rig.held()
    assert rig.topic.head == copy.rv


async def test_restore_behind_a_silent_stream_is_noticed_by_the_probe(make_rig: MakeRig, store: Store) -> None:
    """etcd alone was restored: the watch stays open, deaf to every event below where it stood."""
    clock = ManualClock()
    rig = await make_rig(clock=clock)
    copy = store.snapshot()
    await rig.following()
    store.create("v1/pods", pod("lost"))
    await rig.until(rig.equals_truth)
    rig.faults.rollback(copy, keep_streams=True)
    await clock.advance(70)
    await rig.until(lambda: len(rig.restored) == 1)
    await rig.synced()
