from __future__ import annotations

from typing import Any

import pytest

from tests.client.scripted import ScriptedServer, bookmark, entries, put
from tests.kit.dictionaries import dictionary
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.compression import Compressor
from typha.wire.errors import FrameTooLargeError, LocalProtocolError, RefusedError, RemoteProtocolError
from typha.wire.frames import compress_frame, encode_frame
from typha.wire.states import Mode, TopicState
from typha_client import events as e
from typha_client.replica import Replicas
from typha_client.session import HANDSHAKE_TIMEOUT_S, Session, SessionState, Subscription


def closed(events: list[e.Event]) -> e.Closed:
    last = events[-1]
    assert isinstance(last, e.Closed)
    assert sum(isinstance(event, e.Closed) for event in events) == 1
    return last


def test_hello_says_who_and_what() -> None:
    session = Session(
        Replicas(wheres={"pods": {"node": "n1"}}),
        Subscription("n1", feed="inventory", topics=("certs",), agent="me/1", token="t", compression=("zstd",)),
        0.0,
    )
    hello = m.Hello(
        "n1",
        "me/1",
        feed="inventory",
        topics=("certs",),
        where={"pods": {"node": "n1"}},
        compression=("zstd",),
        token="t",
    )
    assert session.frames_to_send() == [encode_message(hello)]
    assert session.data_to_send() == b""
    assert encode_message(hello)[0] == 0  # another first byte is another language on the same port


def test_welcome_is_told() -> None:
    server = ScriptedServer()
    assert [type(event) for event in server.welcome(Mode.SNAPSHOT)] == [e.Welcomed]
    assert server.session.state is SessionState.ACTIVE


def test_refusal_closes_and_keeps_its_words() -> None:
    server = ScriptedServer()
    events = server.say(m.Refused("overloaded", "later", 2.0, ("b:1",)))
    assert events[0] == e.RefusedByServer(m.Refused("overloaded", "later", 2.0, ("b:1",)))
    error = closed(events).error
    assert isinstance(error, RefusedError)
    assert (error.code, error.retry_after_s, error.addresses) == ("overloaded", 2.0, ("b:1",))
    assert server.said() == []  # nothing to answer


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        (entries([put("a", 1)]), "unexpected_frame", "Entries from the server while hello_sent"),
        (m.Welcome("t", "s", "c", ()), "unexpected_frame", "topics asked for are missing: pods"),
        (
            m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 0, Mode.RESUME, "f"),)),
            "unexpected_frame",
            "mode resume for pods, which offered no such cursor",
        ),
        (
            m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "f"),), protocol=9),
            "unexpected_frame",
            "protocol 9 was not offered",
        ),
        (
            m.Welcome("t", "s", "c", tuple(m.WelcomeTopic(n, 0, Mode.SNAPSHOT, "f") for n in ("pods", "x"))),
            "unexpected_frame",
            "occurs twice",
        ),
    ],
)
def test_breach_before_welcome(message: m.Message, code: str, says: str) -> None:
    server = ScriptedServer()
    end = closed(server.say(message))
    assert end.code == code
    assert says in end.message
    assert server.said() == [m.Close(code, end.message)]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (m.Hello("n", "a"), "Hello from the server while active"),
        (m.KeyRequest(0, 1, []), "KeyRequest from the server while active"),
        (m.Dictionary(1, b"x"), "Dictionary from the server while active"),
        (m.Entries(7, None, [], []), "topic id 7 is not in Welcome"),
        (m.Bookmark((m.BookmarkTopic(9, 1, None),)), "topic id 9 is not in Welcome"),
        (m.KeyIndex(0, 1, 0, 1, [], []), "no KeyDigest of pods is open"),
        (m.Refused("draining", ""), "Refused from the server while active"),
    ],
)
def test_breach_while_active(message: m.Message, says: str) -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    end = closed(server.say(message, entries([put("b", 2)], through=2)))
    assert says in end.message
    assert server.held == {"a": 1}  # nothing behind the breach is read
    assert isinstance(server.session.error, RemoteProtocolError)
    assert server.say(bookmark(9)) == []


