"""Calico agents over real sockets, which do nothing by themselves, and a running server that speaks both languages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from tests.downstream.conftest import Peer, Running
from typha.calico_wire import messages as c
from typha.calico_wire.agent import PREAMBLE, ServerStream, encode_agent_message

HELLO = c.ClientHello("node-1", "felix", "v3.31", "felix", True, ("snappy",), True, 4)
PLAIN_HELLO = replace(HELLO, compression_algorithms=())

M = TypeVar("M", bound=c.ServerMessage)
Start = Callable[..., Awaitable[Running]]


class CalicoPeer:
    """Over the socket of a ``Peer``. ``held`` is what the KVs read so far add up to."""

    def __init__(self, peer: Peer) -> None:
        self.reader, self.writer = peer.reader, peer.writer
        self.held: dict[str, bytes] = {}
        self._stream = ServerStream()
        self._is_first = True

    def send(self, *messages: c.AgentMessage) -> None:
        data = b"".join(map(encode_agent_message, messages))
        self.writer.write(PREAMBLE + data if self._is_first else data)
        self._is_first = False

    async def next(self) -> c.ServerMessage | None:
        """The next message, restarts answered; None at the end of the stream."""
        while (message := self._stream.next_message()) is None:
            data = await asyncio.wait_for(self.reader.read(65_536), 10)
            if not data:
                return None
            self._stream.receive_data(data)
        if isinstance(message, c.DecoderRestart):
            self.send(c.Ack())
        elif isinstance(message, c.KVs):
            for update in message.updates:
                if update.value is None:
                    self.held.pop(update.key, None)
                else:
                    self.held[update.key] = update.value
        return message

    async def wait_for(self, kind: type[M]) -> M:
        """The next message of that kind; others are only taken in."""
        while (message := await self.next()) is not None:
            if isinstance(message, kind):
                return message
        raise AssertionError(f"the connection ended before a {kind.__name__} came")

    async def rest(self) -> list[c.ServerMessage]:
        """Everything until the server closes."""
        found = []
        with suppress(ConnectionResetError):
            while (message := await self.next()) is not None:
                found.append(message)
        return found

    async def joined(self, hello: c.ClientHello = HELLO) -> CalicoPeer:
        """In sync."""
        self.send(hello)
        assert (await self.wait_for(c.Status)).status == c.SyncStatus.IN_SYNC
        return self


async def calico_peer(running: Running) -> CalicoPeer:
    """Connected, and silent."""
    return CalicoPeer(await running.peer())


async def calico_joined(running: Running, hello: c.ClientHello = HELLO) -> CalicoPeer:
    return await (await calico_peer(running)).joined(hello)
