from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from typha.wire.states import TopicState
from typha_client.changes import Change
from typha_client.events import Bookmarked, Committed, StatusChanged
from typha_client.handlers import Dispatcher, HandlerTable, Kind


def put(key: str, rv: int, new: bytes = b"\x01", old: bytes | None = None) -> Change:
    return Change("pods", "put", key, rv, new, old)


def gone(key: str, rv: int, old: bytes = b"\x01") -> Change:
    return Change("pods", "delete", key, rv, None, old)


@asynccontextmanager
async def running(table: HandlerTable) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher("pods", table)
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the code under test is what runs in between
            await asyncio.sleep(0)


def slow(seen: list[Any], gate: asyncio.Event) -> Callable[[Change], Coroutine[Any, Any, None]]:
    async def handler(change: Change) -> None:
        seen.append((change.op, change.key, change.rv))
        await gate.wait()

    return handler


async def test_add_update_delete_go_to_their_handlers_sync_and_async() -> None:
    table, seen = HandlerTable(), list[Any]()
    table.register(Kind.ADD, "pods", lambda change: seen.append(("add", change.key)))
    table.register(Kind.UPDATE, None, lambda change: seen.append(("update", change.key)))

    async def deleted(change: Change) -> None:
        await asyncio.sleep(0)
        seen.append(("delete", change.key))

    table.register(Kind.DELETE, "pods", deleted)
    table.register(Kind.ADD, "nodes", lambda change: seen.append("another topic"))
    async with running(table) as dispatcher:
        dispatcher.committed(Committed("pods", [put("a", 1), put("b", 2, b"\x02", b"\x01"), gone("c", 3)], 3, None))
        await until(lambda: dispatcher.pending.applied == 3)
    assert seen == [("add", "a"), ("update", "b"), ("delete", "c")]


async def test_slow_handler_gets_the_newest_only_and_never_two_at_a_time() -> None:
    table, seen, gate = HandlerTable(), list[Any](), asyncio.Event()
    for kind in (Kind.ADD, Kind.UPDATE, Kind.DELETE):
        table.register(kind, "pods", slow(seen, gate))
    async with running(table) as dispatcher:
        dispatcher.committed(Committed("pods", [put("a", 1), put("b", 2)], 2, None))
        await until(lambda: seen == [("put", "a", 1)])
        dispatcher.committed(Committed("pods", [put("b", 3, b"\x02", b"\x01"), put("x", 4)], 4, None))
        dispatcher.committed(Committed("pods", [gone("x", 5), put("a", 6, b"\x03", b"\x01")], 6, None))
        await asyncio.sleep(0)
        assert seen == [("put", "a", 1)]
        assert dispatcher.pending.applied is None
        gate.set()
        await until(lambda: dispatcher.pending.applied == 6)
    assert seen == [("put", "a", 1), ("put", "b", 3), ("put", "a", 6)]


async def test_handler_that_raises_is_logged_counted_and_passed_by(caplog: pytest.LogCaptureFixture) -> None:
    table, seen = HandlerTable(), list[str]()

    def broken(change: Change) -> None:
        raise ValueError("no such chain")

    table.register(Kind.ADD, "pods", broken)
    table.register(Kind.ADD, "pods", lambda change: seen.append(change.key))
    async with running(table) as dispatcher:
        with caplog.at_level(logging.ERROR):
            dispatcher.committed(Committed("pods", [put("a", 1), put("b", 2)], 2, None))
            await until(lambda: dispatcher.pending.applied == 2)
    assert seen == ["a", "b"]
    assert (table.failures, table.calls) == (2, 4)
    assert "handler failed kind=add topic=pods key=a" in caplog.text


async def test_all_are_called_in_turn_whichever_of_them_wait_or_raise() -> None:
    table, seen = HandlerTable(), list[str]()

    async def waits(change: Change) -> None:
        await asyncio.sleep(0)
        seen.append("waits")

    async def waits_and_raises(change: Change) -> None:
        await waits(change)
        raise ValueError("no such chain")

    async with running(table) as dispatcher:
        for handler in (lambda change: seen.append("first"), waits_and_raises, waits):
            table.register(Kind.ADD, "pods", handler)
        dispatcher.committed(Committed("pods", [put("a", 1)], 1, None))
        await until(lambda: dispatcher.pending.applied == 1)
        table.register(Kind.ADD, None, lambda change: seen.append("registered later"))
        dispatcher.committed(Committed("pods", [put("b", 2)], 2, None))
        await until(lambda: dispatcher.pending.applied == 2)
    each = ["first", "waits", "waits"]
    assert seen == [*each, *each, "registered later"]
    assert (table.failures, table.calls) == (2, 7)


async def test_bookmark_comes_after_what_it_covers_and_status_is_the_newest() -> None:
    table, seen, gate = HandlerTable(), list[Any](), asyncio.Event()
    table.register(Kind.ADD, "pods", slow(seen, gate))
    table.register(Kind.BOOKMARK, "pods", lambda bookmark: seen.append(bookmark.cursor))
    table.register(Kind.STATUS, "pods", lambda status: seen.append(status.state))
    async with running(table) as dispatcher:
        dispatcher.committed(Committed("pods", [put("a", 1)], 1, None))
        await until(lambda: len(seen) == 1)
        dispatcher.bookmarked(Bookmarked("pods", 1, None))
        dispatcher.status(StatusChanged("pods", TopicState.SYNCING, 0.0, ""))
        dispatcher.status(StatusChanged("pods", TopicState.IN_SYNC, 0.0, ""))
        gate.set()
        await until(lambda: len(seen) == 3)
    assert seen == [("put", "a", 1), TopicState.IN_SYNC, 1]


async def test_many_sync_handlers_let_the_loop_breathe() -> None:
    table = HandlerTable()
    turns = 0
    table.register(Kind.ADD, "pods", lambda change: None)
    async with running(table) as dispatcher:
        dispatcher.committed(Committed("pods", [put(f"k{n}", n + 1) for n in range(50_000)], 50_000, None))
        while dispatcher.pending.applied != 50_000:
            turns += 1
            await asyncio.sleep(0)
    assert turns > 2


def test_register_wants_a_function() -> None:
    handler: Any = "print"
    with pytest.raises(TypeError, match="on_add needs a function, got str"):
        HandlerTable().register(Kind.ADD, None, handler)
