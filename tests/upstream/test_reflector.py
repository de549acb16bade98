"""The loop on a healthy server: lists in pages and streams, watches, bookmarks, several topics of one source."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from tests.upstream.conftest import MakeRig
from tests.upstream.manual_clock import ManualClock
from tests.upstream.rig import QUICK, STREAMED, pod
from typha.simulation.store import Store
from typha.simulation.watches import Settings as ServerSettings
from typha.upstream.clock import MonotonicClock
from typha.upstream.settings import Settings
from typha.upstream.statistics import State
from typha.wire.states import TopicState


@pytest.mark.parametrize("settings", [QUICK, STREAMED], ids=["pages", "watch_list"])
async def test_lists_then_follows(make_rig: MakeRig, store: Store, settings: Settings) -> None:
    rig = await make_rig(settings=settings)
    await rig.following()
    store.create("v1/pods", pod("new"))
    store.replace("v1/pods", pod("p1", phase="Failed"))
    store.delete("v1/pods", "a/p2")
    await rig.until(rig.equals_truth)
    assert rig.topic.head == store.resource_version
    assert rig.reflector.statistics().lists == 1
    requests = rig.server.statistics().requests
    assert requests["list pods"] == (3 if settings is QUICK else 0)  # 12 pods in pages of 5


async def test_list_items_and_watched_objects_give_equal_values(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    store.create("v1/pods", pod("watched"))
    await rig.until(rig.equals_truth)
    listed = rig.held()["a/p1"]
    watched = rig.held()["a/watched"]
    assert list(listed)[:2] == list(watched)[:2] == ["apiVersion", "kind"]
    assert "managedFields" not in listed["metadata"]


async def test_first_list_is_consistent(make_rig: MakeRig) -> None:
    """Neither a list nor a streamed list asks for a version, least of all for 0."""
    for settings in (QUICK, STREAMED):
        rig = await make_rig(settings=settings)
        asked: list[str] = []
        lister = rig.session.request

        def spy(phase, path, parameters, timeout, *, body=None, lister=lister, asked=asked):  # type: ignore[no-untyped-def]
            asked.append(f"{phase} {parameters.get('resourceVersion')}")
            return lister(phase, path, parameters, timeout, body=body)

        rig.session.request = spy  # type: ignore[method-assign]
        await rig.following()
        assert ("list None" if settings is QUICK else "watch list None") in asked
        assert not any(each.startswith(("list ", "watch list ")) and not each.endswith("None") for each in asked)


async def test_a_server_without_watch_list_is_listed_in_pages(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig(start=False, settings=STREAMED)
    rig.server._api.settings = dataclasses.replace(ServerSettings(), watch_list=False)
    await rig.start()
    await rig.following()
    assert rig.failures == {"WatchListUnsupportedError": 1}
    store.delete("v1/pods", "a/p1")
    await rig.until(rig.equals_truth)


async def test_a_server_that_ignores_send_initial_events_is_listed_in_pages(make_rig: MakeRig) -> None:
    """Before 1.27: events, but never the bookmark that ends the list."""
    clock = ManualClock()
    rig = await make_rig(start=False, settings=STREAMED, clock=clock)
    rig.faults.freeze("pods")
    rig.faults.insert(b'{"type":"ADDED","object":{"metadata":{"name":"x","resourceVersion":"3"}}}\n', verb="watchlist")
    await rig.start()
    rig.faults.thaw()
    rig.faults.while_streaming(lambda: rig.faults.freeze("pods"), after_events=3)
    await rig.until(lambda: "" not in rig.faults._frozen and "pods" in rig.faults._frozen)
    await rig.until(lambda: clock.sleepers > 0)
    await clock.advance(30)
    await rig.until(lambda: "WatchListUnsupportedError" in rig.failures)
    rig.faults.thaw()
    await rig.synced()


async def test_watch_that_ends_as_agreed_resumes_at_once(make_rig: MakeRig, store: Store) -> None:
    settings = dataclasses.replace(QUICK, watch_timeout_s=(1.0, 1.0))
    rig = await make_rig(settings=settings, clock=MonotonicClock())
    await rig.following()
    await rig.until(lambda: rig.reflector.statistics().watches >= 2)
    store.create("v1/pods", pod("later"))
    await rig.until(rig.equals_truth)
    assert rig.failures == {}
    assert rig.reflector.statistics().probes == 0


async def test_bookmarks_move_the_head(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig(start=False)
    rig.server._api.settings = ServerSettings(bookmark_interval_s=0.05)
    await rig.start()
    await rig.following()
    store.create("v1/configmaps", {"metadata": {"name": "elsewhere", "namespace": "a"}})
    await rig.until(lambda: rig.topic.head == store.resource_version)
    assert rig.reflector.statistics().bookmarks >= 1


async def test_topics_of_one_source_share_its_watch(make_rig: MakeRig, store: Store) -> None:
    topics = {
        "pods": {"resource": "v1/pods"},
        "nodes-of-pods": {"resource": "v1/pods", "fields": ["spec.nodeName"], "filters": {"node": "spec.nodeName"}},
    }
    rig = await make_rig(topics=topics)
    await rig.following()
    store.create("v1/pods", pod("both", node="n9"))
    await rig.until(rig.equals_truth)
    assert rig.held("nodes-of-pods")["a/both"] == {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n9"}}
    assert rig.topics["nodes-of-pods"].log.entries["a/both"].attributes == ("n9",)
    assert rig.server.statistics().open_watches["pods"] == 1


async def test_namespace_and_selectors_narrow_the_source(make_rig: MakeRig, store: Store) -> None:
    store.create("v1/pods", pod("p1", namespace="b", node="n1"))
    store.create("v1/pods", pod("p2", namespace="b", node="n2"))
    topics = {"pods": {"resource": "v1/pods", "namespace": "b", "fieldSelector": "spec.nodeName=n1"}}
    rig = await make_rig(topics=topics)
    await rig.until(lambda: rig.state is TopicState.IN_SYNC)
    assert list(rig.held()) == ["b/p1"]


async def test_version_left_to_discovery(make_rig: MakeRig) -> None:
    rig = await make_rig(topics={"pods": {"resource": "pods"}}, start=False)
    provisional = rig.topic.form
    await rig.start()
    await rig.until(lambda: rig.state is TopicState.IN_SYNC)
    resource = rig.reflector.statistics().resource
    assert resource is not None
    assert resource.version == "v1"
    assert rig.topic.form != provisional


async def test_namespace_of_a_cluster_scoped_resource_is_a_clear_error(make_rig: MakeRig) -> None:
    rig = await make_rig(topics={"nodes": {"resource": "v1/nodes", "namespace": "a"}}, random=lambda: 0.99)
    await rig.until(lambda: bool(rig.failures))
    assert "nodes have no namespace" in rig.topic.state_message
    assert rig.state is TopicState.WAITING


async def test_probe_gives_the_present_version_and_shares_requests(make_rig: MakeRig, store: Store) -> None:
    rig = await make_rig()
    await rig.following()
    store.create("v1/configmaps", {"metadata": {"name": "elsewhere", "namespace": "a"}})
    before = rig.server.statistics().requests["list pods"]
    assert await asyncio.gather(*(rig.reflector.probe() for _ in range(10))) == [store.resource_version] * 10
    assert rig.server.statistics().requests["list pods"] == before + 1


async def test_restart_lists_anew(make_rig: MakeRig) -> None:
    rig = await make_rig()
    await rig.following()
    rig.topic.restart(0.0)
    rig.reflector.restart()
    await rig.synced()
    assert rig.reflector.statistics().lists == 2
    assert rig.reflector.state is State.WATCH


async def test_unordered_versions_are_numbered_here(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False)
    item = b'{"metadata":{"name":"x","namespace":"a","resourceVersion":"7/9"}}'
    rig.faults.answer_raw(b'{"metadata":{"resourceVersion":"8/12"},"items":[' + item + b"]}", verb="list")
    await rig.start()
    await rig.until(lambda: rig.held().keys() == {"a/x"})
    assert not rig.topic.is_ordered
    assert rig.reflector._positions.cursor == "8/12"
