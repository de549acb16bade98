"""How connections to a server end or move: drain, age, stuck sockets, joiners, TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from tests.downstream.conftest import HELLO, Peer, Running, until
from tests.kit.pems import server_tls
from typha.downstream.tls import TlsError
from typha.wire import messages as m
from typha.wire.states import CloseCode, GoAwayReason, RefusalCode
from typha_client import connect

Start = Callable[..., Awaitable[Running]]


async def test_drain_asks_everybody_to_move_and_ends_when_they_have(start: Start) -> None:
    running = await start(advertise=("10.0.0.2:5473",))
    peers = [await running.joined() for _ in range(3)]
    drain = asyncio.create_task(running.server.drain(0.6))
    for peer in peers:
        go_away = await peer.wait_for(m.GoAway)
        assert isinstance(go_away, m.GoAway)
        assert (go_away.reason, go_away.addresses) == (GoAwayReason.DRAINING, ("10.0.0.2:5473",))
        peer.send(m.Close("moved"))
    await drain
    assert running.connections == []
    assert running.server.statistics().is_draining
    late = await running.peer()
    late.send(HELLO)
    (refused,) = await late.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.DRAINING


async def test_who_is_left_after_the_drain_is_told_by_close(start: Start) -> None:
    running = await start()
    peer = await running.joined()
    silent = await running.peer()
    await until(lambda: len(running.connections) == 2)
    await running.server.drain(0.05)
    assert len(running.connections) == 2
    await running.server.close()
    for left in (peer, silent):
        close = (await left.rest())[-1]
        assert isinstance(close, m.Close)
        assert close.code == CloseCode.DRAINING
    assert running.connections == []


async def test_client_follows_a_drain_to_another_server_without_a_loss(start: Start) -> None:
    first, second = await start(), await start()
    servers = [f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"]
    async with connect(servers, topics=["pods"], node="n1") as client:
        await client.wait_synced(timeout=10)
        left, other = (first, second) if first.connections else (second, first)
        await left.server.drain(5.0)
        assert left.connections == []
        await client.wait_for("pods", other.put("b", 1), timeout=10)
        assert other.server.counters.modes == {"resume": 1}


async def test_max_age_moves_once(start: Start) -> None:
    running = await start(max_age_s=1800.0, go_away_after_s=7.0, ping_interval_s=10_000.0)
    running.server.moves.has_elsewhere = lambda: True
    peer = await running.joined()
    running.time_passes(1600.0)
    assert running.server.counters.go_aways.total() == 0
    running.time_passes(2000.0)
    running.time_passes(2001.0)
    go_away = await peer.wait_for(m.GoAway)
    assert go_away == m.GoAway(GoAwayReason.MAX_AGE, 7.0, ())
    assert running.server.counters.go_aways.total() == 1


async def test_max_age_moves_nobody_while_no_other_server_is_known(start: Start) -> None:
    running = await start(max_age_s=1800.0, ping_interval_s=10_000.0)
    await running.joined()
    running.time_passes(2000.0)
    assert not running.server.counters.go_aways


async def test_drain_waits_before_the_first_is_asked_to_move(start: Start) -> None:
    running = await start(drain_wait_s=0.2)
    peer = await running.joined()
    started = time.monotonic()
    drain = asyncio.create_task(running.server.drain(5.0))
    await peer.wait_for(m.GoAway)
    assert time.monotonic() - started >= 0.2
    peer.send(m.Close("moved"))
    await drain


async def stuck_peer(running: Running) -> Peer:
    """Reads nothing, so that the server's socket to it stays full."""
    peer = await running.joined()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    (connection,) = running.connections
    while connection.is_drained:
        connection.write(b"\x00\x01\x00\x00\x7f" + b"x" * 65_535)
    return peer


async def test_subscriber_that_drains_no_byte_is_cut(start: Start) -> None:
    running = await start(stuck_timeout_s=120.0)
    await stuck_peer(running)
    running.time_passes(0.0)
    running.time_passes(119.0)
    assert running.connections
    running.time_passes(121.0)
    await until(lambda: not running.connections)
    assert running.server.counters.closed == {"stuck": 1}


