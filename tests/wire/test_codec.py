from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.wire.vectors import SENT, UNDERSTOOD, as_json, golden
from typha.wire import compression
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.errors import BadPayloadError, LocalProtocolError, UnexpectedFrameError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, FrameType

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
BY_NAME = {vector["name"]: vector for vector in GOLDEN}


def decoded(frame: bytes) -> m.Message | None:
    decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True)
    decoder.receive_data(frame)
    whole = decoder.next_frame()
    assert whole is not None
    assert decoder.buffered_bytes == 0
    return decode_message(whole)


def is_readable(vector: dict[str, Any]) -> bool:
    return "zstd" not in vector["name"] or compression.is_available()


@pytest.mark.parametrize("name", SENT)
def test_encode_gives_the_golden_bytes(name: str) -> None:
    assert encode_message(SENT[name]).hex() == BY_NAME[name]["frame"]


@pytest.mark.parametrize("vector", [vector for vector in GOLDEN if is_readable(vector)], ids=lambda v: str(v["name"]))
def test_decode_gives_the_golden_message(vector: dict[str, Any]) -> None:
    message = decoded(bytes.fromhex(vector["frame"]))
    assert as_json(message) == vector["message"]
    wanted = SENT[vector["name"]] if vector["encode"] else UNDERSTOOD[vector["name"]][0]
    assert message == wanted


def test_golden_file_is_complete_and_written_by_vectors() -> None:
    assert golden() == GOLDEN
    assert {vector["type"] for vector in GOLDEN if vector["encode"]} == {int(number) for number in FrameType}


def test_token_is_not_in_a_repr() -> None:
    assert "secret" not in repr(SENT["hello, everything"])


@pytest.mark.parametrize("number", [0, 17, 63])
def test_unknown_type_below_64_is_an_error(number: int) -> None:
    with pytest.raises(UnexpectedFrameError, match=f"frame type {number}: unknown type below 64") as caught:
        decode_message(Frame(number, b"\x80"))
    assert caught.value.frame_type == number


def test_unknown_type_from_64_is_skipped_whatever_it_holds() -> None:
    assert decode_message(Frame(64, b"\xc1")) is None
    assert decode_message(Frame(127, b"")) is None


def test_a_digest_of_the_wrong_length_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError, match="3 digests for 8 bits"):
        encode_message(m.KeyDigest(0, 1, b"saltsalt", 8, [1, 2, 3]))


@pytest.mark.parametrize(
    ("frame_type", "body", "says"),
    [
        (1, {"protocol": [1], "node": "n", "agent": "a", "subscribe": {}}, "protocol has 1 items, expected 2"),
        (1, {"protocol": [1, 1], "node": 5, "agent": "a", "subscribe": {}}, "node is int, expected a string"),
        (1, {"protocol": [1, 1], "node": "n", "agent": "a"}, "subscribe is NoneType, expected a map"),
        (2, {"topics": [{"mode": "later"}]}, "expected snapshot, resume or reconcile"),
        (3, {"code": "overloaded", "message": "", "retry_after_s": -1}, "retry_after_s is int, expected a number"),
        (5, [0, 1, 0, 0, [], []], "parts is int, expected an integer from 1"),
        (5, [0, 1, 0, 1, [65536], []], "bucket is int, expected an integer from 0 to 65535"),
        (6, [[0, True, None]], "cursor is bool, expected an integer"),
        (7, [[0, "fine", 0, ""]], "state is str, expected a topic state"),
        (8, {"t": -1}, "t is int, expected an integer from 0"),
        (9, {"t": 1, "applied": [[0]]}, r"applied\[\] has 1 items, expected 2"),
        (10, {"reason": "draining", "after_s": float("nan"), "try": []}, "after_s is float, expected a number"),
        (11, {"code": "x" * 600}, "code has 600 characters, at most 512"),
        (13, [0, 1, b"salt", 8, b""], "digests is bytes, expected binary of 2048 bytes"),
        (14, [0, 1, ["a"]], "bucket is str, expected an integer"),
        (16, [0, None, "f"], "cluster is NoneType, expected a string"),
    ],
)
def test_errors_name_the_field(frame_type: int, body: Any, says: str) -> None:
    with pytest.raises(BadPayloadError, match=says) as caught:
        decode_message(Frame(frame_type, msgpack.packb(body)))
    assert caught.value.frame_type == frame_type
