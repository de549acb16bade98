"""Tasks, threads and log levels over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator

import pytest

from typha.config import HostPort
from typha.observe.controls import Controls
from typha.observe.http import ObserveServer
from typha.observe.inquiries import Inquiries
from typha.observe.pages import Pages, Request
from typha.observe.status import Board

ANY = HostPort("127.0.0.1", 0)


@pytest.fixture(autouse=True)
def _levels_end_with_the_test() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "typha.test_controls")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def ask(port: int | None, target: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    assert port is not None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
async def server() -> AsyncIterator[ObserveServer]:
    inquiries = Inquiries({}, each_subscriber=lambda: iter(()), publish=lambda listed: None)
    made = ObserveServer(Board(lambda: 0.0), health=ANY, admin=ANY, inquiries=inquiries)
    made.start()
    yield made
    await to_thread(made.stop)


async def test_tasks_and_threads_say_where_they_are(server: ObserveServer) -> None:
    async def waits_for_something() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(waits_for_something(), name="one that waits")
    await asyncio.sleep(0)
    code, text = await to_thread(ask, server.admin_port, "/tasks")
    task.cancel()
    assert code == 200
    assert "task one that waits" in text
    assert "waits_for_something" in text
    assert "thread typha-observe" in text
    assert "thread MainThread" in text


async def test_levels_are_read_and_set(server: ObserveServer) -> None:
    assert await to_thread(ask, server.admin_port, "/log-level?level=debug&logger=typha.test_controls", "PUT") == (
        200,
        await levels_text(server),
    )
    assert logging.getLogger("typha.test_controls").level == logging.DEBUG
    code, _ = await to_thread(ask, server.admin_port, "/log-level?level=error", "PUT")
    assert code == 200
    assert logging.getLogger().level == logging.ERROR
    page = json.loads(await levels_text(server))
    assert page["root"] == "error"
    assert page["typha.test_controls"] == "debug"


async def levels_text(server: ObserveServer) -> str:
    code, text = await to_thread(ask, server.admin_port, "/log-level")
    assert code == 200
    return text


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/log-level?level=loud", "it is one of debug, info, warning, error"),
        ("/log-level", "level is ''"),
        ("/log-level?level=info&logger=os", "it is typha, asyncio, aiohttp"),
        ("/log-level?level=info&for=60", "unknown parameter 'for'"),
    ],
)
async def test_a_wrong_question_says_what_there_is(server: ObserveServer, target: str, what: str) -> None:
    code, text = await to_thread(ask, server.admin_port, target, "PUT")
    assert code == 400
    assert what in text


async def test_nothing_else_is_changed_by_anybody_else(server: ObserveServer) -> None:
    """The health port has none of it, other pages take no PUT, a foreign name is turned away, so is a POST."""
    level = logging.getLogger().level
    for port, target, method, headers, expected in (
        (server.health_port, "/log-level?level=debug", "PUT", {}, 405),
        (server.health_port, "/tasks", "GET", {}, 404),
        (server.admin_port, "/tasks", "PUT", {}, 405),
        (server.admin_port, "/log-level?level=debug", "POST", {}, 405),
        (server.admin_port, "/log-level?level=debug", "PUT", {"Host": "evil.example.com"}, 421),
    ):
        code, _ = await to_thread(ask, port, target, method, **headers)
        assert code == expected, (target, method)
    assert logging.getLogger().level == level


async def test_a_port_beyond_loopback_changes_nothing() -> None:
    controls = Controls(None, is_local=False)
    pages = Pages(Board(lambda: 0.0), None, controls.pages(), commands=controls.commands())  # type: ignore[arg-type]
    answer = await pages.answer(Request("PUT", "/log-level?level=debug", {}))
    assert answer.code == 403
    answer = await pages.answer(Request("GET", "/tasks", {}))
    assert answer.code == 503
