"""A server that sends what a test scripted, on a socket of the test: hello read, bytes written, messages awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from typha.calico_wire.messages import AgentMessage, ClientHello
from typha.calico_wire.reader import agent_messages

M = TypeVar("M")
Script = Callable[["Talk"], Awaitable[None]]


class Gone(Exception):  # noqa: N818 - what happened, not an error of anybody
    """The agent closed the connection where the script awaited a message."""


class Talk:
    """One connection, seen from the script."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._messages = agent_messages()

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()

    async def receive(self, kind: type[M]) -> M:
        """The next message, which has to be of this kind."""
        message = await self._next()
        if message is None:
            raise Gone
        assert isinstance(message, kind)
        return message

    async def hello(self) -> ClientHello:
        return await self.receive(ClientHello)

    async def closed(self) -> None:
        """Until the agent is gone, having said no more."""
        with suppress(ConnectionError):
            assert await self._next() is None

    async def _next(self) -> AgentMessage | None:
        while (message := self._messages.next_message()) is None:
            data = await self._reader.read(65_536)
            if not data:
                return None
            self._messages.receive_data(data)
        return message


class ScriptedPeer:
    """Runs ``script`` for each connection and closes it behind it; what a script raised, the context raises."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._errors: list[Exception] = []
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()
        if self._errors:
            raise ExceptionGroup("scripts failed", self._errors)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            await self._script(Talk(reader, writer))
        except Exception as error:  # noqa: BLE001 - kept for the test, which would hang on a silent peer
            self._errors.append(error)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            self._talks.discard(talk)
