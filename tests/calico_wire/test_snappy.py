"""Snappy framing: chunks without context, the identifier once, a checksum that counts, and limits."""

from __future__ import annotations

import random

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.calico_wire.errors import BadSnappyError, PeerError, TooLargeError
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.snappy import STREAM_IDENTIFIER, SnappyReader, SnappyWriter

WRITER = SnappyWriter()
BLOCK = 65_536


def content(data: bytes, piece_bytes: int | None = None) -> bytes:
    reader, found = SnappyReader(), b""
    step = piece_bytes or max(len(data), 1)
    for start in range(0, len(data), step):
        reader.receive_data(data[start : start + step])
        while (part := reader.next_content()) is not None:
            assert len(part) <= BLOCK
            found += part
    return found


def refused(data: bytes, kind: type[PeerError], match: str) -> None:
    with pytest.raises(kind, match=match):
        content(data)


@pytest.mark.parametrize(
    "data", [b"a", b"abc" * 1000, b"x" * BLOCK, b"x" * (BLOCK + 1), random.Random(1).randbytes(200_000)]
)
def test_chunks_are_what_a_fresh_stream_would_have(data: bytes) -> None:
    fresh = bytes(cramjam.snappy.compress(data))
    assert fresh.startswith(STREAM_IDENTIFIER)
    assert WRITER.compress(data) == fresh[len(STREAM_IDENTIFIER) :]
    assert WRITER.compress(data) == SnappyWriter().compress(data)


def test_nothing_is_nothing() -> None:
    assert WRITER.compress(b"") == b""


def test_chunks_in_any_order_and_number() -> None:
    first, second = WRITER.compress(b"first" * 50), WRITER.compress(b"second" * 50)
    stream = STREAM_IDENTIFIER + second + first + first
    for piece_bytes in (None, 1, 3):
        assert content(stream, piece_bytes) == b"second" * 50 + b"first" * 100


def test_the_preamble_of_a_compressed_stream() -> None:
    assert content(SNAPPY_PREAMBLE) == PREAMBLE
    assert SNAPPY_PREAMBLE.count(STREAM_IDENTIFIER) == 1


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.integers(1, 400))
def test_round_trip(parts: list[bytes], piece_bytes: int) -> None:
    stream = STREAM_IDENTIFIER + b"".join(map(WRITER.compress, parts))
    assert content(stream, piece_bytes) == b"".join(parts)


def test_a_full_raw_chunk() -> None:
    noise = random.Random(2).randbytes(BLOCK)
    chunk = WRITER.compress(noise)
    assert chunk[:4] == b"\x01" + (BLOCK + 4).to_bytes(3, "little")
    assert content(STREAM_IDENTIFIER + chunk) == noise


def test_padding_is_skipped_without_being_held() -> None:
    padding = b"\xfe\xff\xff\xff" + bytes(2**24 - 1)
    reader = SnappyReader()
    reader.receive_data(STREAM_IDENTIFIER)
    for start in range(0, len(padding), 2**20):
        reader.receive_data(padding[start : start + 2**20])
        assert reader.next_content() is None
        assert reader.take_rest() == b""
    reader.receive_data(WRITER.compress(b"at last"))
    assert reader.next_content() == b"at last"


def test_an_identifier_may_come_again() -> None:
    one = WRITER.compress(b"one")
    assert content((STREAM_IDENTIFIER + one) * 2) == b"oneone"


@pytest.mark.parametrize(
    ("data", "kind", "match"),
    [
        (WRITER.compress(b"a"), BadSnappyError, "without its identifier"),
        (b"\xff\x06\x00\x00sNaPpy", BadSnappyError, "another identifier"),
        (b"\xff\x07\x00\x00", BadSnappyError, "another identifier"),
        (STREAM_IDENTIFIER + b"\x02\x00\x00\x00", BadSnappyError, "0x02"),
        (STREAM_IDENTIFIER + b"\x7f\x00\x00\x00", BadSnappyError, "0x7f"),
        (STREAM_IDENTIFIER + b"\x01\x03\x00\x00", BadSnappyError, "too short"),
        (STREAM_IDENTIFIER + b"\x01\x05\x00\x01", TooLargeError, "raw snappy chunk of 65541"),
        (STREAM_IDENTIFIER + b"\x00\xff\xff\xff", TooLargeError, "snappy chunk of 16777215"),
        (STREAM_IDENTIFIER + b"\x01\x05\x00\x00aaaab", BadSnappyError, "damaged"),
        (STREAM_IDENTIFIER + b"\x00\x05\x00\x00aaaa\xff", BadSnappyError, "damaged"),
        # 1 GiB by its header, in nine bytes.
        (STREAM_IDENTIFIER + b"\x00\x09\x00\x00aaaa\x80\x80\x80\x80\x04", TooLargeError, "content of a snappy chunk"),
    ],
)
def test_what_is_no_snappy_stream(data: bytes, kind: type[PeerError], match: str) -> None:
    refused(data, kind, match)


def test_a_changed_byte_is_found() -> None:
    chunk = WRITER.compress(b"abcdefgh" * 20)
    for at in range(4, len(chunk)):
        damaged = chunk[:at] + bytes((chunk[at] ^ 1,)) + chunk[at + 1 :]
        refused(STREAM_IDENTIFIER + damaged, BadSnappyError, "damaged")
