"""The Protocol by itself, over a transport whose buffer the test fills and drains."""

from __future__ import annotations

import pytest

from tests.downstream.pipe import Pipe
from tests.downstream.talk import decoded, noting, session_of, synced_server
from typha.downstream.connection import Connection
from typha.wire import messages as m
from typha.wire.codec import encode_message


class Owner:
    """Notes the callbacks."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.server = synced_server()
        self.connection = Connection(session_of(self.server), noting(self.calls))
        self.pipe = Pipe()
        self.connection.connection_made(self.pipe)

    def fill(self, count: int = 100) -> None:
        """The kernel takes nothing any more."""
        self.pipe.is_full = True
        self.connection.write(b"x" * count)
        self.connection.pause_writing()


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_made(owner: Owner) -> None:
    assert (owner.connection.address, owner.calls) == ("192.0.2.7:4711", ["made"])
    assert owner.pipe.limits[1] == 0  # resumed when the kernel has everything, not before
    assert owner.connection.is_drained


def test_hello_is_answered_through_the_subscriber(owner: Owner) -> None:
    owner.connection.data_received(encode_message(m.Hello("n", "t", topics=("pods",))))
    owner.connection.subscriber.flush()
    assert isinstance(decoded(bytes(owner.pipe.taken))[0], m.Welcome)
    assert owner.connection.is_welcomed
    traffic = owner.connection.subscriber.traffic
    assert traffic.bytes_received > 0
    assert (traffic.frames_sent, traffic.bytes_sent) == (1, len(owner.pipe.taken))


def test_first_byte_of_another_language(owner: Owner) -> None:
    owner.connection.data_received(b"\x1f")
    assert (owner.pipe.ended, owner.connection.session.closed_by) == ("closed", "foreign_language")
    assert not owner.pipe.taken
    assert owner.calls == ["made"]


def test_drained_follows_the_kernel(owner: Owner) -> None:
    seen = []
    for act in (owner.fill, owner.connection.resume_writing):
        act()
        seen.append(owner.connection.is_drained)
    assert seen == [False, True]
    assert owner.calls == ["made", "drained"]


def test_closing_transport_takes_nothing_and_wakes_nobody(owner: Owner) -> None:
    owner.fill()
    owner.pipe.close()
    owner.connection.write(b"more")
    owner.connection.resume_writing()
    assert (len(owner.pipe.waiting), owner.calls) == (100, ["made"])


def test_peer_that_does_not_read_is_not_read(owner: Owner) -> None:
    owner.fill(65 * 1024)
    owner.connection.data_received(b"\x00")
    assert not owner.pipe.is_reading_now
    owner.connection.resume_writing()
    assert owner.pipe.is_reading_now


def test_stuck_is_no_byte_for_the_whole_time(owner: Owner) -> None:
    connection = owner.connection
    assert not connection.is_stuck(0.0, 10.0)
    owner.fill(100)
    assert not connection.is_stuck(1.0, 10.0)
    assert not connection.is_stuck(10.9, 10.0)
    connection.write(b"ping")  # ours, no progress of the peer
    assert connection.is_stuck(11.0, 10.0)


def test_one_byte_is_progress(owner: Owner) -> None:
    owner.fill(100)
    assert not owner.connection.is_stuck(0.0, 10.0)
    del owner.pipe.waiting[:1]
    assert not owner.connection.is_stuck(10.0, 10.0)
    assert not owner.connection.is_stuck(19.0, 10.0)
    assert owner.connection.is_stuck(20.0, 10.0)


def test_draining_starts_the_time_anew(owner: Owner) -> None:
    owner.fill(100)
    assert not owner.connection.is_stuck(0.0, 10.0)
    owner.pipe.waiting.clear()
    owner.connection.resume_writing()
    assert not owner.connection.is_stuck(50.0, 10.0)
    owner.fill(100)
    assert not owner.connection.is_stuck(51.0, 10.0)


def test_finish_sends_the_last_words_first(owner: Owner) -> None:
    owner.connection.session.say_close("done", "bye")
    owner.connection.finish()
    assert decoded(bytes(owner.pipe.taken)) == [m.Close("done", "bye")]
    assert owner.pipe.ended == "closed"


def test_abort_keeps_the_first_reason(owner: Owner) -> None:
    owner.connection.abort("stuck")
    owner.connection.abort("other")
    assert (owner.connection.session.closed_by, owner.pipe.ended) == ("stuck", "aborted")


def test_lost_closes_the_session_and_tells_once(owner: Owner) -> None:
    owner.connection.connection_lost(ConnectionResetError())
    assert owner.connection.session.closed_by == "lost_ConnectionResetError"
    assert owner.calls == ["made", "lost"]
    owner.connection.write(b"x")
    owner.connection.finish()
    assert owner.connection.buffered_bytes == 0
    assert not owner.pipe.taken
