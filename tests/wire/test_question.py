"""How loaded is this server: the question, and every kind of answer."""

from __future__ import annotations

import pytest

from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.errors import RefusedError, RemoteProtocolError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.question import Question, is_question
from typha.wire.states import Mode

ANSWER = m.Welcome("typha/0", "ab-1", "uid/", (), connections=7, target=10)


def test_a_question_is_a_hello_that_subscribes_to_nothing() -> None:
    decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)
    decoder.receive_data(Question("n1", "agent/1", "secret").data)
    frame = decoder.next_frame()
    assert frame is not None
    hello = decode_message(frame)
    assert isinstance(hello, m.Hello)
    assert is_question(hello)
    assert (hello.node, hello.token, hello.resume_cluster) == ("n1", "secret", None)
    assert not is_question(m.Hello("n", "a", feed="f"))
    assert not is_question(m.Hello("n", "a", topics=("t",)))


def test_the_answer_byte_by_byte() -> None:
    question, data = Question("n", "a"), encode_message(ANSWER)
    answers = [question.receive_data(data[place : place + 1]) for place in range(len(data))]
    assert set(answers[:-1]) == {None}
    assert answers[-1] == ANSWER


def test_a_refusal_says_where_else_to_ask() -> None:
    with pytest.raises(RefusedError, match="draining: bye") as caught:
        Question("n", "a").receive_data(encode_message(m.Refused("draining", "bye", 2.0, ("b:1",))))
    assert (caught.value.code, caught.value.retry_after_s, caught.value.addresses) == ("draining", 2.0, ("b:1",))


@pytest.mark.parametrize(
    "message",
    [
        m.Welcome("typha/0", "ab-1", "uid/", (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "1"),)),
        m.Ping(1),
        m.Close("done", ""),
    ],
)
def test_anything_else_is_a_breach(message: m.Message) -> None:
    with pytest.raises(RemoteProtocolError):
        Question("n", "a").receive_data(encode_message(message))


def test_frames_of_later_versions_are_skipped() -> None:
    later = bytes.fromhex("0000000240c0")
    assert Question("n", "a").receive_data(later + encode_message(ANSWER)) == ANSWER
