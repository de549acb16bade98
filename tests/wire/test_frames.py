from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.wire.compression import Compressor
from typha.wire.errors import BadPayloadError, FrameTooLargeError
from typha.wire.frames import (
    COMPRESS_FROM_BYTES,
    SERVER_INBOUND_LIMIT_BYTES,
    Frame,
    FrameDecoder,
    FrameType,
    compress_frame,
    encode_frame,
)

frames = st.lists(st.tuples(st.integers(1, 127), st.binary(max_size=300)), max_size=8)


def all_frames(decoder: FrameDecoder) -> list[Frame]:
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(frame)
    return found


@given(frames, st.integers(1, 50))
def test_frames_survive_any_cut(wanted: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(encode_frame(number, payload) for number, payload in wanted)
    decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)
    found = []
    for start in range(0, len(data), step):
        decoder.receive_data(data[start : start + step])
        found += all_frames(decoder)
    assert found == [Frame(*frame) for frame in wanted]
    assert decoder.buffered_bytes == 0


def test_length_is_checked_before_the_payload_comes() -> None:
    decoder = FrameDecoder(100)
    decoder.receive_data(b"\x00\x00\x00\x65")
    with pytest.raises(FrameTooLargeError, match="frame of 101 bytes; this side accepts at most 100") as caught:
        decoder.next_frame()
    assert (caught.value.length, caught.value.limit) == (101, 100)


def test_the_limit_itself_is_allowed() -> None:
    decoder = FrameDecoder(100)
    decoder.receive_data(encode_frame(64, bytes(99)))
    assert decoder.next_frame() == Frame(64, bytes(99))


def test_length_zero_is_an_error() -> None:
    decoder = FrameDecoder(100)
    decoder.receive_data(bytes(4))
    with pytest.raises(BadPayloadError, match="length 0"):
        decoder.next_frame()


def test_good_frames_before_a_damaged_one_come_out() -> None:
    decoder = FrameDecoder(100)
    decoder.receive_data(encode_frame(FrameType.PING, b"x") + b"\xff\xff\xff\xff")
    assert decoder.next_frame() == Frame(FrameType.PING, b"x")
    with pytest.raises(FrameTooLargeError):
        decoder.next_frame()


def test_compressed_without_an_offer_is_an_error() -> None:
    decoder = FrameDecoder(100)
    decoder.receive_data(encode_frame(FrameType.PING | 0x80, b"x"))
    with pytest.raises(BadPayloadError, match="never offered zstd"):
        decoder.next_frame()


class TestCompressed:
    def test_round_trip(self) -> None:
        frame = encode_frame(FrameType.ENTRIES, b"pods " * 1000)
        small = compress_frame(frame, Compressor())
        assert len(small) < len(frame) / 10
        assert small[4] == FrameType.ENTRIES | 0x80
        decoder = FrameDecoder(10_000, accept_compressed=True)
        decoder.receive_data(small)
        assert decoder.next_frame() == Frame(FrameType.ENTRIES, b"pods " * 1000)

    def test_small_or_dense_frames_stay_as_they_are(self) -> None:
        small = encode_frame(FrameType.ENTRIES, b"a" * (COMPRESS_FROM_BYTES - 6))
        assert compress_frame(small, Compressor()) is small
        dense = encode_frame(FrameType.ENTRIES, bytes(range(256)) * 4)
        noise = encode_frame(FrameType.ENTRIES, Compressor().compress(dense) + bytes(range(256)) * 2)
        assert len(compress_frame(noise, Compressor())) <= len(noise)
