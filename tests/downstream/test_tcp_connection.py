"""A connection that writes to its socket itself, over real sockets on both loops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from tests.downstream.conftest import until
from tests.downstream.pipe import Pipe
from tests.downstream.talk import noting, session_of, synced_server
from typha.downstream.tcp_connection import TcpConnection

Play = Callable[[Callable[[TcpConnection, socket.socket, list[str]], Awaitable[None]]], None]
_DEADLINE_S = 10.0


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Play a scene with an open connection, its peer's blocking socket and the owner's notes."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    def run(scene: Callable[[TcpConnection, socket.socket, list[str]], Awaitable[None]]) -> None:
        async def whole() -> None:
            calls: list[str] = []
            ours, peer = socket.socketpair()
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            connection = TcpConnection(session_of(synced_server()), noting(calls), ours)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, ours)
            with peer:
                await scene(connection, peer, calls)
            connection.abort("over")

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(whole())

    return run


async def drained(connection: TcpConnection, peer: socket.socket) -> bytes:
    """What the peer reads until nothing waits."""
    read = bytearray()
    peer.setblocking(False)
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            try:
                read += peer.recv(65_536)
            except BlockingIOError:
                if connection.is_drained:
                    return bytes(read)
                await asyncio.sleep(0)


def test_bytes_arrive_in_order_however_little_the_kernel_takes(play: Play) -> None:
    async def scene(connection: TcpConnection, peer: socket.socket, calls: list[str]) -> None:
        handed, read = bytearray(), bytearray()
        for turn in range(20):
            for number in range(40):
                block = bytes((turn,)) * 700 + bytes((number,)) * 37
                connection.write(block)
                handed += block
            assert connection.is_drained == (connection.buffered_bytes == 0)
            read += await drained(connection, peer)
        assert read == handed
        assert "drained" in calls

    play(scene)


def test_send_tells_what_was_taken_and_keeps_nothing(play: Play) -> None:
    async def scene(connection: TcpConnection, peer: socket.socket, calls: list[str]) -> None:
        block = bytes(range(256)) * 4096
        taken = connection.send(block)
        assert 0 < taken < len(block)
        assert connection.buffered_bytes == 0
        with pytest.raises(BlockingIOError):
            connection.send(block)
        connection.write(memoryview(block)[taken:])
        assert not connection.is_drained
        assert await drained(connection, peer) == block

    play(scene)


def test_peer_that_is_gone_is_lost(play: Play) -> None:
    async def scene(connection: TcpConnection, peer: socket.socket, calls: list[str]) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        for _ in range(3):
            connection.write(b"nobody reads this")
        await until(lambda: "lost" in calls)
        assert (connection.session.closed_by or "").startswith("lost")
        with pytest.raises(OSError, match="Bad file descriptor"):  # never another peer's socket of the same number
            connection.send(b"x")

    play(scene)


def test_finished_connection_takes_nothing_more(play: Play) -> None:
    async def scene(connection: TcpConnection, peer: socket.socket, calls: list[str]) -> None:
        connection.write(b"last words")
        connection.finish()
        connection.write(b"and more")
        assert not connection.is_drained
        await until(lambda: "lost" in calls)
        assert peer.recv(100) == b"last words"
        assert peer.recv(100) == b""

    play(scene)


def test_a_transport_that_holds_one_byte_counts_as_full() -> None:
    """Else the next send would overtake it."""
    ours, peer = socket.socketpair()
    with ours, peer:
        connection, pipe = TcpConnection(session_of(synced_server()), noting([]), ours), Pipe()
        connection.connection_made(pipe)
    assert pipe.limits == (0, 0)
