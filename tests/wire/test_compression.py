from __future__ import annotations

import tracemalloc

import pytest

from typha.wire import compression
from typha.wire.errors import BadPayloadError, FrameTooLargeError


def compressed(content: bytes) -> bytes:
    return compression.Compressor().compress(content)


def test_round_trip_and_empty() -> None:
    for content in (b"", b"x", b"pods" * 10_000):
        assert compression.decompress(4, compressed(content), 100_000) == content


def test_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = compressed(bytes(64 * 1024 * 1024))
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
    frame = bytearray(compressed(b"a" * 200))
    assert frame[5] == 200  # one byte of content size behind magic and descriptor
    frame[5] = 100
    with pytest.raises(BadPayloadError):
        compression.decompress(4, bytes(frame), 1_000)


@pytest.mark.parametrize("cut", [0, 1, 4, 6, -1])
def test_truncated_is_an_error(cut: int) -> None:
    with pytest.raises(BadPayloadError):
        compression.decompress(4, compressed(b"hello" * 100)[:cut], 1_000)


def test_two_frames_are_an_error() -> None:
    one = compressed(b"hello")
    with pytest.raises(BadPayloadError, match="not exactly one"):
        compression.decompress(4, one + one, 1_000)


def test_a_compressor_begins_anew_with_each_frame() -> None:
    compressor = compression.Compressor()
    frames = [compressor.compress(b"pods " * count) for count in (1, 100, 100_000, 3)]
    assert [len(compression.decompress(4, frame, 10**6)) for frame in frames] == [5, 500, 500_000, 15]
    assert frames[1] == compressed(b"pods " * 100)


def test_too_few_samples_train_nothing() -> None:
    for samples in ([], [b""] * 10, [b"x" * 1000] * 3):
        assert compression.train(samples, 4096, 1) is None


def test_what_is_trained_has_the_id_asked_for() -> None:
    samples = [b"value %d of a topic" % number * 10 for number in range(200)]
    for number in (1, 300, 2**32 - 1):
        trained = compression.train(samples, 1024, number)
        assert trained is not None
        assert trained.dictionary_id == number
        assert len(trained.content) <= 1024
        frame = compression.Compressor(trained).compress(samples[0])
        assert compression.decompress(4, frame, 1000, {number: trained}) == samples[0]
