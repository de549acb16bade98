"""One connection of a client under test to the fake server. Runs in that server's thread; for tests only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.errors import WireError
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.question import is_question

if TYPE_CHECKING:
    from typha_client.testing import FakeServer


class FakeSubscriber(asyncio.Protocol):
    """One connection of a client under test. Runs in the server's thread."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.hello: m.Hello | None = None
        self.ids: dict[str, int] = {}
        self.wheres: dict[str, m.Where] = {}
        self.transport: asyncio.Transport | None = None
        self.gone = asyncio.Event()
        self.reconciling: set[str] = set()
        self._decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP (and TLS) stand."""
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self.server.sockets.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone."""
        del error
        self.server.sockets.discard(self)
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        try:
            self._decoder.receive_data(data)
            while (frame := self._decoder.next_frame()) is not None:
                message = decode_message(frame)
                if message is not None:
                    self.server.received.append(message)
                    self._handle(message)
        except WireError as error:
            self.send(m.Close("protocol_error", str(error)))
            self.hang_up()

    def send(self, *messages: m.Message) -> None:
        """Write frames in one go."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(map(encode_message, messages)))

    def hang_up(self) -> None:
        """Close after what was written."""
        if self.transport is not None:
            self.transport.close()

    def _handle(self, message: m.Message) -> None:
        match message:
            case m.Hello() if is_question(message):
                self.send(self.server.load())
            case m.Hello():
                self.hello = message
                self.server.hellos.append(message)
                self._answer(message)
            case m.KeyRequest():
                name = next(name for name, number in self.ids.items() if number == message.topic_id)
                topic = self.server.topics[name]
                index = topic.index(message, self.wheres[name])
                self.reconciling.discard(name)
                self.send(index, m.Bookmark((m.BookmarkTopic(message.topic_id, topic.head, 0),)))
            case m.Ping(t) if self.server.answer_pings:
                self.send(m.Pong(t))
            case _:
                pass

    def _answer(self, hello: m.Hello) -> None:
        server = self.server
        names = list(dict.fromkeys((*hello.topics, *server.feeds.get(hello.feed or "", ()))))
        if (refusal := server.refusal_of(hello, names)) is not None:
            self.send(refusal)
            self.hang_up()
            return
        self.ids = {name: number for number, name in enumerate(names)}
        self.wheres = {name: hello.where.get(name, {}) for name in names}
        resume = hello.resume if hello.resume_cluster == server.cluster else {}
        welcomes, frames = [], []
        for name, number in self.ids.items():
            topic = server.topics[name]
            mode, catch_up = topic.catch_up(number, resume.get(name), self.wheres[name])
            welcomes.append(m.WelcomeTopic(name, number, mode, topic.format))
            frames.extend(catch_up)
            if isinstance(catch_up[-1], m.KeyDigest):
                self.reconciling.add(name)
        self.send(
            m.Welcome(
                "fake/1",
                f"s{len(server.hellos)}",
                server.cluster,
                tuple(welcomes),
                ping_interval_s=server.ping_interval_s,
            ),
            m.Status(
                tuple(m.TopicStatus(n, server.topics[name].state, 0, "") for name, n in self.ids.items()),
            ),
            *frames,
        )
