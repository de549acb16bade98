"""Handshakes, limits and refusals over real loopback TCP. Time passes by calling the tick with a later clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.downstream.conftest import HELLO, Running, until
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.frames import FrameType, encode_frame
from typha.wire.states import CloseCode, Mode, RefusalCode
from typha_client import connect

Start = Callable[..., Awaitable[Running]]


async def test_client_holds_what_the_server_holds(start: Start) -> None:
    running = await start()
    async with connect(f"127.0.0.1:{running.port}", feed="all", node="n1") as client:
        await client.wait_synced(timeout=10)
        assert client.get("pods", "a") == {"value": 0, "node": "n0"}
        rv = running.put("b", 1)
        await client.wait_for("pods", rv, timeout=10)
        assert client.get("pods", "b") == {"value": 1, "node": "n0"}
        (subscriber,) = running.server.subscribers()
        assert (subscriber.node, subscriber.is_caught_up) == ("n1", True)
        assert {(topic.topic, topic.position) for topic in subscriber.topics} == {("pods", rv), ("hosts", rv)}


async def test_a_dictionary_is_trained_on_a_thread_and_used(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.downstream.dictionaries.repays", lambda frames, saved, cost: saved > 0)
    running = await start()
    for number in range(40):
        running.put(f"some-longer-name-of-a-pod-{number}", number % 2)
    async with (
        connect(f"127.0.0.1:{running.port}", topics="hosts", node="n1") as taker,
        connect(f"127.0.0.1:{running.port}", topics="hosts", node="n2", compression=False) as plain,
    ):
        for client in (taker, plain):
            await client.wait_synced(timeout=10)
        for step in range(5):
            rv = running.put(f"some-longer-name-of-a-pod-{step}", 2 + step)
            for client in (taker, plain):
                await client.wait_for("hosts", rv, timeout=10)
            await running.server._train(1000.0)
        counted = running.server.statistics().compression
        assert (counted.trainings, counted.handed_over) == (1, 1)
        assert counted.dictionary.frames >= 2
        assert counted.dictionary.bytes_after < counted.dictionary.bytes_before
        keys = [f"some-longer-name-of-a-pod-{number}.x" for number in range(40)]
        assert [taker.get("hosts", key) for key in keys] == [plain.get("hosts", key) for key in keys]
        assert taker.get("hosts", "some-longer-name-of-a-pod-4.x") == [6, "n0", "x"]


async def test_who_is_welcomed_is_told_with_how_many_there_are(start: Start) -> None:
    running, told = await start(), list[int]()
    running.server._tell_welcomed = told.append
    for _ in range(3):
        await running.joined()
    assert told == [1, 2, 3]


async def test_handshake_deadline(start: Start) -> None:
    running = await start(handshake_timeout_s=10.0)
    peer = await running.peer()
    peer.writer.write(encode_message(HELLO)[:-1])
    await until(lambda: running.connections)
    running.time_passes(9.0)
    assert running.connections[0].close_due_at == float("inf")
    running.time_passes(10.5)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.message) == (RefusalCode.BAD_HELLO, "no whole Hello within 10 s")


async def test_silence_of_three_intervals_ends_the_connection(start: Start) -> None:
    running = await start(ping_interval_s=30.0)
    peer = await running.joined()
    running.time_passes(31.0)
    assert isinstance(await peer.wait_for(m.Ping), m.Ping)
    running.time_passes(91.0)
    rest = await peer.rest()
    assert isinstance(rest[-1], m.Close)
    assert (rest[-1].code, rest[-1].message) == (CloseCode.PING_TIMEOUT, "nothing heard for 90 s")
    await until(lambda: not running.connections)


async def test_pong_keeps_it_open(start: Start) -> None:
    running = await start()
    peer = await running.joined()
    (connection,) = running.connections
    before = connection.session.heard_at
    peer.send(m.Pong(1, ((0, 2),)))
    await until(lambda: connection.session.heard_at > before)
    assert [s.applied for s in connection.session.subscriptions] == [2]


async def test_half_open_connection_ends(start: Start) -> None:
    """The peer is gone without a word: what is said to it is lost, and the socket goes all the same."""
    running = await start()
    peer = await running.joined()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    running.time_passes(91.0)  # says Close
    await until(lambda: running.connections == [] or running.connections[0].close_due_at < float("inf"))
    running.time_passes(100.0)
    await until(lambda: not running.connections)


@pytest.mark.parametrize("first", [b"\x01", b"\x13\x7f\x03", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"])
async def test_foreign_first_byte_is_closed_without_a_word(start: Start, first: bytes) -> None:
    running = await start()
    peer = await running.peer()
    peer.writer.write(first)
    assert await asyncio.wait_for(peer.reader.read(), 10) == b""
    await until(lambda: not running.connections)
    assert running.server.counters.closed == {"foreign_language": 1}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x00\x01\x00\x01\x01", "frame_too_large"),
        (encode_frame(FrameType.HELLO, b"\xc1garbage"), "bad_payload"),
        (encode_frame(FrameType.HELLO, b"\x80"), "bad_payload"),
        (encode_message(m.Ping(1)), "unexpected_frame"),
        (b"\x00\x00\x00\x00", "bad_payload"),
    ],
)
async def test_breach_before_the_welcome_is_refused_and_counted(start: Start, data: bytes, error: str) -> None:
    running = await start()
    peer = await running.peer()
    peer.writer.write(data)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.BAD_HELLO
    await until(lambda: not running.connections)
    assert running.server.statistics().server.protocol_errors == {error: 1}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x00\x01\x00\x01\x01", "frame_too_large"),
        (encode_frame(FrameType.PONG, b"\xc1"), "bad_payload"),
        (encode_message(m.KeyRequest(1, 1, [])), "unexpected_frame"),
        (encode_message(m.KeyRequest(77, 1, None)), "unexpected_frame"),
        (encode_message(HELLO), "unexpected_frame"),
    ],
)
async def test_breach_after_the_welcome_is_closed_with_its_code(start: Start, data: bytes, code: str) -> None:
    running = await start()
    peer = await running.joined()
    peer.writer.write(data)
    close = (await peer.rest())[-1]
    assert isinstance(close, m.Close)
    assert close.code == code
    await until(lambda: not running.connections)
    assert not running.server.fan_out.subscribers
    assert running.replica.pods.log.readers == 0


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (replace(HELLO, protocol=(7, 9)), RefusalCode.PROTOCOL_VERSION),
        (replace(HELLO, topics=("podz",)), RefusalCode.UNKNOWN_TOPIC),
        (replace(HELLO, feed="nope"), RefusalCode.UNKNOWN_TOPIC),
        (replace(HELLO, where={"pods": {"color": "red"}}), RefusalCode.BAD_HELLO),
        (replace(HELLO, topics=tuple(f"t{n}" for n in range(129))), RefusalCode.BAD_HELLO),
    ],
)
async def test_refusals(start: Start, hello: m.Hello, code: RefusalCode) -> None:
    running = await start(advertise=("10.0.0.2:5473",))
    peer = await running.peer()
    peer.send(hello)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.addresses) == (code, ("10.0.0.2:5473",))
    await until(lambda: running.server.counters.closed == {f"refused_{code}": 1})


async def test_more_connections_than_allowed_are_refused(start: Start) -> None:
    running = await start(max_connections=2)
    await running.joined()
    await running.joined()
    extra = await running.peer()
    (refused,) = await extra.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.OVERLOADED
    assert refused.retry_after_s is not None
    await until(lambda: len(running.connections) == 2)


def seen_ahead(running: Running) -> m.Hello:
    head = running.replica.pods.head
    return replace(HELLO, resume_cluster="uid/0", resume={"pods": m.ResumeTopic(head + 1, head + 1, "1")})


async def test_welcome_waits_and_comes_with_the_round_that_catches_up(start: Start) -> None:
    running = await start()
    peer = await running.peer()
    peer.send(seen_ahead(running))
    await until(lambda: running.server._waiting.count > 0)
    running.put("b", 1)
    welcome = await peer.wait_for(m.Welcome)
    assert isinstance(welcome, m.Welcome)
    assert welcome.topics[0].mode is Mode.RESUME
    assert running.server._waiting.count == 0


async def test_server_that_stays_behind_refuses(start: Start) -> None:
    running = await start(seen_timeout_s=10.0)
    running.probed = running.replica.pods.head + 5  # the API server is ahead: we are merely slow
    peer = await running.peer()
    peer.send(seen_ahead(running))
    await until(lambda: running.server._waiting.count > 0)
    running.time_passes(11.0)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.NOT_READY
    assert "topic pods is at 2 here, the client has seen 3" in refused.message
    assert running.restored == []


async def test_probe_that_fails_proves_nothing(start: Start) -> None:
    running = await start()
    peer = await running.peer()
    peer.send(seen_ahead(running))
    await until(lambda: running.server._waiting.count > 0)
    running.time_passes(11.0)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.NOT_READY
    assert running.restored == []


async def test_probe_below_what_was_seen_is_a_restore(start: Start) -> None:
    running = await start()
    running.probed = running.replica.pods.head
    peer = await running.peer()
    peer.send(seen_ahead(running))
    await until(lambda: running.server._waiting.count > 0)
    running.time_passes(11.0)
    welcome = await peer.wait_for(m.Welcome)
    assert isinstance(welcome, m.Welcome)
    assert (welcome.cluster, welcome.topics[0].mode) == ("uid/restored", Mode.SNAPSHOT)
    assert running.restored == ["a client has seen 3 of pods, the API server is at 2"]


async def test_flood_of_a_peer_that_does_not_read_is_cut(start: Start) -> None:
    """Answers to its pings cannot pile up (that reading also pauses is in test_connection)."""
    running = await start()
    peer = await running.joined()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    (connection,) = running.connections
    peer.writer.write(encode_message(m.Ping(2**62)) * 20_000)
    await until(lambda: connection.session.is_closed)
    assert connection.buffered_bytes < 64 * 1024
    running.time_passes(10.0)
    await until(lambda: not running.connections)
    assert running.server.counters.protocol_errors == {"too_many_frames": 1}


async def test_statistics_count_what_is_open_and_what_was(start: Start) -> None:
    running = await start()
    peer = await running.joined()
    seen = running.server.statistics()
    assert (seen.connections, seen.subscribers, seen.lagging, seen.subscribers_by_topic) == (1, 1, 0, {"pods": 1})
    assert seen.server.modes == {"snapshot": 1}
    sent = seen.server.traffic.bytes_sent
    peer.send(m.Close("done"))
    await until(lambda: not running.connections)
    seen = running.server.statistics()
    assert (seen.connections, seen.subscribers, seen.server.closed) == (0, 0, {"by_client": 1})
    assert seen.server.traffic.bytes_sent == sent
