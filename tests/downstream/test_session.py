from __future__ import annotations

import pytest

from tests.downstream.talk import decoded, session_of, synced_server
from tests.kit.server import Server
from tests.kit.truth import Body
from typha.downstream.dialect import Load, SessionState
from typha.downstream.session import NativeSession
from typha.downstream.settings import DownstreamSettings
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.errors import FrameTooLargeError, RefusedError
from typha.wire.frames import COMPRESSED, FrameType, encode_frame
from typha.wire.states import Mode, RefusalCode, TopicState

HELLO = m.Hello("n1", "agent/1", topics=("pods",))


@pytest.fixture
def server() -> Server:
    return synced_server()


def opened(server: Server, hello: m.Hello = HELLO) -> NativeSession:
    session = session_of(server)
    session.receive_data(encode_message(hello), 5.0)
    assert session.state is SessionState.OPEN
    session.take_frames()
    return session


def test_hello_is_answered_with_welcome_and_status(server: Server) -> None:
    session = session_of(server)
    session.receive_data(encode_message(HELLO), 5.0)
    welcome, status = decoded(session.take_frames())
    assert isinstance(welcome, m.Welcome)
    assert (welcome.session, welcome.cluster, welcome.protocol) == ("s1", "uid/0", 1)
    assert welcome.topics == (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "1"),)
    assert (welcome.connections, welcome.target, welcome.compression) == (3, 10, None)
    assert isinstance(status, m.Status)
    assert status.topics[0].state is TopicState.IN_SYNC
    assert session.heard_at == 5.0


def test_hello_byte_by_byte(server: Server) -> None:
    session = session_of(server)
    for byte in encode_message(HELLO):
        assert session.state is SessionState.HELLO
        session.receive_data(bytes([byte]), 5.0)
    assert session.state.name == "OPEN"


def test_highest_common_protocol_is_spoken(server: Server) -> None:
    session = session_of(server)
    session.receive_data(encode_message(m.Hello("n", "t", topics=("pods",), protocol=(1, 7))), 0.0)
    welcome = decoded(session.take_frames())[0]
    assert isinstance(welcome, m.Welcome)
    assert welcome.protocol == 1


def test_refusal_carries_code_reason_and_addresses(server: Server) -> None:
    session = session_of(server, DownstreamSettings(advertise=("10.0.0.2:5473",)))
    session.receive_data(encode_message(m.Hello("n", "t", topics=("podz",))), 0.0)
    (refused,) = decoded(session.take_frames())
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.addresses) == (RefusalCode.UNKNOWN_TOPIC, ("10.0.0.2:5473",))
    assert session.closed_by == "refused_unknown_topic"


def test_admission_refuses_before_anything_is_planned(server: Server) -> None:
    def full() -> Load:
        raise RefusedError(RefusalCode.DRAINING, "this server stops", 1.5)

    session = NativeSession(
        "s1", server.catalog, {}, server.settings, dictionaries=server.dictionaries, now=0.0, admit=full
    )
    session.receive_data(encode_message(HELLO), 0.0)
    assert decoded(session.take_frames()) == [m.Refused(RefusalCode.DRAINING, "this server stops", 1.5)]


@pytest.mark.parametrize(
    "data",
    [
        encode_frame(FrameType.HELLO, b"\xc1"),
        encode_frame(FrameType.HELLO, b"\x80"),
        encode_frame(FrameType.ENTRIES, b"\x94\x00\xc0\x90\x90"),
        encode_frame(33, b"\xc0"),
        encode_message(m.Ping(1)),
        encode_message(m.KeyRequest(0, 1, [])),
        encode_message(m.Welcome("s", "i", "c", ())),
        b"\x00\xff\xff\xff\x01",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x02\x81\xc0",
    ],
)
def test_breach_before_welcome_is_refused(server: Server, data: bytes) -> None:
    session = session_of(server)
    session.receive_data(data, 0.0)
    (refused,) = decoded(session.take_frames())
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.BAD_HELLO
    assert session.error is not None
    assert session.is_closed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_frame(FrameType.PING, b"\xc1"), "bad_payload"),
        (encode_message(HELLO), "unexpected_frame"),
        (encode_message(m.Bookmark(())), "unexpected_frame"),
        (encode_message(m.KeyRequest(9, 1, [])), "unexpected_frame"),
        (b"\x00\x01\x00\x01\x01", "frame_too_large"),
    ],
)
def test_breach_after_welcome_is_closed_with_its_code(server: Server, data: bytes, code: str) -> None:
    session = opened(server)
    log = server.pods.log
    assert log.readers == 1
    session.receive_data(data, 0.0)
    (close,) = decoded(session.take_frames())
    assert isinstance(close, m.Close)
    assert (close.code, session.closed_by, session.subscriptions) == (code, code, ())
    assert log.readers == 0


