"""Whatever the bytes: a message or a RemoteProtocolError, and memory in proportion to the bytes that came."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.vectors import SENT
from typha.wire.codec import decode_message, encode_message
from typha.wire.errors import BadPayloadError, RemoteProtocolError
from typha.wire.frames import HEADER, SERVER_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, FrameType

ALL_TYPES = [int(number) for number in FrameType]
# msgpack's nesting ends at 1,024 levels of at most 1,024 items: 8 MB of empty list slots, freed with the error.
SMALL_FRAME_PEAK_BYTES = 12 * 1024 * 1024


@contextmanager
def peak_below(limit_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


def refuse(frame_type: int, payload: bytes) -> None:
    with pytest.raises(BadPayloadError):
        decode_message(Frame(frame_type, payload))


@pytest.mark.parametrize("frame_type", ALL_TYPES)
@pytest.mark.parametrize(
    "head", [b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"], ids=["array", "map", "str", "bin", "ext"]
)
def test_five_bytes_that_ask_for_4_gib(frame_type: int, head: bytes) -> None:
    with peak_below(1_000_000):
        refuse(frame_type, head + b"\xff\xff\xff\xff")


@pytest.mark.parametrize("frame_type", ALL_TYPES)
def test_deep_nesting(frame_type: int) -> None:
    with peak_below(SMALL_FRAME_PEAK_BYTES):
        refuse(frame_type, b"\x91" * 60_000)
        refuse(frame_type, b"\xdc\x04\x00" * 20_000)
        refuse(frame_type, b"\x81\xa1a" * 20_000)


@pytest.mark.parametrize(
    ("frame_type", "head"),
    [
        (4, b""),
        (4, b"\x94"),
        (4, b"\x94\x00"),
        (4, b"\x94\x00\xc0\x91\x93"),
        (4, b"\x94\x00\xc0\x91\x93\xa1k"),
        (5, b"\x96"),
        (5, b"\x96\x00\x00\x00\x01\x91"),
        (5, b"\x96\x00\x00\x00\x01\x90\x91"),
        (14, b"\x93"),
        (14, b"\x93\x00\x00\x91"),
    ],
)
def test_lists_in_lists_do_not_claim_their_size_at_each_level(frame_type: int, head: bytes) -> None:
    size = 1024 * 1024
    nest = b"\xdd" + (size // 2).to_bytes(4, "big")
    payload = head + nest * 500
    payload += bytes(size - len(payload))
    with peak_below(6 * size):
        refuse(frame_type, payload)


@pytest.mark.parametrize("name", SENT)
def test_truncated_at_each_byte(name: str) -> None:
    payload = encode_message(SENT[name])[HEADER.size :]
    frame_type = encode_message(SENT[name])[4]
    for cut in range(len(payload)):
        refuse(frame_type, payload[:cut])


@pytest.mark.parametrize("name", SENT)
def test_one_byte_changed_is_a_message_or_a_typed_error(name: str) -> None:
    frame = encode_message(SENT[name])
    payload = frame[HEADER.size :][:200]
    rest = frame[HEADER.size :][200:]
    for at in range(len(payload)):
        for value in (0x00, 0x7F, 0x80, 0xC0, 0xC1, 0xDD, 0xFF):
            changed = payload[:at] + bytes((value,)) + payload[at + 1 :] + rest
            with suppress(RemoteProtocolError):
                decode_message(Frame(frame[4], changed))


@given(st.integers(0, 127), st.binary(max_size=200))
def test_any_payload_is_a_message_or_a_typed_error(frame_type: int, payload: bytes) -> None:
    with suppress(RemoteProtocolError):
        decode_message(Frame(frame_type, payload))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=12,
)


@given(st.sampled_from(ALL_TYPES), json_like)
def test_any_msgpack_is_a_message_or_a_typed_error(frame_type: int, value: object) -> None:
    try:
        payload = msgpack.packb(value)
    except UnicodeEncodeError:  # lone surrogates have no UTF-8
        return
    with suppress(BadPayloadError):
        decode_message(Frame(frame_type, payload))


@given(st.binary(max_size=400))
def test_any_bytes_on_the_socket(data: bytes) -> None:
    decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES, accept_compressed=True)
    decoder.receive_data(data)
    try:
        while (frame := decoder.next_frame()) is not None:
            decode_message(frame)
    except RemoteProtocolError:
        assert decoder.buffered_bytes <= len(data)
