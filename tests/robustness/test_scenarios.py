"""One test for each fault that hostile input once found."""

from __future__ import annotations

import asyncio
import gc
import re

import pytest

from tests.robustness.hostile import GREETING
from tests.robustness.test_session import new_session
from typha.cache.errors import FilterError
from typha.cache.selector import parse_selector
from typha.downstream.connection import Connection
from typha.downstream.server import Server
from typha.downstream.settings import DownstreamSettings


@pytest.mark.parametrize("gap", [" ,", " ,  ", "  ,", ", ,  "])
def test_a_selector_of_blanks_and_commas_stopped_the_server(gap: str) -> None:
    """50 characters of `a in (x ,  ,  ,  !` took minutes, in the one loop that serves everybody; 500 took for ever."""
    with pytest.raises(FilterError):
        parse_selector("a in (x" + gap * (480 // len(gap)) + "!")


def test_values_of_a_set_are_still_what_kubectl_takes() -> None:
    (term,) = parse_selector(" a in ( b ,c,  d-e.f ) ")
    assert term.values == frozenset({"b", "c", "d-e.f"})
    assert [term.values for term in parse_selector("a in (),b notin (x,)")] == [frozenset({""}), frozenset({"", "x"})]
    for wrong in ("a in (b c)", "a in (-b)", "a in (b,(c))", "a in (b", "a in b)"):
        with pytest.raises(FilterError, match=re.escape("label selector")):
            parse_selector(wrong)


async def test_a_connection_that_ended_waited_for_a_full_collection() -> None:
    """Connection and Subscriber held each other: 10,000 visitors later 18 MB were still there."""
    server = Server(
        new_session()._catalog,
        {},
        DownstreamSettings(),
        probe=_never_asked,
        on_restored=lambda why: None,
    )
    port = await server.start("127.0.0.1", 0)
    gc.collect()
    gc.disable()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GREETING)
        await reader.readexactly(5)
        assert _living() == 1
        writer.close()
        await writer.wait_closed()
        await server._wait_empty(server._clock() + 5)
        await asyncio.sleep(0)
        assert _living() == 0
    finally:
        gc.enable()
        await server.close()


def _living() -> int:
    return sum(issubclass(type(each), Connection) for each in gc.get_objects())


async def _never_asked(topic: str) -> int:
    raise AssertionError(topic)
