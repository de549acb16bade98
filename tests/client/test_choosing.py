"""Which server a client takes: the less loaded of two, one of its own zone, one that lives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.test_client import until
from typha.wire import messages as m
from typha_client import Client, Found, connect
from typha_client.testing import FakeServer

WAIT_S = 10.0


@pytest.fixture
def pair() -> Iterator[tuple[FakeServer, FakeServer]]:
    """Two servers of one cluster."""
    with FakeServer({"pods": {"a": 1}}) as first, FakeServer({"pods": {"a": 1}}) as second:
        yield first, second


def client_of(*servers: FakeServer | str, **more: Any) -> Client:
    addresses = [server if isinstance(server, str) else server.address for server in servers]
    return connect(addresses, topics=["pods"], node="n1", max_backoff_s=0.02, **more)


async def joined(stack: contextlib.AsyncExitStack, *servers: FakeServer | str, **more: Any) -> Client:
    client = await stack.enter_async_context(client_of(*servers, **more))
    await client.wait_synced(WAIT_S)
    return client


def found(server: FakeServer, zone: str) -> Found:
    host, _, port = server.address.rpartition(":")
    return Found(host, int(port), zone)


async def test_clients_that_come_one_by_one_spread_evenly(pair: tuple[FakeServer, FakeServer]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await joined(stack, *pair)
        assert [len(server.hellos) for server in pair] == [10, 10]


async def test_a_client_that_is_asked_to_move_takes_the_less_loaded(pair: tuple[FakeServer, FakeServer]) -> None:
    busy, idle = pair
    with FakeServer({"pods": {"a": 1}}) as leaving:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await joined(stack, busy)
            client = await joined(stack, leaving)
            servers = client_of(leaving, busy, idle)._connector
            client._connector.endpoints.servers = servers.endpoints.servers
            client._connector._discovery = servers._discovery
            leaving.go_away()
            await until(lambda: idle.hellos)
            await until(lambda: client.statistics()["moves"] == 1)
            assert len(busy.hellos) == 3


async def test_one_that_does_not_answer_holds_nobody_up(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    silent: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: silent.append(writer), "127.0.0.1", 0)
    address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, contextlib.AsyncExitStack() as stack:
        for servers in ((typha_server, address), (address, typha_server)) * 3:
            client = await stack.enter_async_context(client_of(*servers))
            await client.wait_synced(4.0)  # below the time limit of a question
        assert silent
        for writer in silent:
            writer.close()


@pytest.mark.parametrize("dead_first", [True, False])
async def test_one_that_is_dead_costs_nothing(typha_server: FakeServer, dead_first: bool) -> None:
    typha_server.add_topic("pods", {"a": 1})
    servers = ("127.0.0.1:1", typha_server.address)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            await joined(stack, *(servers if dead_first else servers[::-1]))


async def test_one_that_goes_is_never_taken(pair: tuple[FakeServer, FakeServer]) -> None:
    going, staying = pair
    going.refuse("draining", addresses=[staying.address])
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(6):
            await joined(stack, going, staying)
    assert (len(going.hellos), len(staying.hellos)) == (0, 6)


async def test_servers_that_know_no_questions_are_connected_to(pair: tuple[FakeServer, FakeServer]) -> None:
    for server in pair:
        server.load = lambda: m.Refused("bad_hello", "subscribe names no feed and no topic")  # type: ignore[method-assign]
    async with contextlib.AsyncExitStack() as stack:
        client = await joined(stack, *pair)
        assert client.statistics()["refused"] == 0


async def test_servers_of_our_zone_come_first(pair: tuple[FakeServer, FakeServer]) -> None:
    near, far = pair

    async def discover() -> list[Found]:
        return [found(far, "b"), found(near, "a")]

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(6):
            await joined(stack, "typha.example:5473", discover=discover, zone="a")
        assert (len(near.hellos), len(far.hellos)) == (6, 0)
        for _ in range(6):
            await joined(stack, "typha.example:5473", discover=discover)
        assert (len(near.hellos), len(far.hellos)) == (6, 6)
    near.refuse("overloaded", retry_after_s=30.0)
    async with contextlib.AsyncExitStack() as stack:
        await joined(stack, "typha.example:5473", discover=discover, zone="a")
    assert len(far.hellos) == 7


@pytest.mark.parametrize("outcome", [OSError("403"), ValueError("no list"), []])
async def test_where_discovery_fails_names_are_resolved(typha_server: FakeServer, outcome: Any) -> None:
    typha_server.add_topic("pods", {"a": 1})

    async def discover() -> list[Found]:
        if isinstance(outcome, Exception):
            raise outcome
        return list(outcome)

    async with client_of(typha_server, discover=discover, zone="a") as client:
        await client.wait_synced(WAIT_S)


async def test_a_token_that_cannot_be_read_is_an_error_of_the_attempt(pair: tuple[FakeServer, FakeServer]) -> None:
    def token() -> str:
        raise RuntimeError("no token yet")

    async with client_of(*pair, token=token) as client:
        with pytest.raises(TimeoutError, match="no token yet"):
            await client.wait_synced(0.5)
