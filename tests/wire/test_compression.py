from __future__ import annotations

import tracemalloc

import pytest

from typha.wire import compression
from typha.wire.errors import BadPayloadError, FrameTooLargeError


def test_round_trip_and_empty() -> None:
    for content in (b"", b"x", b"pods" * 10_000):
        assert compression.decompress(4, compression.compress(content), 100_000) == content


def test_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = compression.compress(bytes(64 * 1024 * 1024))
    assert len(bomb) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLargeError, match="decompressed payload of 67108864 bytes") as caught:
            compression.decompress(4, bomb, 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.limit == 1_000_000


def test_a_size_that_lies_is_noticed() -> None:
    frame = bytearray(compression.compress(b"a" * 200))
    assert frame[5] == 200  # one byte of content size behind magic and descriptor
    frame[5] = 100
    with pytest.raises(BadPayloadError):
        compression.decompress(4, bytes(frame), 1_000)


@pytest.mark.parametrize("cut", [0, 1, 4, 6, -1])
def test_truncated_is_an_error(cut: int) -> None:
    with pytest.raises(BadPayloadError):
        compression.decompress(4, compression.compress(b"hello" * 100)[:cut], 1_000)


def test_two_frames_are_an_error() -> None:
    one = compression.compress(b"hello")
    with pytest.raises(BadPayloadError, match="not exactly one"):
        compression.decompress(4, one + one, 1_000)
