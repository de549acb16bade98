"""A real server on loopback, and raw peers that talk to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from tests.kit.server import Clock
from tests.kit.server import Server as Replica
from tests.kit.truth import Body, Truth
from typha.downstream.authentication import Authentication
from typha.downstream.connection import Connection
from typha.downstream.server import Server
from typha.downstream.server_tls import ServerTls
from typha.downstream.settings import DownstreamSettings
from typha.downstream.token_reviews import Review
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder

HELLO = m.Hello("n1", "test/1", topics=("pods",))


class Peer:
    """Speaks frames over a real socket and does nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)

    def send(self, *messages: m.Message) -> None:
        self.writer.write(b"".join(map(encode_message, messages)))

    async def next(self) -> m.Message | None:
        """The next message; None at the end of the stream."""
        while (frame := self._decoder.next_frame()) is None:
            data = await asyncio.wait_for(self.reader.read(65_536), 10)
            if not data:
                return None
            self._decoder.receive_data(data)
        return decode_message(frame)

    def read_slowly(self) -> None:
        """The kernel holds little for it, however much it would set aside for a reader that was fast."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)

    async def wait_for(self, kind: type[m.Message]) -> m.Message:
        """The next message of that kind; others are dropped."""
        while (message := await self.next()) is not None:
            if isinstance(message, kind):
                return message
        raise AssertionError(f"the connection ended before a {kind.__name__} came")

    async def rest(self) -> list[m.Message]:
        """Everything until the server closes."""
        found = []
        with suppress(ConnectionResetError):
            while (message := await self.next()) is not None:
                found.append(message)
        return found

    async def joined(self, hello: m.Hello = HELLO) -> Peer:
        """In sync."""
        self.send(hello)
        await self.wait_for(m.Bookmark)
        return self


class Running:
    """A server with one replica's data. ``probed`` is what the API server's consistent read gives (None: fails)."""

    def __init__(
        self,
        settings: DownstreamSettings,
        tls: ServerTls | None,
        *,
        calico: bool = False,
        authentication: Authentication | None = None,
        review: Review | None = None,
    ) -> None:
        clock = Clock()
        clock.now = time.monotonic()
        self.truth = Truth()
        self.truth.write("a", Body(0, "n0", ("x",)))
        self.replica = Replica("a", self.truth, clock)
        self.replica.relist()
        self.probed: int | None = None
        self.restored: list[str] = []
        self.port = 0
        feeds = {"all": ("pods", "hosts")}
        self.server = Server(
            self.replica.catalog,
            feeds,
            settings,
            probe=self._probe,
            on_restored=self._on_restored,
            tls=tls,
            authentication=authentication,
            review=review,
            calico_feeds={"felix": ("pods", "hosts"), "bgp": ("pods",)} if calico else None,
            verify=True,
        )
        self._peers = AsyncExitStack()

    async def _probe(self, topic: str) -> int:
        if self.probed is None:
            raise OSError(f"no API server for {topic}")
        return self.probed

    def _on_restored(self, why: str) -> None:
        self.restored.append(why)
        self.replica.catalog.set_cluster("uid/restored", time.monotonic())

    async def peer(self, tls: ssl.SSLContext | None = None, *, limit: int = 2**16) -> Peer:
        host = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname=host, limit=limit
        )
        self._peers.push_async_callback(_close, writer)
        return Peer(reader, writer)

    async def joined(self, hello: m.Hello = HELLO) -> Peer:
        return await (await self.peer()).joined(hello)

    def put(self, name: str, value: int) -> int:
        self.truth.write(name, Body(value, "n0", ("x",)))
        self.replica.watch()
        return self.truth.rv

    @property
    def connections(self) -> list[Connection]:
        return list(self.server._connections)

    def time_passes(self, seconds: float) -> None:
        """What the tick does, with a clock that is ``seconds`` ahead."""
        now = time.monotonic() + seconds
        self.server.fan_out.tick(now)
        for connection in self.connections:
            self.server._tick(connection, now)

    @asynccontextmanager
    async def run(self, host: str = "127.0.0.1") -> AsyncIterator[Running]:
        self.port = await self.server.start(host, 0)
        task = asyncio.create_task(self.server.run())
        try:
            async with self._peers:
                yield self
        finally:
            await self.server.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert not self.connections


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until it is true (10 s at most)."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for is not ours to signal
            await asyncio.sleep(0.001)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """``await start(max_connections=2)``: a running server that ends with the test."""
    async with AsyncExitStack() as stack:

        async def begin(
            tls: ServerTls | None = None,
            *,
            calico: bool = False,
            authentication: Authentication | None = None,
            host: str = "127.0.0.1",
            **settings: object,
        ) -> Running:
            fields: dict[str, object] = {"round_pause_s": 0.001, "max_age_s": 0.0, **settings}
            made = DownstreamSettings(**fields)  # type: ignore[arg-type]
            running = Running(made, tls, calico=calico, authentication=authentication)
            return await stack.enter_async_context(running.run(host))

        yield begin
