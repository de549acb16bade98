"""Faults: each does what it says, to whom it says, as often as it says."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import msgspec
import pytest

from tests.simulation.api_client import PODS, WATCH_LIST, Client, pod
from typha.simulation.faults import ALWAYS, Faults, How
from typha.simulation.serve import SimulationServer
from typha.simulation.store import Store

CUT = (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, ConnectionResetError)


@pytest.fixture
def faults(server: SimulationServer) -> Faults:
    return server.faults


@pytest.mark.parametrize(("code", "reason"), [(429, "TooManyRequests"), (500, "InternalError"), (403, "Forbidden")])
async def test_answers_so_many_times(faults: Faults, client: Client, code: int, reason: str) -> None:
    faults.answer(code, times=2, resource="pods", verb="list", retry_after_s=3)
    assert (await client.get("/api/v1/nodes"))[0] == 200
    for _ in range(2):
        async with client.session.get(PODS) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (code, "3")
            assert msgspec.json.decode(await answer.read())["reason"] == reason
    assert (await client.get(PODS))[0] == 200


async def test_skip_and_verbs(store: Store, faults: Faults, client: Client) -> None:
    for name in "abcd":
        store.create("pods", pod(name))
    faults.answer(410, verb="continue", skip=1)
    _, first = await client.get(PODS, limit=1)
    _, second = await client.get(PODS, limit=1, continue_=first["metadata"]["continue"])
    code, third = await client.get(PODS, limit=1, continue_=second["metadata"]["continue"])
    assert (code, third["reason"]) == (410, "Expired")


async def test_always_until_cleared(faults: Faults, client: Client) -> None:
    faults.answer(503, times=ALWAYS)
    assert [(await client.get(path))[0] for path in (PODS, "/api", "/readyz", PODS)] == [503] * 4
    faults.clear()
    assert (await client.get(PODS))[0] == 200


async def test_watch_rules_hold_for_watch_lists_too(faults: Faults, client: Client) -> None:
    faults.answer(500, verb="watch", times=2)
    faults.answer(500, verb="watchlist")
    assert (await client.get(PODS))[0] == 200
    assert (await client.get(PODS, **WATCH_LIST))[0] == 500  # uses up one of each
    assert (await client.get(PODS, watch="true"))[0] == 500


async def test_raw_answers(faults: Faults, client: Client) -> None:
    faults.answer_raw(b"<html>Bad Gateway</html>", code=502, content_type="text/html", verb="list")
    assert await client.get(PODS) == (502, "<html>Bad Gateway</html>")


async def test_delay(faults: Faults, client: Client) -> None:
    faults.delay(0.05, verb="list")
    started_at = time.monotonic()
    assert (await client.get(PODS))[0] == 200
    assert time.monotonic() - started_at >= 0.05


async def test_silence_before_and_after_the_headers(store: Store, faults: Faults, client: Client) -> None:
    faults.silence("headers", verb="list")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get(PODS), 0.05)
    faults.silence("body", verb="watch")
    async with client.watch(resourceVersion="1") as watch:
        store.create("pods", pod("a"))
        assert await watch.is_silent()


async def test_freeze_and_thaw_lose_nothing(store: Store, faults: Faults, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch:
        faults.freeze()
        store.create("pods", pod("a"))
        request = asyncio.create_task(client.get("/readyz"))
        assert await watch.is_silent()
        assert not request.done()
        faults.thaw()
        assert await watch.take(1) == [("ADDED", "a")]
        assert await request == (200, "ok")


async def test_one_resource_frozen(store: Store, faults: Faults, client: Client) -> None:
    faults.freeze("pods")
    request = asyncio.create_task(client.get(PODS))
    assert (await client.get("/api/v1/nodes"))[0] == 200
    assert not request.done()
    faults.thaw()
    assert (await request)[0] == 200


@pytest.mark.parametrize(
    ("how", "clean"), [("end", True), ("reset", False), ("mid_line", True), ("mid_line_reset", False)]
)
async def test_cut_after_events(store: Store, faults: Faults, client: Client, how: How, clean: bool) -> None:
    for name in "abc":
        store.create("pods", pod(name))
    faults.cut(how, after_events=2)
    async with client.watch(**WATCH_LIST) as watch:
        assert await watch.take(2) == [("ADDED", "a"), ("ADDED", "b")]
        if clean:
            rest = await watch.line()
            assert rest.startswith(b'{"type":"ADDED"') is (how == "mid_line")
            assert not rest.endswith(b"\n")
            assert await watch.line() == b""
        else:
            with pytest.raises(CUT):  # half a line is no line: readline waits for its end
                await watch.line()
    async with client.watch(**WATCH_LIST) as watch:  # used up
        assert len((await watch.initial())[0]) == 3


async def test_cut_before_the_first_event(faults: Faults, client: Client) -> None:
    faults.cut("end", after_events=0)
    async with client.watch(resourceVersion="1") as watch:
        assert await watch.line() == b""


async def test_cut_after_bytes(store: Store, faults: Faults, client: Client) -> None:
    store.create("pods", pod("a"))
    faults.cut("end", after_bytes=70, verb="list")
    async with client.session.get(PODS) as answer:
        assert len(await answer.read()) == 70
    faults.cut("reset", after_bytes=70, verb="list")
    with pytest.raises(CUT):
        await client.get(PODS)
    faults.cut("end", after_bytes=10)
    async with client.watch() as watch:
        assert await watch.line() == b'{"type":"A'


def test_a_cut_counts_one_thing() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Faults(Store()).cut("reset")


async def test_inserted_lines(store: Store, faults: Faults, client: Client) -> None:
    store.create("pods", pod("a"))
    store.create("pods", pod("b"))
    faults.insert(b"garbage\n", after_events=1)
    async with client.watch(**WATCH_LIST) as watch:
        assert await watch.take(1) == [("ADDED", "a")]
        assert await watch.line() == b"garbage\n"
        faults.insert_open(b'{"type":"ADDED","object":7}\n', resource="pods")
        assert await watch.take(2) == [("ADDED", "b"), ("BOOKMARK", "")]
        assert await watch.line() == b'{"type":"ADDED","object":7}\n'


async def test_changes_among_initial_events(store: Store, faults: Faults, client: Client) -> None:
    for name in "abc":
        store.create("pods", pod(name))

    def change() -> None:
        store.delete("pods", "default/a")
        store.replace("pods", pod("c", node="n1"))

    faults.while_streaming(change, after_events=2)
    async with client.watch(**WATCH_LIST) as watch:
        events, rv = await watch.initial()
    names = [(kind, obj["metadata"]["name"]) for kind, obj in events]
    assert names == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c"), ("DELETED", "a"), ("MODIFIED", "c")]
    assert rv == str(store.resource_version)


async def test_changes_when_a_request_arrives(store: Store, faults: Faults, client: Client) -> None:
    faults.on_request(lambda: store.create("pods", pod("late")), verb="watch")
    async with client.watch(resourceVersion="1") as watch:
        assert await watch.take(1) == [("ADDED", "late")]


async def test_forbid_shows_at_the_next_request(store: Store, faults: Faults, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch:
        faults.forbid("pods")
        store.create("pods", pod("a"))
        assert await watch.take(1) == [("ADDED", "a")]
        code, answer = await client.get(PODS, watch="true")
        assert (code, answer["reason"]) == (403, "Forbidden")
        assert 'cannot watch resource "pods" in API group ""' in answer["message"]
    faults.allow("pods")
    assert (await client.get(PODS))[0] == 200


async def test_tokens(faults: Faults, client: Client) -> None:
    faults.require_token("new")
    code, answer = await client.get(PODS)
    assert (code, answer["reason"]) == (401, "Unauthorized")
    async with client.session.get(PODS, headers={"Authorization": "Bearer new"}) as allowed:
        assert allowed.status == 200


async def test_open_streams_expire(faults: Faults, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch, client.watch("/api/v1/nodes", resourceVersion="1") as other:
        faults.expire_open(resource="pods")
        kind, status = await watch.next()
        assert (kind, status["code"]) == ("ERROR", 410)
        assert await watch.line() == b""
        assert await other.is_silent()


async def test_open_streams_are_cut(faults: Faults, client: Client) -> None:
    async with client.watch(resourceVersion="1") as watch, client.watch("/api/v1/nodes", resourceVersion="1"):
        assert faults.cut_open("reset", resource="pods") == 1
        with pytest.raises(CUT):
            await watch.line()


async def test_rollback_resets_watches(store: Store, faults: Faults, client: Client) -> None:
    copy = store.snapshot()
    store.create("pods", pod("a"))
    async with client.watch(resourceVersion="2") as watch:
        faults.rollback(copy)
        with pytest.raises(CUT):
            await watch.line()
    assert await client.list_all() == ([], "1")


async def test_rollback_under_a_watch_that_stays(store: Store, faults: Faults, client: Client) -> None:
    copy = store.snapshot()
    async with client.watch(resourceVersion="1") as watch:
        store.create("pods", pod("a"))
        assert await watch.take(1) == [("ADDED", "a")]
        faults.rollback(copy, keep_streams=True)
        store.create("pods", pod("b"))  # rv 2 again: this watch never hears of it
        assert await watch.is_silent()
        store.create("pods", pod("c"))
        assert await watch.take(1) == [("ADDED", "c")]


async def test_objects_that_are_huge_or_misshapen(store: Store, faults: Faults, client: Client) -> None:
    faults.create_huge("pods", "huge", 3_000_000)
    faults.create_misshapen("nodes", "odd")
    async with client.watch("/api/v1/nodes") as watch:
        _, odd = await watch.next()
        assert (odd["spec"], odd["status"]) == (["not", "a", "map"], "odd")
    items, _ = await client.list_all()
    assert len(items[0]["metadata"]["annotations"]["example.com/huge"]) == 3_000_000
