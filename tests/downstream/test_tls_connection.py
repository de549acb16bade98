"""What a connection over TLS keeps back, over a transport that takes so much and then pauses."""

from __future__ import annotations

import pytest

from tests.downstream.pipe import Pipe
from tests.downstream.talk import decoded, noting, session_of, synced_server
from typha.downstream.tls_connection import PIECE_BYTES, TlsConnection
from typha.wire import messages as m

SLICE = bytes(range(256)) * (10 * PIECE_BYTES // 256) + b"end"


class Narrow(Pipe):
    """Asks for a pause after ``room`` bytes, as a transport does whose own buffer is full."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1 << 30
        self.connection: TlsConnection | None = None
        self.largest = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self.largest = max(self.largest, len(data))
        self.room -= len(data)
        if self.room <= 0 and self.connection is not None:
            self.connection.pause_writing()

    def drain(self, room: int) -> None:
        """There is room again."""
        assert self.connection is not None
        self.room = room
        self.connection.resume_writing()


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def pipe(calls: list[str]) -> Narrow:
    pipe = Narrow()
    pipe.connection = TlsConnection(session_of(synced_server()), noting(calls))
    pipe.connection.connection_made(pipe)
    return pipe


def connection(pipe: Narrow) -> TlsConnection:
    assert pipe.connection is not None
    return pipe.connection


def test_what_is_encrypted_at_a_time_is_small_however_large_the_slice(pipe: Narrow) -> None:
    connection(pipe).write(SLICE)
    connection(pipe).write(b"small")
    assert pipe.taken == SLICE + b"small"
    assert pipe.largest == PIECE_BYTES
    assert connection(pipe).is_drained


def test_the_rest_waits_here_and_goes_on_in_order(pipe: Narrow, calls: list[str]) -> None:
    pipe.room = 3 * PIECE_BYTES
    connection(pipe).write(SLICE)
    connection(pipe).write(b"later")
    assert pipe.taken == SLICE[: 3 * PIECE_BYTES]
    assert not connection(pipe).is_drained
    assert connection(pipe).buffered_bytes == len(SLICE) + len(b"later") - 3 * PIECE_BYTES
    pipe.drain(PIECE_BYTES)
    assert (len(pipe.taken), calls) == (4 * PIECE_BYTES, ["made"])
    assert not connection(pipe).is_drained
    pipe.drain(1 << 30)
    assert pipe.taken == SLICE + b"later"
    assert (connection(pipe).is_drained, connection(pipe).buffered_bytes) == (True, 0)
    assert calls == ["made", "drained"]


def test_a_pause_with_the_last_byte_is_no_drain_yet(pipe: Narrow, calls: list[str]) -> None:
    pipe.room = len(SLICE)
    connection(pipe).write(SLICE)
    assert (pipe.taken == SLICE, connection(pipe).is_drained, calls) == (True, False, ["made"])
    pipe.drain(1)
    assert (connection(pipe).is_drained, calls) == (True, ["made", "drained"])


def test_what_waits_goes_out_before_the_last_words_and_the_close(pipe: Narrow) -> None:
    pipe.room = PIECE_BYTES
    connection(pipe).write(SLICE)
    connection(pipe).session.say_close("done", "bye")
    connection(pipe).finish()
    connection(pipe).write(b"too late")
    assert (len(pipe.taken), pipe.ended) == (PIECE_BYTES, "")
    pipe.drain(1 << 30)
    assert pipe.taken[: len(SLICE)] == SLICE
    assert decoded(bytes(pipe.taken[len(SLICE) :])) == [m.Close("done", "bye")]
    assert pipe.ended == "closed"


def test_finish_with_nothing_waiting_closes_at_once(pipe: Narrow) -> None:
    connection(pipe).finish()
    assert pipe.ended == "closed"


def test_a_peer_that_takes_nothing_is_stuck(pipe: Narrow) -> None:
    pipe.room = PIECE_BYTES
    connection(pipe).write(SLICE)
    assert not connection(pipe).is_stuck(0.0, 10.0)
    pipe.drain(PIECE_BYTES)
    assert not connection(pipe).is_stuck(10.0, 10.0)
    assert connection(pipe).is_stuck(20.0, 10.0)


def test_a_lost_connection_lets_go_of_what_waits(pipe: Narrow, calls: list[str]) -> None:
    pipe.room = PIECE_BYTES
    connection(pipe).write(SLICE)
    connection(pipe).connection_lost(None)
    assert (connection(pipe).buffered_bytes, calls) == (0, ["made", "lost"])
