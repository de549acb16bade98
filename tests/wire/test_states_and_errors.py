from __future__ import annotations

import pytest

from typha.wire import errors
from typha.wire.states import CloseCode, GoAwayReason, Mode, RefusalCode, TopicState


def test_only_in_sync_and_absent_are_complete() -> None:
    assert {state for state in TopicState if state.is_complete} == {TopicState.IN_SYNC, TopicState.ABSENT}


def test_words_of_the_protocol() -> None:
    assert [str(mode) for mode in Mode] == ["snapshot", "resume", "reconcile"]
    assert [str(state) for state in TopicState] == ["waiting", "syncing", "in_sync", "stale", "absent"]
    assert [str(reason) for reason in GoAwayReason] == ["draining", "rebalance", "max_age"]
    assert {str(code) for code in RefusalCode} == {
        "protocol_version",
        "unauthenticated",
        "forbidden",
        "unknown_topic",
        "bad_hello",
        "overloaded",
        "draining",
        "not_ready",
    }
    assert "moved" in set(CloseCode)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (errors.FrameTooLargeError(9, 5), "frame_too_large", "frame of 9 bytes; this side accepts at most 5"),
        (errors.UnexpectedFrameError(4, "too early"), "unexpected_frame", "frame type 4: too early"),
        (errors.BadPayloadError(4, "no array"), "bad_payload", "payload of frame type 4: no array"),
    ],
)
def test_a_breach_has_its_code_and_its_words(error: errors.RemoteProtocolError, code: str, says: str) -> None:
    assert isinstance(error, errors.WireError)
    assert (error.code, str(error)) == (code, says)


def test_a_refusal_keeps_its_numbers() -> None:
    refused = errors.RefusedError("overloaded", "512 joiners", 2.5, ("a:1",))
    assert (refused.code, refused.message, refused.retry_after_s, refused.addresses) == (
        "overloaded",
        "512 joiners",
        2.5,
        ("a:1",),
    )
    assert str(refused) == "overloaded: 512 joiners"
