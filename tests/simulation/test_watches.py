"""Watches: no gap, no repetition, the real server's bookmarks, silences and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.simulation.api_client import PODS, WATCH_LIST, Client, Watch, pod
from typha.simulation.discovery import Resource
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store
from typha.simulation.watches import Settings


@pytest.fixture
async def brisk(store: Store) -> AsyncIterator[Client]:
    """A server whose bookmarks and ends come soon."""
    settings = Settings(bookmark_interval_s=0.02, watch_timeout_s=0.2)
    async with serve_simulation(store, settings=settings) as server, aiohttp.ClientSession(server.url) as session:
        yield Client(session)


async def rv_of_list(client: Client) -> str:
    return (await client.list_all(limit=1))[1]


async def test_watch_goes_on_after_a_list(store: Store, client: Client) -> None:
    store.create("pods", pod("a"))
    rv = await rv_of_list(client)
    store.create("pods", pod("b"))  # between list and watch
    async with client.watch(resourceVersion=rv) as watch:
        store.replace("pods", pod("a", node="n1"))
        store.delete("pods", "default/b")
        assert await watch.take(3) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_watch_resumes_without_gap(store: Store, client: Client) -> None:
    rv, seen = str(store.resource_version), []
    for round_ in range(5):
        for number in range(400):  # several writes' worth
            store.create("pods", pod(f"p{round_}-{number}"))
        async with client.watch(resourceVersion=rv) as watch:
            for _ in range(400):
                kind, obj = await watch.next()
                rv = obj["metadata"]["resourceVersion"]
                seen.append((kind, rv))
    assert seen == [("ADDED", str(number)) for number in range(2, 2002)]


async def test_watch_objects_have_kind_and_api_version(store: Store, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch:
        store.create("pods", pod("a"))
        _, obj = await watch.next()
        assert (obj["kind"], obj["apiVersion"], obj["metadata"]["resourceVersion"]) == ("Pod", "v1", "2")


async def test_watch_list_equals_list(store: Store, client: Client) -> None:
    for number in range(300):
        store.create("pods", pod(f"p{number:03d}"))
    items, rv = await client.list_all()
    async with client.watch(**WATCH_LIST) as watch:
        events, bookmark_rv = await watch.initial()
        assert bookmark_rv == rv
        assert {kind for kind, _ in events} == {"ADDED"}
        assert [{k: v for k, v in obj.items() if k not in {"kind", "apiVersion"}} for _, obj in events] == items
        store.create("pods", pod("later"))
        assert await watch.take(1) == [("ADDED", "later")]


async def test_watch_list_switched_off(store: Store) -> None:
    settings = Settings(watch_list=False)
    async with serve_simulation(store, settings=settings) as server, aiohttp.ClientSession(server.url) as session:
        code, answer = await Client(session).get(PODS, **WATCH_LIST)
        assert (code, answer["reason"]) == (422, "Invalid")
        assert "unless the WatchList feature gate is enabled" in answer["message"]
        assert server.statistics().open_watches["pods"] == 0


async def test_watch_list_of_the_future(client: Client) -> None:
    code, answer = await client.get(PODS, **WATCH_LIST, resourceVersion=50)
    assert (code, answer["reason"]) == (504, "Timeout")


async def test_watch_without_version_starts_with_what_is_there(store: Store, client: Client) -> None:
    store.create("pods", pod("a"))
    async with client.watch(resourceVersion="0") as watch:
        assert await watch.take(1) == [("ADDED", "a")]
        store.delete("pods", "default/a")
        assert await watch.take(1) == [("DELETED", "a")]


async def test_watch_of_one_namespace(store: Store, client: Client) -> None:
    async with client.watch("/api/v1/namespaces/a/pods", resourceVersion="1") as watch:
        store.create("pods", pod("x", "a-b"))
        store.create("pods", pod("y", "a"))
        assert await watch.take(1) == [("ADDED", "y")]


async def test_selectors_turn_moves_into_comings_and_goings(store: Store, client: Client) -> None:
    store.create("pods", pod("a", node="n1"))
    store.create("pods", pod("b", node="n2"))
    async with client.watch(fieldSelector="spec.nodeName=n1", **WATCH_LIST) as watch:
        events, _ = await watch.initial()
        assert [obj["metadata"]["name"] for _, obj in events] == ["a"]
        store.replace("pods", pod("b", node="n1"))
        store.replace("pods", pod("b", node="n1", app="x"))
        left = store.replace("pods", pod("b", node="n3"))
        store.replace("pods", pod("b", node="n4"))
        store.delete("pods", "default/b")
        store.delete("pods", "default/a")
        assert await watch.take(2) == [("ADDED", "b"), ("MODIFIED", "b")]
        kind, obj = await watch.next()
        assert (kind, obj["metadata"]["resourceVersion"], obj["spec"]["nodeName"]) == ("DELETED", str(left.rv), "n1")
        assert await watch.take(1) == [("DELETED", "a")]


async def test_compacted_watch_answers_410_in_the_stream(store: Store, client: Client) -> None:
    store.create("pods", pod("a"))
    store.compact()
    async with client.watch(resourceVersion="1") as watch:
        kind, status = await watch.next()
        assert (kind, status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")
        assert await watch.line() == b""


async def test_compaction_leaves_watches_that_run(store: Store, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch:
        store.create("nodes", {"metadata": {"name": "n"}})
        store.compact()
        store.create("pods", pod("a"))
        assert await watch.take(1) == [("ADDED", "a")]


async def test_watch_above_the_head_is_silent_and_deaf(store: Store, client: Client) -> None:
    async with client.watch(resourceVersion="4") as watch:
        for name in "abc":  # rv 2, 3, 4
            store.create("pods", pod(name))
        assert await watch.is_silent()
        store.create("pods", pod("d"))
        assert await watch.take(1) == [("ADDED", "d")]


async def collect(watch: Watch) -> list[tuple[str, str]]:
    events = []
    while line := await watch.line():
        events.append(
            (line.split(b'"')[3].decode(), line.partition(b'resourceVersion":"')[2].partition(b'"')[0].decode())
        )
    return events


async def test_bookmarks_come_above_the_start_only(store: Store, brisk: Client) -> None:
    async with brisk.watch(resourceVersion="1", allowWatchBookmarks="true") as watch:
        assert await collect(watch) == []
    async with brisk.watch(resourceVersion="1", allowWatchBookmarks="true") as watch:
        store.create("nodes", {"metadata": {"name": "n"}})  # another resource moves the head
        events = await collect(watch)
        assert set(events) == {("BOOKMARK", "2")}
        assert len(events) > 1
    async with brisk.watch(resourceVersion="1") as watch:  # not asked for
        assert await collect(watch) == []


async def test_a_watch_ends_in_time_with_a_bookmark(store: Store) -> None:
    settings = Settings(watch_timeout_s=0.05)
    async with serve_simulation(store, settings=settings) as server, aiohttp.ClientSession(server.url) as session:
        client = Client(session)
        async with client.watch(resourceVersion="1", allowWatchBookmarks="true") as watch:
            store.create("pods", pod("a"))
            store.create("nodes", {"metadata": {"name": "n"}})
            assert await collect(watch) == [("ADDED", "2"), ("BOOKMARK", "3")]


async def test_timeout_seconds(client: Client) -> None:
    async with client.watch(resourceVersion="1", timeoutSeconds=1) as watch:
        assert await watch.line() == b""


async def test_deleted_crd_ends_its_watches(store: Store, client: Client) -> None:
    store.register(Resource("example.com", "v1", "certs", "Cert"))
    store.create("certs", {"metadata": {"name": "c", "namespace": "default"}})
    path = "/apis/example.com/v1/certs"
    async with client.watch(path, **WATCH_LIST) as watch:
        await watch.initial()
        store.unregister("certs")
        assert await watch.take(1) == [("DELETED", "c")]
        assert await watch.line() == b""
    assert (await client.get(path))[0] == 404


async def test_a_reader_slower_than_the_history_is_ended() -> None:
    store = Store(history_limit=4)
    async with (
        serve_simulation(store) as server,
        aiohttp.ClientSession(server.url) as session,
        Client(session).watch(resourceVersion="1") as watch,
    ):
        for number in range(20):  # in one turn of the loop: the stream cannot keep up
            store.create("pods", pod(f"p{number}"))
        assert await watch.line() == b""


async def test_open_watches_are_counted_until_the_client_goes(server: SimulationServer, client: Client) -> None:
    async with client.watch(resourceVersion="1"), client.watch(resourceVersion="1"):
        assert server.statistics().open_watches["pods"] == 2
    for _ in range(500):
        if not server.statistics().open_watches["pods"]:
            break
        await asyncio.sleep(0.01)
    assert server.statistics().open_watches["pods"] == 0
    assert server.statistics().requests["watch pods"] == 2


async def test_all_watches_get_the_same_bytes(store: Store, server: SimulationServer, client: Client) -> None:
    async with client.watch(resourceVersion="1") as one, client.watch(resourceVersion="1") as other:
        store.create("pods", pod("a"))
        line = await one.line()
        assert line == await other.line()
    assert server.statistics().events_sent["pods"] == 2
    assert server.statistics().bytes_sent["pods"] == 2 * len(line)
