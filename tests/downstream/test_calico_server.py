"""Both languages on one real port: Calico's agents over sockets, beside native ones."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.downstream.calico_peer import HELLO, PLAIN_HELLO, CalicoPeer, Start, calico_joined, calico_peer
from tests.downstream.conftest import Running, until
from tests.kit.pems import server_tls
from typha.calico_wire import messages as c
from typha.calico_wire.agent import PREAMBLE
from typha.downstream.calico_session import MESSAGES_AT_ONCE
from typha.wire import messages as m

POD = b'{"value":1,"node":"n0"}'


async def closed(running: Running, peer: CalicoPeer) -> dict[str, int]:
    """The server closed the peer; why, by its counters."""
    await peer.rest()
    await until(lambda: not running.connections)
    return dict(running.server.statistics().server.closed)


@pytest.mark.parametrize("hello", [HELLO, PLAIN_HELLO, replace(HELLO, supports_decoder_restart=False)])
async def test_one_port_both_languages(start: Start, hello: c.ClientHello) -> None:
    running = await start(calico=True)
    native, agent = await running.joined(), await calico_joined(running, hello)
    assert agent.held == {"a": b'{"value":0,"node":"n0"}', "a.x": b'[0,"n0","x"]'}
    rv = running.put("b", 1)
    entries = await native.wait_for(m.Entries)
    assert isinstance(entries, m.Entries)
    assert entries.through == rv
    while agent.held.get("b") != POD:
        await agent.wait_for(c.KVs)
    seen = running.server.statistics()
    assert (seen.connections, seen.subscribers, seen.lagging) == (2, 2, 0)
    assert seen.subscribers_by_topic == {"pods": 1, "felix (calico)": 1}
    (listed,) = [each for each in running.server.subscribers() if each.agent.startswith("calico/")]
    assert (listed.node, listed.agent, listed.is_caught_up) == ("node-1", "calico/v3.31 felix", True)


async def test_every_agent_is_told_a_change_once_and_bookmarks_cost_them_nothing(start: Start) -> None:
    running = await start(calico=True, bookmark_interval_s=0.01)
    agent = await calico_joined(running)
    (connection,) = running.connections
    await until(lambda: connection.subscriber.group)
    frames = connection.subscriber.frames_sent
    running.time_passes(50.0)
    await asyncio.sleep(0.05)
    assert connection.subscriber.frames_sent <= frames + 1  # the ping
    running.put("b", 1)
    kvs = await agent.wait_for(c.KVs)
    assert [(u.key, u.update_type) for u in kvs.updates] == [("b", c.UpdateType.NEW), ("b.x", c.UpdateType.NEW)]


async def test_server_without_calico_feeds_closes_agents(start: Start) -> None:
    running = await start()
    agent = await calico_peer(running)
    agent.send(HELLO)
    assert await closed(running, agent) == {"foreign_language": 1}


async def test_hello_in_single_bytes(start: Start) -> None:
    running = await start(calico=True)
    agent = await calico_peer(running)
    for byte in PREAMBLE:
        agent.writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    agent._is_first = False
    await agent.joined()


@pytest.mark.parametrize(
    "sent",
    [b"", PREAMBLE[:1], PREAMBLE, None],
    ids=["no byte", "first byte", "definitions", "no ack"],
)
async def test_handshake_has_its_time(start: Start, sent: bytes | None) -> None:
    running = await start(calico=True, handshake_timeout_s=10.0)
    agent = await calico_peer(running)
    if sent is None:
        agent.send(HELLO)
        await agent.reader.readuntil(b"snappy\x00\x00")
    else:
        agent.writer.write(sent)
    wanted = len(HELLO.hostname) if sent is None else len(sent)
    await until(lambda: running.server.counters.traffic.bytes_received >= wanted)
    running.time_passes(9.0)
    assert running.connections[0].close_due_at == float("inf")
    running.time_passes(11.0)
    await agent.reader.read()
    await until(lambda: not running.connections)
    assert running.server.counters.closed["refused_bad_hello"] == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"syncer_type": "nope"}, "refused_unknown_topic"),
        ({"supports_modern_policy_keys": False}, "refused_protocol_version"),
    ],
)
async def test_refused_agents_hear_nothing_and_are_counted(
    start: Start, caplog: pytest.LogCaptureFixture, changes: dict[str, object], code: str
) -> None:
    running = await start(calico=True)
    agent = await calico_peer(running)
    agent.send(replace(HELLO, **changes))  # type: ignore[arg-type]
    assert await agent.rest() == []
    await until(lambda: not running.connections)
    assert running.server.counters.closed[code] == 1
    (record,) = [record for record in caplog.records if record.message == "connection closed"]
    assert record.__dict__["code"] == code
    assert record.__dict__["error"]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x16\x03\x01" + b"\x00" * 600, "bad_gob"), (b"\xfc\x7f\xff\xff\xff", "too_large"), (b"\xf0" * 9, "bad_gob")],
)
async def test_breaches_are_counted_by_code(start: Start, data: bytes, code: str) -> None:
    running = await start(calico=True)
    agent = await calico_peer(running)
    agent.writer.write(data)
    assert (await closed(running, agent))[code] == 1
    assert running.server.statistics().server.protocol_errors == {code: 1}


async def test_flood_of_pongs_is_cut(start: Start) -> None:
    running = await start(calico=True)
    agent = await calico_joined(running)
    agent.send(*[c.Pong(1)] * (10 * MESSAGES_AT_ONCE))
    assert (await closed(running, agent))["too_many"] == 1
    assert not running.server.fan_out.subscribers


async def test_ping_every_interval_and_silence_is_cut(start: Start) -> None:
    running = await start(calico=True, calico_ping_interval_s=10.0, calico_pong_timeout_s=60.0, ping_interval_s=1e6)
    agent = await calico_joined(running)
    running.time_passes(9.0)
    running.time_passes(10.1)
    running.time_passes(19.0)
    running.time_passes(20.2)
    pings = [await agent.wait_for(c.Ping) for _ in range(2)]
    assert all(ping.timestamp_ns for ping in pings)
    (connection,) = running.connections
    heard_at = connection.session.heard_at
    agent.send(*(c.Pong(ping.timestamp_ns) for ping in pings))
    await until(lambda: connection.session.heard_at > heard_at)
    running.time_passes(55.0)
    assert running.connections
    running.time_passes(61.0)
    assert (await closed(running, agent))["ping_timeout"] == 1


async def test_pings_by_the_clock(start: Start) -> None:
    """The only test that waits for the real tick, which comes once a second."""
    running = await start(calico=True, calico_ping_interval_s=0.1)
    agent = await calico_joined(running)
    assert (await agent.wait_for(c.Ping)).timestamp_ns


async def test_stuck_agent_is_cut_and_holds_up_nobody(start: Start) -> None:
    running = await start(calico=True, stuck_timeout_s=120.0)
    agent = await calico_joined(running)
    agent.writer.transport.pause_reading()  # type: ignore[attr-defined]
    (connection,) = running.connections
    while connection.is_drained:
        connection.write(b"\x00" * 65_536)
    other = await calico_joined(running, PLAIN_HELLO)
    running.put("b", 1)
    while other.held.get("b") != POD:
        await other.wait_for(c.KVs)
    await until(lambda: connection.subscriber.group is None)
    for seconds in (0.0, 50.0):
        running.time_passes(seconds)
    other.send(c.Pong(1))
    assert len(running.connections) == 2
    running.server._tick(connection, time.monotonic() + 121.0)
    await until(lambda: len(running.connections) == 1)
    assert running.server.counters.closed["stuck"] == 1


async def test_slow_agent_catches_up_compacted_by_key(start: Start) -> None:
    running = await start(calico=True)
    agent = await calico_joined(running)
    agent.writer.transport.pause_reading()  # type: ignore[attr-defined]
    (connection,) = running.connections
    # Padding, which every reader of snappy skips, until its socket takes no more.
    filler = b"\xfe\x00\x00\x04" + bytes(0x40000)
    while connection.is_drained:
        connection.write(filler)
    for value in range(200):
        running.put("b", value)
        if value % 20 == 0:
            await asyncio.sleep(0.003)
    running.put("b", 1)
    await until(lambda: connection.subscriber.group is None)
    agent.writer.transport.resume_reading()  # type: ignore[attr-defined]
    updates = 0
    while agent.held.get("b") != POD:
        updates += len((await agent.wait_for(c.KVs)).updates)
    assert updates <= 4
    await until(lambda: connection.subscriber.group)


async def test_drain_closes_agents_one_after_the_other_and_refuses_who_comes(start: Start) -> None:
    running = await start(calico=True)
    agents = [await calico_joined(running) for _ in range(4)]
    drain = asyncio.create_task(running.server.drain(0.8))
    loop, ended = asyncio.get_running_loop(), []
    for task in asyncio.as_completed([asyncio.create_task(agent.rest()) for agent in agents]):
        assert not [message for message in await task if not isinstance(message, c.Ping)]
        ended.append(loop.time())
    await drain
    # Half of the grace for all of them: a quarter of that apart.
    assert ended[-1] - ended[0] > 0.2
    assert running.server.counters.closed["draining"] == 4
    late = await calico_peer(running)
    late.send(HELLO)
    assert await late.rest() == []
    await until(lambda: running.server.counters.closed["refused_draining"] == 1)


async def test_closing_server_ends_agents_in_every_state(start: Start) -> None:
    running = await start(calico=True)
    peers = [await calico_joined(running), await calico_peer(running), await calico_peer(running)]
    peers[1].send(HELLO)
    await until(lambda: len(running.connections) == 3)
    await running.server.close()
    for peer in peers:
        with suppress(ConnectionResetError):  # what it sent may not have been read
            await peer.reader.read()
    assert running.connections == []


async def test_age_moves_native_agents_only(start: Start) -> None:
    running = await start(calico=True, max_age_s=1800.0, ping_interval_s=1e6, calico_pong_timeout_s=1e6)
    running.server.moves.has_elsewhere = lambda: True
    native, agent = await running.joined(), await calico_joined(running)
    running.time_passes(2400.0)
    assert isinstance(await native.wait_for(m.GoAway), m.GoAway)
    running.put("b", 1)
    while agent.held.get("b") != POD:
        await agent.wait_for(c.KVs)
    assert len(running.connections) == 2
    assert running.server.counters.go_aways.total() == 1


async def test_no_snapshot_while_memory_is_short(start: Start) -> None:
    running = await start(calico=True)
    running.server.connection_limits.joins_paused = "memory"
    peer = await calico_peer(running)
    peer.send(HELLO)
    assert await closed(running, peer) == {"refused_overloaded": 1}
    assert running.server.counters.over_limits == {"memory": 1}


async def test_more_connections_than_allowed(start: Start) -> None:
    running = await start(calico=True, max_connections=2)
    await running.joined()
    await calico_joined(running)
    extra = await calico_peer(running)
    with suppress(ConnectionError):
        extra.send(HELLO)
        await extra.reader.read()
    await until(lambda: len(running.connections) == 2)
    assert running.server.counters.closed["refused_overloaded"] == 1
    assert running.server.counters.welcomed == 2


async def test_tls(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    running = await start(server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", None), calico=True)
    agent = await CalicoPeer(await running.peer(trusting)).joined()
    assert agent.held.keys() == {"a", "a.x"}
