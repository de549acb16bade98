"""Neighbouring versions: what a peer of another version says is understood, and what it expects is said.

``protocol_1.json`` is what protocol version 1 is: the vectors of golden.json at the time of its release. Once a version
that speaks it is released, no line of it changes or goes: a new meaning is a new key that the peer has offered, a frame
type from 64 on, or another protocol number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.wire.vectors import SENT, as_json
from typha.wire import compression
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, FrameType, encode_frame
from typha.wire.states import PROTOCOL_MAX, PROTOCOL_MIN

FOLDER = Path(__file__).parent
RELEASED: list[dict[str, Any]] = json.loads((FOLDER / "protocol_1.json").read_text(encoding="utf-8"))
READABLE = [vector for vector in RELEASED if "zstd" not in vector["name"] or compression.is_available()]
SAID = [vector for vector in RELEASED if vector["encode"]]


def frame_of(data: bytes) -> Frame:
    decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True)
    decoder.receive_data(data)
    frame = decoder.next_frame()
    assert frame is not None
    return frame


def test_protocol_1_is_still_spoken() -> None:
    assert PROTOCOL_MIN <= 1 <= PROTOCOL_MAX


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector["name"])
def test_what_a_peer_of_protocol_1_says_is_understood(vector: dict[str, Any]) -> None:
    message = decode_message(frame_of(bytes.fromhex(vector["frame"])))
    understood = None if message is None else as_json(message)
    # A later version may know fields that the vector does not have; none may have changed or gone.
    if vector["message"] is None:
        assert understood is None
    else:
        assert understood is not None
        assert {key: understood[key] for key in vector["message"]} == vector["message"]


@pytest.mark.parametrize("vector", SAID, ids=lambda vector: vector["name"])
def test_a_peer_of_protocol_1_is_told_the_very_same_bytes(vector: dict[str, Any]) -> None:
    assert encode_message(SENT[vector["name"]]).hex() == vector["frame"]


@pytest.mark.parametrize(
    "message",
    [message for message in SENT.values() if isinstance(message, m.Hello | m.Welcome | m.Refused | m.GoAway | m.Pong)],
    ids=lambda message: type(message).__name__,
)
def test_keys_of_a_later_version_are_ignored(message: m.Message) -> None:
    frame = frame_of(encode_message(message))
    fields = msgpack.unpackb(frame.payload)
    fields["of-a-later-version"] = {"nested": [1, None, b"x"]}
    assert decode_message(Frame(frame.type, msgpack.packb(fields))) == message


@pytest.mark.parametrize("frame_type", [64, 100, 127])
def test_frames_of_a_later_version_are_skipped(frame_type: int) -> None:
    assert decode_message(frame_of(encode_frame(frame_type, msgpack.packb(["anything"])))) is None


def test_keys_that_an_older_server_does_not_send_have_their_defaults() -> None:
    least = {"protocol": 1, "server": "typha/0", "session": "s", "cluster": "c", "topics": [], "ping_interval_s": 30}
    frame = Frame(
        FrameType.WELCOME, msgpack.packb(least | {"compression": None, "load": {"connections": 0, "target": 0}})
    )
    welcome = decode_message(frame)
    assert isinstance(welcome, m.Welcome)
    assert (welcome.compression, welcome.target) == (None, 0)
