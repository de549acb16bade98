"""Whatever the bytes: messages or one typed error, memory in proportion to what came, and no loop of its own."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calico_wire.fuzz import run
from tests.calico_wire.gob_bytes import ENVELOPE_TYPE, envelope, gob, other_type, struct_type
from tests.calico_wire.mutations import AGENT_STREAMS, SERVER_STREAMS, mutate_bytes, mutate_messages
from tests.calico_wire.recordings import SESSIONS, from_agent, read_all
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.errors import PeerError, TooManyError
from typha.calico_wire.gob import encode_uint
from typha.calico_wire.reader import agent_messages

# One message of 1 MiB as the buffer, as the payload, and what a growing buffer keeps in reserve.
ONE_MESSAGE_PEAK_BYTES = 3_500_000
SMALL_PEAK_BYTES = 500_000


@contextmanager
def peak_below(limit_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("session", SESSIONS)
def test_cut_at_each_byte_it_waits_for_more(session: int) -> None:
    data = from_agent(session)
    whole = read_all(agent_messages(), data)
    for cut in range(len(data)):
        found = read_all(agent_messages(), data[:cut])
        assert found == whole[: len(found)]
        assert len(found) < len(whole)


@pytest.mark.parametrize("session", SESSIONS)
def test_each_byte_changed_is_messages_or_a_typed_error(session: int) -> None:
    data = from_agent(session)
    for at in range(len(data)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xF8, 0xFF, data[at] ^ 1):
            with suppress(PeerError):
                read_all(agent_messages(), data[:at] + bytes((value,)) + data[at + 1 :])


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    with suppress(PeerError):
        read_all(agent_messages(), data)
    with suppress(PeerError):
        read_all(ServerStream(), data)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_behind_a_real_hello(data: bytes, keep: int) -> None:
    with suppress(PeerError):
        read_all(agent_messages(), from_agent(2)[:keep] + gob(data) + data)


@given(st.sampled_from(AGENT_STREAMS), st.integers(0, 2**32), st.booleans())
def test_mutated_agents_stay_within_memory(stream: bytes, seed: int, by_message: bool) -> None:
    data = (mutate_messages if by_message else mutate_bytes)(stream, Random(seed))
    with peak_below(SMALL_PEAK_BYTES + 3 * len(data)), suppress(PeerError):
        read_all(agent_messages(), data)


@given(st.sampled_from(SERVER_STREAMS), st.integers(0, 2**32))
def test_mutated_servers_stay_within_memory(stream: bytes, seed: int) -> None:
    data = mutate_bytes(stream, Random(seed))
    with peak_below(SMALL_PEAK_BYTES + 12 * len(data)), suppress(PeerError):
        read_all(ServerStream(), data)


def test_a_message_without_end_is_never_more_than_the_limit() -> None:
    piece = bytes(65_536)
    with peak_below(ONE_MESSAGE_PEAK_BYTES):
        reader = agent_messages()
        reader.receive_data(encode_uint(1024 * 1024))
        for _ in range(15):
            reader.receive_data(piece)
            assert reader.next_message() is None
        reader.receive_data(piece)
        assert reader.buffered_bytes <= 1024 * 1024 + len(piece)
        with pytest.raises(PeerError):
            reader.next_message()
        assert reader.buffered_bytes == 0


@pytest.mark.parametrize("element", [2, 6, 92])
def test_a_mebibyte_of_empty_values_claims_no_memory(element: int) -> None:
    """As slices within slices, numbers, and texts: one byte of gob each, and an object of Python each if kept."""
    definitions = ENVELOPE_TYPE + gob(struct_type(90, "MsgClientHello", ("X", 91))) + gob(other_type(91, 2, element))
    definitions += gob(other_type(92, 2, 2))
    value = b"\x01" + encode_uint(1_040_000) + bytes(1_040_000) + b"\x00"
    data = definitions + envelope("MsgClientHello", 90, value)
    with peak_below(ONE_MESSAGE_PEAK_BYTES):
        reader = agent_messages()
        reader.receive_data(data)
        with pytest.raises(TooManyError):
            reader.next_message()


def test_every_definition_at_its_limit_is_still_small() -> None:
    fields = [(f"{number:03}" + "f" * 125, 6) for number in range(32)]
    definitions = [gob(struct_type(number, "n" * 128, *fields)) for number in range(64, 96)]
    with peak_below(SMALL_PEAK_BYTES):
        reader = agent_messages()
        for definition in definitions:
            reader.receive_data(definition)
            assert reader.next_message() is None


def test_a_short_run_of_the_fuzzer() -> None:
    report = run(600, 20_261_123, lambda _: None)
    assert report.breaches == []
    assert report.by_end["bad_gob"] > 100
    assert report.messages > 100
