"""What a peer that talks too much, or was made to wait, meets."""

from __future__ import annotations

import pytest

from tests.downstream.talk import decoded, session_of, synced_server
from tests.kit.server import Server
from typha.downstream.dialect import SessionState
from typha.downstream.session import FRAMES_AT_ONCE, FRAMES_PER_S, NativeSession
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.errors import TooManyFramesError

PING = encode_message(m.Ping(1))


@pytest.fixture
def session() -> NativeSession:
    server: Server = synced_server()
    session = session_of(server)
    session.receive_data(encode_message(m.Hello("n1", "agent/1", topics=("pods",))), 5.0)
    session.take_frames()
    return session


def test_flood_of_pings_is_closed_with_its_reason(session: NativeSession) -> None:
    session.receive_data(PING * 100_000, 5.0)
    assert session.state is SessionState.CLOSED
    assert isinstance(session.error, TooManyFramesError)
    answers = decoded(session.take_frames())
    assert len(answers) <= FRAMES_AT_ONCE + 2
    assert answers[-1] == m.Close("too_many_frames", str(session.error))


def test_talkative_client_within_the_rate_goes_on(session: NativeSession) -> None:
    now = 5.0
    for _ in range(2000):
        now += 1 / FRAMES_PER_S
        session.receive_data(PING, now)
    assert session.state is SessionState.OPEN


def test_one_answer_for_each_topic_is_no_flood() -> None:
    server = synced_server()
    session = session_of(server)
    session.receive_data(encode_message(m.Hello("n1", "agent/1", topics=("pods", "hosts"))), 5.0)
    session.receive_data(PING * (FRAMES_AT_ONCE + 1), 5.0)
    assert session.state is SessionState.OPEN


def test_silence_counts_from_the_welcome_not_from_a_hello_that_had_to_wait() -> None:
    server = synced_server()
    session = session_of(server)
    held = m.ResumeTopic(cursor=None, seen=10**6, format="1")
    hello = m.Hello("n1", "agent/1", topics=("pods",), resume_cluster="uid/0", resume={"pods": held})
    session.receive_data(encode_message(hello), 5.0)
    assert session.state is SessionState.SEEN
    server.catalog.topics["pods"].advance(10**6, 14.0)
    session.decide(14.0)
    assert session.state.name == "OPEN"
    assert session.heard_at == 14.0
