"""Connections over real sockets, most with TLS: how many are opened at a time, how they end, what they keep."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.downstream.conftest import HELLO, Peer, Running, until
from tests.kit.pems import server_tls
from typha.downstream import listener as listening
from typha.downstream.listener import Listener
from typha.downstream.server_tls import ServerTls
from typha.downstream.settings import DownstreamSettings
from typha.downstream.tls import READ_BYTES
from typha.wire import messages as m
from typha.wire.codec import encode_message

Start = Callable[..., Awaitable[Running]]


@pytest.fixture
def agent() -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture
def context(tmp_path: Path, agent: ssl.SSLContext) -> ServerTls:
    authority = trustme.CA()
    authority.configure_trust(agent)
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    return server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", None)


def listener(running: Running) -> Listener:
    found = running.server._listener
    assert isinstance(found, Listener)
    return found


async def silent(running: Running, count: int) -> list[Peer]:
    """Connected, and not a word of TLS."""
    return [await running.peer() for _ in range(count)]


async def test_while_no_place_is_free_nobody_is_accepted(
    start: Start, context: ServerTls, agent: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "STALL_S", 60.0)
    running = await start(context, max_handshakes=2)
    sleepers = await silent(running, 5)
    await until(lambda: listener(running).opening == 2)
    waiting = asyncio.create_task(running.peer(agent))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (listener(running).opening, waiting.done()) == (2, False)
    for sleeper in sleepers:  # each that goes makes room for the next in the backlog
        sleeper.writer.transport.abort()
    assert (await (await waiting).joined()).writer is not None
    await until(lambda: not listener(running).opening)
    assert running.server.counters.accepted == 1


async def test_who_says_nothing_stops_nobody(
    start: Start, context: ServerTls, agent: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "STALL_S", 0.01)
    running = await start(context, max_handshakes=1)
    await silent(running, 5)
    await (await running.peer(agent)).joined()
    assert listener(running).opening == 5


async def test_the_deadline_runs_from_accept(start: Start, context: ServerTls) -> None:
    running = await start(context, handshake_timeout_s=0.05)
    (sleeper,) = await silent(running, 1)
    assert await sleeper.reader.read() == b""
    await until(lambda: not listener(running).opening)


async def test_a_failed_handshake_is_one_line(
    start: Start, context: ServerTls, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start(context)
    (peer,) = await silent(running, 1)
    with caplog.at_level(logging.WARNING):
        peer.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: caplog.records)
    assert [(record.message, vars(record)["address"]) for record in caplog.records] == [
        ("TLS handshake failed", f"127.0.0.1:{peer.writer.get_extra_info('sockname')[1]}")
    ]
    said = vars(caplog.records[0])
    assert (said["reason"], said["error"]) == ("not_tls", "what came is not TLS")


async def test_close_ends_handshakes_under_way(start: Start, context: ServerTls) -> None:
    running = await start(context)
    sleepers = await silent(running, 2)
    await until(lambda: listener(running).opening == 2)
    await running.server.close()
    assert [await sleeper.reader.read() for sleeper in sleepers] == [b"", b""]
    assert not listener(running).opening


async def test_a_burst_without_tls_is_opened_some_at_a_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PLAIN", 2)
    running = await start()
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        for _ in range(2):
            listener(running)._accept_some(listener(running)._sockets[0])
            assert listener(running).opening == 2
        await until(lambda: len(running.connections) == 5 and not listener(running).opening)


async def test_who_was_accepted_is_read_before_the_next_is_accepted(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a burst of 5,000 uvloop accepted 4,096 and read nothing of them; the rest was refused as unheard."""
    monkeypatch.setattr(listening, "_PLAIN", 2)
    monkeypatch.setattr(listening, "_BREATH_S", 10.0)
    running = await start()
    with ExitStack() as stack:
        for _ in range(5):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            peer.sendall(encode_message(HELLO))
        await until(lambda: len(running.server.fan_out.subscribers) == 2 and not listener(running).opening)
        assert len(running.connections) == 2
        assert not listener(running)._is_accepting
        for place in list(listener(running)._places):
            listener(running)._leave(place)
        await until(lambda: len(running.server.fan_out.subscribers) == 4)
        assert len(running.connections) == 4


async def test_an_address_in_use_is_an_error(context: ServerTls) -> None:
    first, second = (
        Listener(
            lambda _: asyncio.Protocol(), context, max_handshakes=1, handshake_timeout_s=1.0, shutdown_timeout_s=1.0
        )
        for _ in range(2)
    )
    port = await first.start("127.0.0.1", 0)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: .* in use"):
        await second.start("127.0.0.1", port)
    first.close()


async def test_asyncio_sets_little_aside_for_a_connection(
    start: Start, context: ServerTls, agent: ssl.SSLContext
) -> None:
    """Of Python's insides: where a new Python has others, this test says so, and not the memory of a server."""
    assert SSLProtocol.max_size == 256 * 1024
    running = await start(context)
    await (await running.peer(agent)).joined()
    protocol = running.connections[0]._transport._ssl_protocol  # type: ignore[union-attr]
    assert len(protocol._ssl_buffer) == READ_BYTES


async def test_nobody_gets_a_ticket(start: Start, context: ServerTls, agent: ssl.SSLContext) -> None:
    running = await start(context)
    peer = await (await running.peer(agent)).joined()
    found: ssl.SSLObject = peer.writer.get_extra_info("ssl_object")
    assert found.version() == "TLSv1.3"
    assert found.session is None or not found.session.has_ticket


async def test_a_large_snapshot_to_a_slow_reader_is_whole(
    start: Start, context: ServerTls, agent: ssl.SSLContext
) -> None:
    running = await start(context)
    await _large_snapshot(running, agent)


def test_on_uvloop(context: ServerTls, agent: ssl.SSLContext) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with Running(DownstreamSettings(round_pause_s=0.001, max_age_s=0.0), context).run() as running:
            await _large_snapshot(running, agent)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def _large_snapshot(running: Running, agent: ssl.SSLContext) -> None:
    values = [b"\xc6" + (300_000).to_bytes(4, "big") + bytes([number]) * 300_000 for number in range(30)]
    for number, value in enumerate(values):
        name = f"big{number}"
        running.replica.pods.put(name, 10 + number, [(name, value, ("n0", {"v": "0"}))], time.monotonic())
    peer = await running.peer(agent)
    peer.read_slowly()
    peer.send(HELLO)
    await peer.wait_for(m.Welcome)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: not running.connections[0].is_drained)
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
    found: dict[str, bytes] = {}
    while len(found) < len(values) + 1:
        entries = await peer.wait_for(m.Entries)
        assert isinstance(entries, m.Entries)
        found |= {put.key: put.value for put in entries.puts}
    assert [found[f"big{number}"] for number in range(len(values))] == values