def test_good_frames_before_a_breach_count() -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    events = server.say(entries([put("b", 2)], through=2), m.Hello("n", "a"))
    assert isinstance(events[0], e.Committed)
    assert server.held == {"a": 1, "b": 2}


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", bytes(4), encode_frame(4, b"\xc1"), encode_frame(63, b"")])
def test_damaged_bytes_close_with_a_typed_error(data: bytes) -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    end = closed(server.session.receive_data(data, 0.0))
    assert isinstance(end.error, RemoteProtocolError)
    assert server.said() == [m.Close(end.code, end.message)]


def test_inbound_limit_is_the_clients_own() -> None:
    session = Session(Replicas(), Subscription("n1", topics=("pods",)), 0.0, limit_bytes=100)
    end = closed(session.receive_data(b"\x00\x00\x00\x65", 0.0))
    assert isinstance(end.error, FrameTooLargeError)


def test_types_from_64_and_gaps_are_skipped() -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    assert server.session.receive_data(encode_frame(64, b"\xc1"), 0.0) == []
    assert server.say(m.Gap(0, 5, 9)) == []
    assert not server.session.is_closed


def test_compressed_frames_only_where_offered() -> None:
    frame = compress_frame(encode_message(entries([put(f"k{n}", n) for n in range(200)], through=200)), Compressor())
    assert frame[4] & 0x80
    for offered, held in (((), 0), (("zstd",), 200)):
        replicas = Replicas()
        session = Session(replicas, Subscription("n1", topics=("pods",), compression=offered), 0.0)
        welcome = m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "f"),))
        session.receive_data(encode_message(welcome) + frame, 0.0)
        session.receive_data(encode_message(bookmark(200)), 0.0)
        assert len(replicas.topics["pods"]) == held
        assert session.is_closed == (not offered)


def test_dictionaries_only_where_offered() -> None:
    """And the frame that names one, in the same read."""
    frame = compress_frame(
        encode_message(entries([put(f"k{n}", n) for n in range(200)], through=200)), Compressor(dictionary(3))
    )
    handed_over = encode_message(m.Dictionary(3, dictionary(3).content))
    for offered, before, code in (
        (("zstd",), handed_over, "unexpected_frame"),
        (("zstd", "zstd-dict"), b"", "bad_payload"),
        (("zstd", "zstd-dict"), handed_over, None),
    ):
        replicas = Replicas()
        session = Session(replicas, Subscription("n1", topics=("pods",), compression=offered), 0.0)
        welcome = m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "f"),))
        session.receive_data(encode_message(welcome) + before + frame, 0.0)
        session.receive_data(encode_message(bookmark(200)), 0.0)
        assert len(replicas.topics["pods"]) == (0 if code else 200)
        assert getattr(session.error, "code", None) == code


def test_dictionaries_end_with_their_connection() -> None:
    """A new session, over the same replicas, holds none."""
    replicas = Replicas()
    frame = encode_message(entries([put(f"k{n}", n) for n in range(200)], through=200))
    frame = compress_frame(frame, Compressor(dictionary(3)))
    for is_first in (True, False):
        session = Session(replicas, Subscription("n1", topics=("pods",)), 0.0)
        welcome = m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "f"),))
        session.receive_data(encode_message(welcome), 0.0)
        if is_first:
            session.receive_data(encode_message(m.Dictionary(3, dictionary(3).content)), 0.0)
        session.receive_data(frame, 0.0)
        assert session.is_closed == (not is_first)


