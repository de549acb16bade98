"""TLS as agents of both languages meet it, on both loops: joins, hostile bytes, slow handshakes, farewells."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.downstream.calico_peer import PLAIN_HELLO, CalicoPeer
from tests.downstream.conftest import HELLO, Peer, Running, until
from tests.kit.pems import server_tls
from typha.downstream import listener as listening
from typha.downstream import server
from typha.downstream.listener import Listener
from typha.downstream.settings import DownstreamSettings
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder

Scene = Callable[[Running, ssl.SSLContext], Awaitable[None]]
Play = Callable[..., None]


def client_hello(version: bytes) -> bytes:
    """Of a client that can do nothing newer, with one cipher of that time."""
    body = version + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


HOSTILE = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "no-tls": encode_message(HELLO),
    "noise": bytes(range(255, 0, -1)) * 4,
    "large-record": b"\x16\x03\x01\xff\xff" + bytes(65_535),
    "no-handshake": b"\x17\x03\x03\x00\x05hello",
    "tls-1.1": client_hello(b"\x03\x02"),
    "cut-hello": b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff",
}


@pytest.fixture
def agent() -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, tmp_path: Path, agent: ssl.SSLContext) -> Play:
    """``play(scene, max_handshakes=1)``: with a running server, on the loop that the test is about."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    authority = trustme.CA()
    authority.configure_trust(agent)
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    context = server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", None)

    def run(scene: Scene, **settings: Any) -> None:
        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 60.0  # a slow machine's warnings are not the server's
            fields = {"round_pause_s": 0.001, "max_age_s": 0.0, **settings}
            async with Running(DownstreamSettings(**fields), context, calico=True).run() as running:
                await scene(running, agent)

        with asyncio.Runner(debug=True, loop_factory=factory) as runner:
            runner.run(main())

    return run