async def test_silence_does_not_count_while_bytes_wait_for_its_socket(start: Start) -> None:
    """It may have answered each ping; its answers come after what it has to read first."""
    running = await start(ping_interval_s=30.0, stuck_timeout_s=1000.0)
    await stuck_peer(running)
    running.time_passes(200.0)
    assert running.connections[0].close_due_at == float("inf")


async def test_stuck_subscriber_does_not_hold_up_the_others(start: Start) -> None:
    running = await start()
    await stuck_peer(running)
    other = await running.joined()
    rv = running.put("b", 1)
    entries = await other.wait_for(m.Entries)
    assert isinstance(entries, m.Entries)
    assert entries.through == rv


async def test_stalled_joiner_gives_up_its_place_over_tcp(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await start(max_joiners=1)
    monkeypatch.setattr("typha.cache.walk.REBUILD_FRACTION", 1)
    big = b"\xc6" + (300_000).to_bytes(4, "big") + b"x" * 300_000
    for number in range(40):
        running.replica.pods.put(
            f"big{number}", 10 + number, [(f"big{number}", big, ("n0", {"v": "0"}))], time.monotonic()
        )
    sleeper = await running.peer()
    sleeper.send(HELLO)
    await sleeper.wait_for(m.Welcome)
    sleeper.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: not running.connections[0].is_drained)
    assert running.server.fan_out.joiners.count == 1
    other = await running.peer()
    other.send(HELLO)
    await until(lambda: running.server.fan_out.joiners.waiting_count)
    running.time_passes(0.0)
    running.time_passes(5.0)
    await other.wait_for(m.Bookmark)
    assert running.connections[0].subscriber.group is None
    sleeper.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await sleeper.wait_for(m.Bookmark)


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(tmp_path / "cert.pem"), append=number > 0)
    return authority


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls_from_the_first_byte(start: Start, authority: trustme.CA, tmp_path: Path) -> None:
    running = await start(server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", None))
    async with connect(f"localhost:{running.port}", topics=["pods"], node="n1", tls=trusting(authority)) as client:
        await client.wait_synced(timeout=10)
        assert client.get("pods", "a") is not None


async def is_served(running: Running, context: ssl.SSLContext) -> bool:
    """With TLS 1.3 the client learns of its refusal at its first read."""
    try:
        peer = await running.peer(context)
        peer.send(HELLO)
        return isinstance(await peer.next(), m.Welcome)
    except (ssl.SSLError, ConnectionError):
        return False


async def test_client_certificate_is_demanded(start: Start, authority: trustme.CA, tmp_path: Path) -> None:
    running = await start(server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"))
    assert not await is_served(running, trusting(authority))
    stranger, agent = trusting(authority), trusting(authority)
    trustme.CA().issue_cert("stranger").configure_cert(stranger)
    assert not await is_served(running, stranger)
    authority.issue_cert("agent").configure_cert(agent)
    assert await is_served(running, agent)
    assert running.server.counters.accepted == 1


async def test_plaintext_to_a_tls_port_ends(start: Start, authority: trustme.CA, tmp_path: Path) -> None:
    del authority
    running = await start(server_tls(tmp_path / "cert.pem", tmp_path / "key.pem", None))
    peer = await running.peer()
    peer.send(HELLO)
    assert await peer.rest() == []
    assert running.server.counters.accepted == 0


def test_unusable_files_are_named(authority: trustme.CA, tmp_path: Path) -> None:
    del authority
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(TlsError, match=r"nowhere.pem .* do they belong together"):
        server_tls(tmp_path / "nowhere.pem", key, None)
    with pytest.raises(TlsError, match=r"key\.pem"):
        server_tls(key, key, None)
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(TlsError, match=r"CA .*empty.pem: .*must hold PEM"):
        server_tls(cert, key, tmp_path / "empty.pem")