def test_pong_says_what_is_applied() -> None:
    applied: dict[str, int | None] = {"pods": None}
    replicas = Replicas()
    session = Session(
        replicas, Subscription("n1", topics=("pods",)), 0.0, applied=lambda replica: applied[replica.name]
    )
    session.data_to_send()
    welcome = m.Welcome("t", "s", "c", (m.WelcomeTopic("pods", 3, Mode.SNAPSHOT, "f"),))
    session.receive_data(encode_message(welcome) + encode_message(m.Ping(7)), 0.0)
    assert session.frames_to_send() == [encode_message(m.Pong(7))]
    applied["pods"] = 41
    session.receive_data(encode_message(m.Ping(8)), 0.0)
    assert session.frames_to_send() == [encode_message(m.Pong(8, ((3, 41),)))]


def test_silence_pings_and_then_ends() -> None:
    server = ScriptedServer()
    server.now = 100.0
    server.connect()
    server.welcome(Mode.SNAPSHOT, ping_interval_s=30.0)
    assert server.session.next_deadline() == 130.0
    assert server.session.handle_timer(129.9) == []
    assert server.said() == []
    server.session.handle_timer(130.0)
    assert [type(message) for message in server.said()] == [m.Ping]
    assert server.session.next_deadline() == 160.0
    server.session.handle_timer(160.0)
    assert server.session.next_deadline() == 190.0
    end = closed(server.session.handle_timer(190.0))
    assert (end.code, end.message) == ("ping_timeout", "nothing received for 90.0 s")
    assert server.session.next_deadline() is None


def test_any_byte_counts_as_life() -> None:
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT, ping_interval_s=30.0)
    for now in (80.0, 160.0, 240.0):
        server.session.receive_data(b"", now)
        assert server.session.handle_timer(now + 29) == []
    assert not server.session.is_closed


def test_round_trip_is_measured() -> None:
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT, ping_interval_s=30.0)
    server.session.handle_timer(30.0)
    (ping,) = server.said()
    assert isinstance(ping, m.Ping)
    server.now = 30.25
    server.say(m.Pong(ping.t))
    assert server.session.round_trip_s == pytest.approx(0.25)


def test_no_welcome_in_time() -> None:
    session = Session(Replicas(), Subscription("n1", topics=("pods",)), 50.0)
    assert session.next_deadline() == 50.0 + HANDSHAKE_TIMEOUT_S
    end = closed(session.handle_timer(50.0 + HANDSHAKE_TIMEOUT_S))
    assert end.message == "no Welcome in time"


@pytest.mark.parametrize(("code", "is_error"), [("done", False), ("draining", False), ("stuck", True)])
def test_close_of_the_server(code: str, is_error: bool) -> None:
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT)
    end = closed(server.say(m.Close(code, "why")))
    assert (end.code, end.message, end.error is not None) == (code, "why", is_error)


def test_eof_is_an_error_told_once() -> None:
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT)
    assert closed(server.session.receive_eof(1.0)).code == "connection_lost"
    assert server.session.receive_eof(1.0) == []


def test_status_and_ages_are_on_our_clock() -> None:
    server = ScriptedServer()
    server.now = 1000.0
    server.connect()
    server.welcome(Mode.SNAPSHOT)
    events = server.say(m.Status((m.TopicStatus(0, TopicState.STALE, 5000, "403"),)), bookmark(7, 1500))
    assert events[0] == e.StatusChanged("pods", TopicState.STALE, 995.0, "403")
    assert events[-1] == e.Bookmarked("pods", 7, 998.5)


def test_statistics_count_frames_and_bytes() -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    server.say(entries([put("b", 2)]))
    found: Any = server.session.statistics()
    assert found["frames_received"] == {"Welcome": 1, "Entries": 2, "Bookmark": 1}
    assert found["frames_sent"] == {"Hello": 1}
    assert found["staged_entries"] == 1
    assert found["bytes_received"] > 100
    assert found["bytes_sent"] > 50


def test_verify_notices_a_copy_that_is_not_the_sum_of_its_changes() -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    server.replica.entries.clear()
    with pytest.raises(LocalProtocolError, match="TYPHA_VERIFY: pods differs"):
        server.say(bookmark(2))