class ByHand:
    """A TLS client whose bytes the test carries; what it never does by itself is answer a close_notify."""

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self.peer = peer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)

    def to_say(self) -> bytes:
        return self._outgoing.read()

    def speak(self) -> None:
        self.peer.writer.write(self.to_say())

    async def hear(self) -> None:
        data = await asyncio.wait_for(self.peer.reader.read(65_536), 10)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def shake_hands(self) -> None:
        while not self._has_shaken_hands():
            self.speak()
            await self.hear()
        self.speak()

    def _has_shaken_hands(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def send(self, message: m.Message) -> None:
        self.tls.write(encode_message(message))
        self.speak()

    async def read(self) -> bytes:
        """Plaintext. b"" after a close_notify, SSLEOFError where the stream was cut off."""
        while True:
            try:
                return self.tls.read(65_536)
            except ssl.SSLWantReadError:
                await self.hear()

    async def wait_for(self, kind: type[m.Message]) -> None:
        while True:
            while (frame := self._decoder.next_frame()) is not None:
                if isinstance(decode_message(frame), kind):
                    return
            self._decoder.receive_data(await self.read())


async def by_hand(running: Running, context: ssl.SSLContext) -> ByHand:
    """In sync."""
    found = ByHand(await running.peer(), context)
    await found.shake_hands()
    found.send(HELLO)
    await found.wait_for(m.Bookmark)
    return found


def listener(running: Running) -> Listener:
    found = running.server._listener
    assert isinstance(found, Listener)
    return found


def handshakes(running: Running) -> int:
    return listener(running).opening


def test_calicos_language_with_a_large_snapshot_to_a_slow_reader(play: Play) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        for number in range(30):
            value = b"\xc6" + (300_000).to_bytes(4, "big") + bytes([number]) * 300_000
            name = f"big{number}"
            running.replica.pods.put(name, 10 + number, [(name, value, ("n0", {"v": "0"}))], time.monotonic())
        peer = await running.peer(context)
        peer.read_slowly()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        agent = CalicoPeer(peer)
        joining = asyncio.create_task(agent.joined(PLAIN_HELLO))
        await until(lambda: running.connections and not running.connections[0].is_drained)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await joining
        assert agent.held.keys() == {"a", "a.x", *(f"big{number}" for number in range(30))}

    play(scene)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_one_line_and_hold_up_nobody(
    play: Play, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        peer = await running.peer()
        with caplog.at_level(logging.WARNING):
            peer.writer.write(data)
            try:
                answer = await asyncio.wait_for(peer.reader.read(), 10)
            except ConnectionResetError:  # what it sent was not all read
                answer = b""
            await until(lambda: not handshakes(running))
        assert answer[:1] in {b"", b"\x15"}  # an alert, or nothing
        assert [(record.name, record.message) for record in caplog.records] == [
            ("typha.downstream", "TLS handshake failed")
        ]
        await (await running.peer(context)).joined()
        assert running.server.counters.accepted == 1

    play(scene)


def test_who_only_connects_is_no_news(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        del context
        peer = await running.peer()
        await until(lambda: handshakes(running))
        peer.writer.close()
        await until(lambda: not handshakes(running))
        assert not caplog.records

    with caplog.at_level(logging.WARNING):
        play(scene)


def test_a_slow_handshake_gives_its_place_up_and_is_served_all_the_same(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "STALL_S", 0.01)

    async def scene(running: Running, context: ssl.SSLContext) -> None:
        slow = ByHand(await running.peer(), context)
        with pytest.raises(ssl.SSLWantReadError):
            slow.tls.do_handshake()
        hello = slow.to_say()
        slow.peer.writer.write(hello[:100])
        await until(lambda: handshakes(running) == 1)
        await (await running.peer(context)).joined()
        for start in range(100, len(hello), 10):
            slow.peer.writer.write(hello[start : start + 10])
            await asyncio.sleep(0)
        await slow.hear()
        await slow.shake_hands()
        slow.send(HELLO)
        await slow.wait_for(m.Bookmark)

    play(scene, max_handshakes=1)


def test_close_lets_go_of_who_was_accepted_in_the_same_turn(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "STALL_S", 60.0)

    async def scene(running: Running, context: ssl.SSLContext) -> None:
        del context
        first, second = await running.peer(), await running.peer()
        await until(lambda: handshakes(running) == 1)
        listener(running)._accept(listener(running)._sockets[0])
        await running.server.close()
        assert [await peer.reader.read() for peer in (first, second)] == [b"", b""]
        assert handshakes(running) == 0

    play(scene, max_handshakes=1)


def test_the_last_word_is_followed_by_close_notify(play: Play) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        agent = await by_hand(running, context)
        agent.send(HELLO)  # a second one is a breach
        await agent.wait_for(m.Close)
        assert await agent.read() == b""

    play(scene)


def test_who_does_not_answer_close_notify_is_let_go(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FAREWELL_S", 0.05)

    async def scene(running: Running, context: ssl.SSLContext) -> None:
        agent = await by_hand(running, context)
        running.connections[0].finish()  # no tick will look at it: its session is open
        assert await agent.read() == b""
        await until(lambda: not running.connections)

    play(scene)


def test_an_agents_close_notify_ends_both_directions(play: Play) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        agent = await by_hand(running, context)
        with pytest.raises(ssl.SSLWantReadError):
            agent.tls.unwrap()
        agent.speak()
        await until(lambda: not running.connections)
        assert await asyncio.wait_for(agent.peer.reader.read(), 10)  # its answer

    play(scene)


def test_a_half_closed_socket_ends_the_connection(play: Play) -> None:
    """Also without close_notify: there is nothing that a peer could have been cut off from."""

    async def scene(running: Running, context: ssl.SSLContext) -> None:
        agent = await by_hand(running, context)
        agent.peer.writer.write_eof()
        await until(lambda: not running.connections)

    play(scene)


def test_damaged_records_end_the_connection_and_no_other(play: Play) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        damaged, other = await by_hand(running, context), await (await running.peer(context)).joined()
        damaged.peer.writer.write(b"\x17\x03\x03\x00\x40" + bytes(64))
        await until(lambda: len(running.connections) == 1)
        other.send(m.Ping(5))
        assert await other.wait_for(m.Pong) == m.Pong(5)

    play(scene)


def test_who_does_not_read_is_cut(play: Play) -> None:
    async def scene(running: Running, context: ssl.SSLContext) -> None:
        await by_hand(running, context)
        (connection,) = running.connections
        while connection.is_drained or connection.buffered_bytes < 2**22:
            connection.write(bytes(65_536))
        assert connection.subscriber.group is not None
        running.server._tick(connection, time.monotonic())
        running.server._tick(connection, time.monotonic() + 121.0)
        await until(lambda: not running.connections)
        assert running.server.counters.closed["stuck"] == 1

    play(scene, stuck_timeout_s=120.0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_not_kept(play: Play, version: ssl.TLSVersion) -> None:
    """With TLS 1.2 as long as the client takes a ticket."""

    async def scene(running: Running, context: ssl.SSLContext) -> None:
        context.maximum_version = version
        agent = await by_hand(running, context)
        assert agent.tls.version() == version.name.replace("_", ".")
        assert agent.tls.session is None or not agent.tls.session.has_ticket or version is ssl.TLSVersion.TLSv1_2
        found = listener(running)._tls
        assert found is not None
        assert found.context.session_stats()["number"] == 0
        assert found.context.options & ssl.OP_NO_RENEGOTIATION

    play(scene)
