from __future__ import annotations

import random

import pytest

from tests.kit.dictionaries import dictionary
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.compression import Compressor, Dictionary
from typha.wire.dictionaries import MAX_DICTIONARIES, MAX_DICTIONARY_BYTES, Dictionaries
from typha.wire.entries import encode_entries, encode_put
from typha.wire.errors import BadPayloadError, RemoteProtocolError, UnexpectedFrameError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, compress_frame, encode_frame

FRAME = encode_entries(0, 7, [encode_put(f"p{n}", n, b"\x82\xa5value\x01\xa4node\xa2n0") for n in range(4, 8)])


def held(*numbers: int) -> Dictionaries:
    """A receiver to which those were handed."""
    dictionaries = Dictionaries()
    for number in numbers:
        dictionaries.receive(m.Dictionary(number, dictionary(number).content))
    return dictionaries


def received(dictionaries: Dictionaries, frame: bytes) -> Frame | None:
    decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True, dictionaries=dictionaries.held)
    decoder.receive_data(frame)
    return decoder.next_frame()


def test_a_frame_names_its_dictionary() -> None:
    for number in (1, 255, 256, 70_000):
        packed = compress_frame(FRAME, Compressor(dictionary(number)))
        assert len(packed) < 0.6 * len(FRAME)
        assert received(held(9, number), packed) == Frame(4, FRAME[5:])


def test_small_ids_take_less_of_each_frame() -> None:
    sizes = [len(compress_frame(FRAME, Compressor(dictionary(number)))) for number in (1, 256, 70_000)]
    assert [size - sizes[0] for size in sizes] == [0, 1, 3]


def test_an_unknown_dictionary_is_an_error() -> None:
    packed = compress_frame(FRAME, Compressor(dictionary(5)))
    with pytest.raises(BadPayloadError, match="names dictionary 5, which is not held"):
        received(held(1, 2), packed)


def test_what_ended_is_unknown() -> None:
    dictionaries = held(5)
    packed = compress_frame(FRAME, Compressor(dictionary(5)))
    assert received(dictionaries, packed) is not None
    dictionaries.receive(m.Dictionary(5, b""))
    with pytest.raises(BadPayloadError, match="not held"):
        received(dictionaries, packed)
    dictionaries.receive(m.Dictionary(5, dictionary(5).content))
    assert received(dictionaries, packed) is not None


def test_no_more_than_four() -> None:
    dictionaries = held(*range(1, MAX_DICTIONARIES + 1))
    fifth = m.Dictionary(99, dictionary(99).content)
    with pytest.raises(UnexpectedFrameError, match="more than 4 dictionaries"):
        dictionaries.receive(fifth)
    dictionaries.receive(m.Dictionary(1, b""))
    dictionaries.receive(fifth)
    assert set(dictionaries.held) == {2, 3, 4, 99}


def test_no_id_twice_and_no_end_of_what_never_began() -> None:
    dictionaries = held(1)
    with pytest.raises(UnexpectedFrameError, match="held already"):
        dictionaries.receive(m.Dictionary(1, dictionary(1).content))
    with pytest.raises(UnexpectedFrameError, match="ends, but was never held"):
        dictionaries.receive(m.Dictionary(2, b""))


def test_size_is_bounded() -> None:
    content = dictionary(1).content
    too_large = content + bytes(MAX_DICTIONARY_BYTES + 1 - len(content))
    with pytest.raises(BadPayloadError, match="dictionary of 65537 bytes, at most 65536"):
        Dictionaries().receive(m.Dictionary(1, too_large))
    Dictionaries().receive(m.Dictionary(1, too_large[:-1]))


def test_its_id_is_that_of_its_content() -> None:
    with pytest.raises(BadPayloadError, match="dictionary 3 calls itself 4"):
        Dictionaries().receive(m.Dictionary(3, dictionary(4).content))


@pytest.mark.parametrize("content", [b"x", b"\x37\xa4\x30\xec", b"no dictionary at all" * 10, bytes(64)])
def test_what_is_no_dictionary_is_an_error(content: bytes) -> None:
    with pytest.raises(BadPayloadError, match="not a zstd dictionary"):
        Dictionaries().receive(m.Dictionary(1, content))


def test_damaged_dictionaries_never_do_more_than_raise() -> None:
    """Whatever bytes are turned: refused when it comes, or frames become another content or an error."""
    chosen = random.Random(3)
    content, packed = dictionary(1).content, compress_frame(FRAME, Compressor(dictionary(1)))
    refused = 0
    for _ in range(2000):
        damaged = bytearray(content[: chosen.choice([len(content), chosen.randrange(len(content))])])
        for _ in range(chosen.randrange(4)):
            if len(damaged) > 8:
                damaged[chosen.randrange(8, len(damaged))] = chosen.randrange(256)
        dictionaries = Dictionaries()
        try:
            dictionaries.receive(m.Dictionary(1, bytes(damaged) or b"\0"))
            received(dictionaries, packed)
        except RemoteProtocolError:
            refused += 1
    assert refused > 100


def test_damaged_frames_never_do_more_than_raise() -> None:
    chosen = random.Random(4)
    dictionaries = held(1)
    packed = compress_frame(FRAME, Compressor(dictionary(1)))
    for _ in range(2000):
        damaged = bytearray(packed)
        damaged[chosen.randrange(5, len(damaged))] = chosen.randrange(256)
        try:
            received(dictionaries, bytes(damaged))
        except RemoteProtocolError:
            continue


def test_a_bomb_with_a_dictionary_is_refused_before_it_is_unpacked() -> None:
    bomb = compress_frame(encode_frame(4, bytes(1_000_000)), Compressor(dictionary(1)))
    decoder = FrameDecoder(10_000, accept_compressed=True, dictionaries=held(1).held)
    decoder.receive_data(bomb)
    with pytest.raises(RemoteProtocolError, match="decompressed payload of 1000000 bytes"):
        decoder.next_frame()


def test_a_dictionary_frame_is_no_larger_than_it_must_be() -> None:
    content = dictionary(1).content
    assert len(encode_message(m.Dictionary(1, content))) == len(content) + 5 + 1 + 1 + 3


def test_content_that_zstd_cannot_use_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="dictionary"):
        Dictionary(dictionary(1).content[:40])
