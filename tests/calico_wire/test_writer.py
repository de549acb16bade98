"""The writer: documented bytes (Calico's wire, recorded from real Typha and a Go encoder), joins, and refusals."""

from __future__ import annotations

import hashlib

import pytest

from tests.calico_wire.recordings import held_by_server, read_all
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.errors import UnencodableError
from typha.calico_wire.gob import encode_int, encode_uint
from typha.calico_wire.messages import KVs, SerializedUpdate, SyncStatus, UpdateType
from typha.calico_wire.preamble import PREAMBLE
from typha.calico_wire.writer import (
    encode_decoder_restart,
    encode_element,
    encode_kvs,
    encode_ping,
    encode_server_hello,
    encode_status,
)


def named(name: str) -> str:
    return ("github.com/projectcalico/typha/pkg/syncproto." + name).encode().hex()


READY = encode_element("/calico/v1/Ready", b"true", "307", "", UpdateType.NEW)


def test_the_preamble_is_what_agents_were_seen_to_accept() -> None:
    assert len(PREAMBLE) == 487
    assert hashlib.sha256(PREAMBLE).hexdigest() == "97e0b835e7da2f5043d44f81367d0e3c463327d8b23f64b2e8b06a8b627abd96"
    assert PREAMBLE.startswith(
        bytes.fromhex("22ff8103010108456e76656c6f706501ff8200010101074d657373616765011000000068")
    )
    assert PREAMBLE.endswith(bytes.fromhex("10ff910501010454696d6501ff92000000"))


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (
            encode_server_hello("v1", "felix", 7),
            f"53ff82013b{named('MsgServerHello')}ff841001027631010566656c6978010101070000",
        ),
        (encode_status(SyncStatus.IN_SYNC), f"45ff82013a{named('MsgSyncStatus')}ff880301020000"),
        (encode_status(SyncStatus.WAIT_FOR_READY), f"43ff82013a{named('MsgSyncStatus')}ff88010000"),
        (
            encode_decoder_restart("", "snappy"),
            f"4fff82013e{named('MsgDecoderRestart')}ff86090206736e617070790000",
        ),
        (
            encode_ping((0xEDCE5E800 - 62135596800) * 10**9 + 5),
            f"4eff820134{named('MsgPing')}ff8a12010f010000000edce5e80000000005ffff0000",
        ),
        (encode_kvs([READY]), f"68ff820133{named('MsgKVs')}ff8c2d0101{READY.hex()}0000"),
        (encode_kvs([]), f"3cff820133{named('MsgKVs')}ff8c010000"),
    ],
    ids=["hello", "in sync", "wait for ready", "restart", "ping", "one KV", "no KV"],
)
def test_documented_messages(message: bytes, wanted: str) -> None:
    assert message.hex() == wanted


def test_documented_elements() -> None:
    revision = "06737472696e670c"
    assert READY.hex() == "01102f63616c69636f2f76312f5265616479010474727565" + f"01{revision}0500033330370301" + "00"
    deletion = encode_element("/calico/v1/netset/gns1", None, "", "", UpdateType.DELETED)
    key = b"/calico/v1/netset/gns1".hex()
    assert deletion.hex() == f"0116{key}02{revision}0200000303" + "00"
    v3 = encode_element("/k", b"{}", "319", "319", UpdateType.UPDATED)
    assert v3.hex() == f"01022f6b01027b7d01{revision}05000333313901033331390202" + "00"
    unknown = encode_element("/k", b"{}", "", "1", UpdateType.UNKNOWN)
    assert unknown.hex() == f"01022f6b01027b7d01{revision}020000010131" + "00"


@pytest.mark.parametrize("length", [1, 125, 126, 127, 128, 255, 256, 70_000])
def test_lengths_around_each_border_of_a_number(length: int) -> None:
    for key, value, revision, v3 in (
        ("k" * length, b"v", "1", ""),
        ("k", b"v" * length, "1", "2"),
        ("k", b"v", "r" * length, ""),
        ("k", b"v", "1", "r" * length),
        ("k" * length, None, "r" * length, ""),
    ):
        kind = UpdateType.DELETED if value is None else UpdateType.NEW
        element = encode_element(key, value, revision, v3, kind)
        wanted = KVs((SerializedUpdate(key, value, revision, v3, 0, kind),))
        assert read_all(ServerStream(), PREAMBLE + encode_kvs([element])) == [wanted]


def test_elements_of_a_snapshot_serve_in_any_message() -> None:
    held = held_by_server("felix")
    elements = [encode_element(*kv, UpdateType.NEW) for kv in held]
    whole = read_all(ServerStream(), PREAMBLE + encode_kvs(elements))
    pieces = read_all(ServerStream(), PREAMBLE + b"".join(encode_kvs(elements[n : n + 7]) for n in range(0, 46, 7)))
    updates = tuple(SerializedUpdate(*kv, 0, UpdateType.NEW) for kv in held)
    assert whole == [KVs(updates)]
    assert [message.updates for message in pieces if isinstance(message, KVs)] == [
        updates[n : n + 7] for n in range(0, 46, 7)
    ]


def test_thousands_of_elements_in_one_message() -> None:
    stream = PREAMBLE + encode_kvs([READY] * 3000)
    [message] = read_all(ServerStream(), stream)
    assert isinstance(message, KVs)
    assert len(message.updates) == 3000


@pytest.mark.parametrize(
    ("key", "value", "update_type", "match"),
    [
        ("/k", b"", UpdateType.NEW, "/k: an agent takes an empty value for a deletion"),
        ("/k", b"v", UpdateType.DELETED, "/k: an agent takes an empty value"),
        ("/k", None, UpdateType.UPDATED, "/k: no value and update type"),
        ("", b"v", UpdateType.NEW, "without key"),
        ("/\ud800", b"v", UpdateType.NEW, "is not Unicode text"),
    ],
)
def test_what_cannot_be_said(key: str, value: bytes | None, update_type: UpdateType, match: str) -> None:
    with pytest.raises(UnencodableError, match=match):
        encode_element(key, value, "1", "", update_type)


@pytest.mark.parametrize(("feed", "connection_id"), [("", 1), ("felix", 0), ("felix", 2**64)])
def test_a_hello_that_an_agent_would_drop(feed: str, connection_id: int) -> None:
    with pytest.raises(UnencodableError, match="server hello"):
        encode_server_hello("v1", feed, connection_id)


def test_numbers_are_gobs() -> None:
    assert encode_uint(7) == b"\x07"
    assert encode_uint(127) == b"\x7f"
    assert encode_uint(128).hex() == "ff80"
    assert encode_uint(200).hex() == "ffc8"
    assert encode_uint(1000).hex() == "fe03e8"
    assert encode_uint(2**64 - 1).hex() == "f8" + "ff" * 8
    assert [encode_int(n).hex() for n in (0, -1, 1, -65, 64)] == ["00", "01", "02", "ff81", "ff80"]
