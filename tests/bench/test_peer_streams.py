"""The load reader of NATS' wire counts every message, however the bytes are cut and whatever stands between them."""

from __future__ import annotations

import pytest

from bench.peers import Shape
from bench.peers.streams import SUBJECT, TIME, NatsStream, RawStream
from bench.processes import BenchError


def message(published_ns: int, size: int = 450) -> bytes:
    payload = TIME.pack(published_ns) + b"\r\nMSG" * ((size - TIME.size) // 5)
    payload += bytes(size - len(payload))
    return b"MSG %s 1 %d\r\n%s\r\n" % (SUBJECT.encode(), size, payload)


STREAM = b"".join(
    (
        b'INFO {"server_id":"x"} \r\nPONG\r\n',
        *(message(number) for number in range(1, 6)),
        b"PING\r\n",
        *(message(number) for number in range(6, 9)),
        message(9, 22_500),
        *(message(number) for number in range(10, 13)),
        b"+OK\r\n",
        message(13),
    )
)


@pytest.mark.parametrize("cut", [1, 7, 500, 1000, 4096, 10_000_000])
def test_messages_of_nats(cut: int) -> None:
    stream = NatsStream()
    stream.is_recording = True
    for start in range(0, len(STREAM), cut):
        stream.receive_data(STREAM[start : start + cut], start)
    assert (stream.bytes, stream.changes, stream.position) == (len(STREAM), 13, 13)
    assert stream.is_synced
    assert stream.replies == [b"PONG\r\n"]
    assert list(stream.throughs) == sorted(stream.throughs)
    assert stream.throughs[-1] == 13
    assert len(stream.throughs) == len(stream.times_ns) <= 13


def test_an_error_of_nats_is_kept_for_the_message() -> None:
    stream = NatsStream()
    stream.receive_data(b"-ERR 'Slow Consumer'\r\n", 0)
    assert stream.refusal == "-ERR 'Slow Consumer'"


def test_what_nats_never_says_is_no_message() -> None:
    with pytest.raises(BenchError, match="must not"):
        NatsStream().receive_data(b"HTTP/1.1 200 OK\r\n", 0)


def test_raw_bytes_are_in_sync_from_the_start() -> None:
    stream = RawStream()
    stream.receive_data(b"abc", 0)
    assert (stream.is_synced, stream.bytes, stream.frames) == (True, 3, 1)


def test_a_shape_says_how_often_and_how_much() -> None:
    alone, joined = Shape(10, 500), Shape(10, 500, round_s=0.1)
    assert (alone.rounds_per_s, alone.deltas_per_round) == (500, 1)
    assert (joined.rounds_per_s, joined.deltas_per_round) == (10, 50)