def test_good_frames_before_a_damaged_one_count(server: Server) -> None:
    session = opened(server)
    session.receive_data(encode_message(m.Ping(7)) + b"\x7f\xff\xff\xff\x01", 0.0)
    pong, close = decoded(session.take_frames())
    assert pong == m.Pong(7)
    assert isinstance(close, m.Close)
    assert isinstance(session.error, FrameTooLargeError)


def test_types_from_64_on_are_skipped(server: Server) -> None:
    session = opened(server)
    session.receive_data(encode_frame(64, b"anything") + encode_frame(127, b"\xc1"), 9.0)
    assert (session.is_closed, session.take_frames(), session.heard_at) == (False, b"", 9.0)


def test_applied_counts_subscribed_topics_only(server: Server) -> None:
    session = opened(server)
    session.receive_data(encode_message(m.Pong(1, ((0, 5), (77, 9)))), 0.0)
    assert [s.applied for s in session.subscriptions] == [5]


def test_close_of_the_client_is_its_last_word(server: Server) -> None:
    session = opened(server)
    session.receive_data(encode_message(m.Close("done")) + encode_message(m.Ping(1)), 0.0)
    assert (session.closed_by, session.error, session.take_frames()) == ("by_client", None, b"")
    session.receive_data(b"more", 0.0)
    session.say_close("late", "")
    session.close("late", None)
    assert (session.closed_by, session.take_frames()) == ("by_client", b"")


def test_welcome_waits_until_the_server_has_what_was_seen(server: Server) -> None:
    session = session_of(server, DownstreamSettings(seen_timeout_s=10))
    head = server.pods.head
    held = m.ResumeTopic(head + 1, head + 1, "1")
    session.receive_data(
        encode_message(m.Hello("n", "t", topics=("pods",), resume_cluster="uid/0", resume={"pods": held})), 50.0
    )
    assert (session.state, session.deadline_at, session.take_frames()) == (SessionState.SEEN, 60.0, b"")
    assert [planned.topic.name for planned in session.behind()] == ["pods"]
    session.decide(55.0)
    assert (session.state, session.deadline_at) == (SessionState.SEEN, 60.0)
    server.pods.advance(head + 1, 0.0)
    session.decide(56.0)
    assert isinstance(decoded(session.take_frames())[0], m.Welcome)


def test_welcome_waits_for_the_cluster(server: Server) -> None:
    server.catalog.cluster = None
    session = session_of(server)
    session.receive_data(encode_message(HELLO), 0.0)
    assert session.state is SessionState.SEEN
    assert session.behind() == []
    server.catalog.set_cluster("uid/0", 0.0)
    session.decide(1.0)
    assert session.state.name == "OPEN"


def test_breach_while_waiting_is_refused(server: Server) -> None:
    server.catalog.cluster = None
    session = session_of(server)
    session.receive_data(encode_message(HELLO), 0.0)
    session.receive_data(encode_message(HELLO), 0.0)
    (refused,) = decoded(session.take_frames())
    assert isinstance(refused, m.Refused)


def test_key_request_counts_for_the_open_digest_only(server: Server) -> None:
    session = opened(server)
    (subscription,) = session.subscriptions
    subscription.position = 2
    session.say_digest(subscription)
    answers: list[tuple[int, list[int] | None]] = [(1, [4]), (2, [3, 3, 1]), (2, None)]
    counted = []
    for at, buckets in answers:
        session.receive_data(encode_message(m.KeyRequest(0, at, buckets)), 0.0)
        counted.append(subscription.requested)
    assert counted == [None, (1, 3), tuple(range(1 << subscription.digest_bits))]


@pytest.mark.parametrize("offered", [(), ("zstd",)])
def test_index_is_compressed_for_those_who_take_it(server: Server, offered: tuple[str, ...]) -> None:
    for number in range(200):
        server.truth.write(f"web-{number}", Body(0, "n0"))
    server.watch(200)
    session = opened(server, m.Hello("n1", "agent/1", topics=("pods",), compression=offered))
    (subscription,) = session.subscriptions
    subscription.position = server.pods.head
    session.say_digest(subscription)
    session.receive_data(encode_message(m.KeyRequest(0, server.pods.head, None)), 0.0)
    session.take_frames()
    session.say_index(subscription)
    frames = session.take_frames()
    assert bool(frames[4] & COMPRESSED) is bool(offered)
    (index,) = decoded(frames)
    assert isinstance(index, m.KeyIndex)
    assert len(index.keys) == 201
