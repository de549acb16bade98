"""Our writer's bytes, decoded by Go: plain and snappy, with and without decoder restarts, and the recorded sessions."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.calico_wire import recordings
from tests.controlplane.go_program import BUILD_TIMEOUT_S
from tests.interop.go_agent import GoAgent, digest_of
from tests.interop.scripted_peer import Gone, ScriptedPeer, Talk
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.messages import Ack, ClientHello, KVs, Pong, SyncStatus, UpdateType
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.snappy import SnappyWriter
from typha.calico_wire.writer import (
    encode_decoder_restart,
    encode_element,
    encode_kvs,
    encode_ping,
    encode_server_hello,
    encode_status,
)

# The first test builds the agent.
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

SNAPPY = SnappyWriter()
HELD = recordings.held_by_server("felix")
ELEMENTS = [encode_element(*kv, UpdateType.NEW) for kv in HELD]
READY, NETSET, CHANGED = "/calico/v1/Ready", "/calico/v1/netset/gns1", "/calico/v1/policy/tier/ünïque <&>/metadata"
# Of every length that a number of gob has another size for, and beyond one snappy chunk.
LONG = {f"/calico/v1/config/{size}": "v" * size for size in (1, 127, 128, 255, 256, 65_535, 65_536, 200_000)}
DELTAS = (
    encode_kvs([encode_element(READY, b"false", "400", "", UpdateType.UPDATED)]),
    encode_kvs([encode_element(NETSET, None, "", "", UpdateType.DELETED)]),
    encode_kvs(
        [
            encode_element(CHANGED, '{"ü":"<&>"}'.encode(), "r" * 300, "v" * 130, UpdateType.NEW),
            *(encode_element(key, value.encode(), "", "", UpdateType.UNKNOWN) for key, value in LONG.items()),
        ]
    ),
)
PING_NS = 1795389264083549216
STATE = {key: value.decode() for key, value, _, _ in HELD if key != NETSET} | LONG
STATE |= {READY: "false", CHANGED: '{"ü":"<&>"}'}


def kv(key: str, value: str | None, revision: str, v3: str, kind: int) -> dict[str, Any]:
    return {"key": key, "value": value, "revision": revision, "v3": v3, "type": kind}


SNAPSHOT_LINES = [kv(key, value.decode(), revision, v3, 1) for key, value, revision, v3 in HELD]
DELTA_LINES = [
    kv(READY, "false", "400", "", 2),
    kv(NETSET, None, "", "", 3),
    kv(CHANGED, '{"ü":"<&>"}', "r" * 300, "v" * 130, 1),
    *(kv(key, value, "", "", 0) for key, value in LONG.items()),
]


async def session(talk: Talk, *, restarts: tuple[str, ...] = ()) -> ClientHello:
    """Hello, as many restarts as wanted, snapshot in three chunks, status, deltas, ping; then until the agent goes."""
    hello = await talk.hello()
    await talk.send(PREAMBLE + encode_server_hello("v1", hello.syncer_type or "felix", 2**64 - 1))
    compressed = False
    for algorithm in restarts:
        restart = encode_decoder_restart("for a test", algorithm)
        await talk.send(SNAPPY.compress(restart) if compressed else restart)
        await talk.receive(Ack)
        compressed = algorithm == "snappy"
        await talk.send(SNAPPY_PREAMBLE if compressed else PREAMBLE)
    messages = [encode_kvs(ELEMENTS[start : start + 20]) for start in range(0, len(ELEMENTS), 20)]
    messages += [encode_kvs([]), encode_status(SyncStatus.IN_SYNC), *DELTAS, encode_ping(PING_NS)]
    await talk.send(*(SNAPPY.compress(message) if compressed else message for message in messages))
    assert await talk.receive(Pong) == Pong(PING_NS)
    down = [encode_status(status) for status in (SyncStatus.RESYNC, SyncStatus.WAIT_FOR_READY)]
    await talk.send(*(SNAPPY.compress(message) if compressed else message for message in down))
    await talk.closed()
    return hello


@pytest.mark.parametrize(
    "restarts", [(), ("",), ("snappy",), ("snappy", "snappy"), ("snappy", ""), ("", "snappy", "", "snappy")]
)
async def test_go_decodes_our_writer(restarts: tuple[str, ...]) -> None:
    hellos: list[ClientHello] = []

    async def script(talk: Talk) -> None:
        hellos.append(await session(talk, restarts=restarts))

    flags = ("-snappy", "-hostname", "host", "-disconnect-at", "status", "-at", "3")
    async with ScriptedPeer(script) as peer, GoAgent(peer.address, *flags) as agent:
        await agent.wait_count("end", 1)
        assert agent.of("end") == [{"error": "disconnected where it was told to"}]
        assert agent.of("hello") == [
            {"version": "v1", "feed": "felix", "node_resources": True, "connection": str(2**64 - 1)}
        ]
        assert agent.of("restart") == [{"compression": each, "message": "for a test"} for each in restarts]
        assert agent.of("kv") == SNAPSHOT_LINES + DELTA_LINES
        assert agent.of("ping") == [{"unix_ns": PING_NS}]
        assert agent.of("status") == [
            {"status": 2, "keys": len(HELD)},
            {"status": 1, "keys": len(STATE)},
            {"status": 0, "keys": len(STATE)},
        ]
        assert agent.state() == STATE
        assert agent.lines[-1]["is"] == "end"
    assert hellos == [
        ClientHello(
            "host-0",
            "interop",
            "go",
            "felix",
            supports_decoder_restart=True,
            compression_algorithms=("snappy",),
            supports_modern_policy_keys=True,
            connection_id=1,
        )
    ]


async def test_many_agents_at_once_share_bytes() -> None:
    async def script(talk: Talk) -> None:
        await session(talk, restarts=("snappy",))

    async with ScriptedPeer(script) as peer, GoAgent(peer.address, "-agents", "20", "-quiet", "-snappy") as agents:
        await agents.wait_count("status", 60)
        assert await agents.digests(20) == [digest_of(STATE)] * 20
        assert {line["is"] for line in agents.lines} == {"hello", "restart", "status", "ping", "state"}


async def test_bytes_one_by_one_and_a_sleeping_agent() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello()
        whole = PREAMBLE + encode_server_hello("v1", "felix", 1) + encode_kvs(ELEMENTS[:3]) + DELTAS[0]
        await talk.send(*(bytes((byte,)) for byte in whole))
        await talk.closed()

    flags = ("-sleep", "200ms", "-sleep-at", "server-hello", "-disconnect-at", "kvs", "-at", "1")
    async with ScriptedPeer(script) as peer, GoAgent(peer.address, *flags) as agent:
        await agent.wait_count("end", 1)
        assert [line["is"] for line in agent.lines] == ["hello", "sleep", "awake", "kv", "kv", "kv", "end"]


@pytest.mark.parametrize("point", ["connect", "hello", "server-hello", "restart", "ack", "kvs", "status", "ping"])
async def test_the_agent_disconnects_at_every_point(point: str) -> None:
    gone = asyncio.Event()

    async def until_it_goes(talk: Talk) -> None:
        if point == "connect":
            await talk.closed()
        await session(talk, restarts=("snappy",))

    async def script(talk: Talk) -> None:
        # Where it goes decides whether the next read ends, or the next write fails.
        with suppress(ConnectionError, Gone):
            await until_it_goes(talk)
        gone.set()

    async with ScriptedPeer(script) as peer, GoAgent(peer.address, "-disconnect-at", point) as agent:
        await agent.wait_count("end", 1)
        await asyncio.wait_for(gone.wait(), 20)


async def test_an_agent_that_reconnects_forgets_what_was_not_sent_again() -> None:
    connections = 0

    async def script(talk: Talk) -> None:
        nonlocal connections
        connections += 1
        hello = await talk.hello()
        await talk.send(PREAMBLE + encode_server_hello("v1", hello.syncer_type, connections))
        kept = ELEMENTS if connections == 1 else ELEMENTS[5:]
        await talk.send(encode_kvs(kept), encode_status(SyncStatus.IN_SYNC))
        if connections > 1:
            await talk.closed()

    async with ScriptedPeer(script) as peer, GoAgent(peer.address, "-reconnect", "-quiet") as agent:
        await agent.wait_count("status", 2)
        assert agent.of("status") == [{"status": 2, "keys": 46}, {"status": 2, "keys": 41}]
        assert await agent.digests(1) == [digest_of({key: value.decode() for key, value, _, _ in HELD[5:]})]
        assert agent.of("end") == [{"error": "EOF"}]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ((encode_status(SyncStatus.IN_SYNC),), "something came before the server hello"),
        ((encode_server_hello("v1", "bgp", 1),), 'feed "bgp" where "felix" was asked for'),
        ((encode_server_hello("v1", "felix", 1),) * 2, "a second server hello"),
        ((encode_server_hello("v1", "felix", 1), PREAMBLE), "gob: duplicate type received"),
    ],
)
async def test_the_agent_is_as_strict_as_calicos(sent: tuple[bytes, ...], error: str) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello()
        await talk.send(PREAMBLE, *sent)
        await talk.closed()

    async with ScriptedPeer(script) as peer, GoAgent(peer.address, "-restart=false", "-modern=false") as agent:
        await agent.wait_count("end", 1)
        assert agent.of("end") == [{"error": error}]


@pytest.mark.parametrize(("number", "feed"), [(1, "bgp"), (2, "felix")])
async def test_go_and_our_reader_agree_on_recorded_typha(number: int, feed: str) -> None:
    recorded = recordings.from_server(number)
    updates = [
        update
        for message in recordings.read_all(ServerStream(), recorded)
        if isinstance(message, KVs)
        for update in message.updates
    ]

    async def script(talk: Talk) -> None:
        await talk.hello()
        await talk.send(recorded)
        if number == 2:
            assert await talk.receive(Pong) == Pong(PING_NS)

    async with ScriptedPeer(script) as peer, GoAgent(peer.address, "-feed", feed) as agent:
        await agent.wait_count("end", 1)
        assert agent.of("kv") == [
            kv(key, None if value is None else value.decode(), revision or "", v3, kind)
            for key, value, revision, v3, _, kind in updates
        ]
        assert agent.of("end") == [{"error": "EOF"}]
