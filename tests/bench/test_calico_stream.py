"""The load reader of Calico's wire counts what a decoder would, however the bytes are cut."""

from __future__ import annotations

import pytest

from bench.calico_stream import CalicoStream, greeting
from typha.calico_wire.agent import encode_agent_message
from typha.calico_wire.messages import Ack, ClientHello, Pong, SyncStatus, UpdateType
from typha.calico_wire.preamble import PREAMBLE
from typha.calico_wire.reader import agent_messages
from typha.calico_wire.writer import (
    encode_decoder_restart,
    encode_element,
    encode_kvs,
    encode_ping,
    encode_server_hello,
    encode_status,
)
from typha.downstream.calico_encodings import PLAIN, SNAPPY

KVS = [encode_element(f"/calico/v1/{n}", b"{}" * n, str(n), "", UpdateType.NEW) for n in range(1, 350)]
BODY = b"".join(
    (
        encode_kvs(KVS[:100]),
        encode_kvs(KVS[100:103]),
        encode_kvs([]),
        encode_kvs(KVS[103:330]),
        encode_ping(1795389264083549216),
        encode_status(SyncStatus.IN_SYNC),
        encode_kvs(KVS[:1]),
    )
)
COUNT = 100 + 3 + 227 + 1


@pytest.mark.parametrize("cut", [1, 7, 1000, 10_000_000])
def test_plain(cut: int) -> None:
    data = PREAMBLE + encode_server_hello("v", "felix", 7) + BODY
    stream = CalicoStream()
    for start in range(0, len(data), cut):
        stream.receive_data(data[start : start + cut], start)
    assert (stream.bytes, stream.changes, stream.is_synced) == (len(data), COUNT, True)
    assert stream.replies == [encode_agent_message(Pong(1))]


@pytest.mark.parametrize("cut", [1, 7, 1000, 10_000_000])
def test_snappy_from_the_restart_on(cut: int) -> None:
    before = PLAIN.preamble + encode_server_hello("v", "felix", 7)
    data = before + encode_decoder_restart("snappy from here on", "snappy")
    stream = CalicoStream()
    for start in range(0, len(data), cut):
        stream.receive_data(data[start : start + cut], start)
    assert stream.replies == [encode_agent_message(Ack())]
    stream.replies.clear()
    data = SNAPPY.preamble + SNAPPY.encode_stream(BODY)
    for start in range(0, len(data), cut):
        stream.receive_data(data[start : start + cut], start)
    assert (stream.changes, stream.is_synced) == (COUNT, True)
    assert stream.replies == [encode_agent_message(Pong(1))]


@pytest.mark.parametrize("is_snappy", [True, False])
def test_its_hello_is_one_that_a_server_takes(is_snappy: bool) -> None:
    reader = agent_messages()
    reader.receive_data(greeting(3, "felix", is_snappy=is_snappy))
    hello = reader.next_message()
    assert isinstance(hello, ClientHello)
    assert (hello.syncer_type, bool(hello.compression_algorithms)) == ("felix", is_snappy)
    assert hello.supports_modern_policy_keys
