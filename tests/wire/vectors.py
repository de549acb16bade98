"""Where golden.json comes from: messages with the bytes that they must be. `python -m tests.wire.vectors` prints it.

golden.json is an array of objects: ``name``; ``type`` (frame type without the compression bit); ``message`` (its
fields, durations and cursors as in docs/protocol.md; binary as hex; values of puts decoded; null where a receiver
skips the frame); ``frame`` (hex of the whole frame); ``encode``: true where a sender must produce these very bytes,
false where a receiver must merely understand them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import msgpack

from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.frames import FrameType, encode_frame
from typha.wire.states import Mode, TopicState


def packed(value: Any) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


POD = packed({"kind": "Pod", "spec": {"nodeName": "node-17"}})
DIGESTS = [0] * 255 + [0xFFFF_FFFF_FFFF_FFFF]

SENT: dict[str, m.Message] = {
    "hello, first connection": m.Hello("node-17", "agent/1.0", feed="inventory"),
    "hello, everything": m.Hello(
        "node-17",
        "agent/1.0",
        protocol=(1, 2),
        feed="inventory",
        topics=("certs",),
        where={"pods": {"node": "node-17", "labels": "app in (web, db)"}},
        resume_cluster="6f1c/1",
        resume={
            "pods": m.ResumeTopic(4_294_967_296, 4_294_967_295, "f00d", {"node": "node-17"}),
            "certs": m.ResumeTopic(None, 7, "beef"),
        },
        compression=("zstd", "zstd-dict"),
        token="secret",
    ),
    "hello, how loaded": m.Hello("node-17", "agent/1.0"),
    "welcome, how loaded": m.Welcome("typha/0.1.0", "a1b2", "6f1c/1", (), connections=12, target=100),
    "welcome": m.Welcome(
        "typha/0.1.0",
        "a1b2",
        "6f1c/1",
        (m.WelcomeTopic("pods", 0, Mode.SNAPSHOT, "f00d"), m.WelcomeTopic("certs", 1, Mode.RECONCILE, "beef")),
        compression="zstd",
        ping_interval_s=30.0,
        connections=12,
        target=100,
    ),
    "refused, come back": m.Refused("overloaded", "512 snapshots under way", 2.5, ("10.0.0.2:5473",)),
    "refused for good": m.Refused("unknown_topic", "no topic 'podz'"),
    "entries, live": m.Entries(0, 12, [m.Put("default/web-0", 12, POD)], [m.Delete("default/web-1", 11)]),
    "entries, part of a snapshot": m.Entries(0, None, [m.Put("a", 1, packed("text"))], []),
    "entries, nothing but progress": m.Entries(3, 2**64 - 1, [], []),
    "entries, long key and umlauts": m.Entries(0, 5, [m.Put("ü" * 20, 5, packed({}))], []),
    "entries, 20 deletes": m.Entries(1, 40, [], [m.Delete(f"k{n}", n + 1) for n in range(20)]),
    "key index": m.KeyIndex(0, 99, 0, 2, [0, 255], ["default/web-0", "default/web-1"]),
    "key index, empty buckets": m.KeyIndex(0, 99, 1, 2, [7], []),
    "bookmark": m.Bookmark((m.BookmarkTopic(0, 120, 15), m.BookmarkTopic(1, 2**40, None))),
    "status": m.Status(
        (m.TopicStatus(0, TopicState.IN_SYNC, 0, ""), m.TopicStatus(1, TopicState.STALE, 200_000, "403 Forbidden"))
    ),
    "ping": m.Ping(123_456_789_012),
    "pong of a server": m.Pong(123_456_789_012),
    "pong of a client": m.Pong(1, ((0, 120), (1, 2**40))),
    "go away": m.GoAway("draining", 10.0, ("10.0.0.2:5473", "[fd00::2]:5473")),
    "close": m.Close("ping_timeout", "nothing received for 90.0 s"),
    "dictionary": m.Dictionary(7, b"\x37\xa4\x30\xec"),
    "dictionary, its end": m.Dictionary(7, b""),
    "key digest": m.KeyDigest(0, 99, b"saltsalt", 8, DIGESTS),
    "key request": m.KeyRequest(0, 99, [0, 255]),
    "key request, nothing differs": m.KeyRequest(0, 99, []),
    "key request, all": m.KeyRequest(0, 99, None),
    "gap": m.Gap(0, 100, 120),
    "reset": m.Reset(0, "6f1c/2", "f00d"),
}

# What a receiver must understand although we would write it otherwise.
UNDERSTOOD: dict[str, tuple[m.Message | None, bytes]] = {
    "hello, unknown keys are ignored": (
        m.Hello("n", "a", topics=("pods",)),
        encode_frame(
            FrameType.HELLO,
            packed({"protocol": [1, 1], "node": "n", "agent": "a", "subscribe": {"topics": ["pods"]}, "x-new": [1]}),
        ),
    ),
    "entries, rv in the shortest form": (
        m.Entries(0, 2, [m.Put("a", 2, packed(1))], [m.Delete("b", 1)]),
        encode_frame(FrameType.ENTRIES, packed([0, 2, [["a", 2, 1]], [["b", 1]]])),
    ),
    "go away, whole seconds": (
        m.GoAway("max_age", 10.0),
        encode_frame(FrameType.GO_AWAY, packed({"reason": "max_age", "after_s": 10, "try": []})),
    ),
    "ping, zstd": (
        m.Ping(5),
        bytes.fromhex("0000000e8828b52ffd200421000081a17405"),
    ),
    "type 64: skipped": (None, encode_frame(64, packed({"new": "in a later version"}))),
}


def as_json(value: Any) -> Any:
    """A message as plain JSON: field names, bytes as hex, values of puts decoded."""
    if isinstance(value, m.Put):
        return [value.key, value.rv, msgpack.unpackb(value.value)]
    if dataclasses.is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def golden() -> list[dict[str, Any]]:
    """All vectors, as golden.json has them."""
    sent = [(name, message, encode_message(message), True) for name, message in SENT.items()]
    understood = [(name, message, frame, False) for name, (message, frame) in UNDERSTOOD.items()]
    return [
        {"name": name, "type": frame[4] & 0x7F, "message": as_json(message), "frame": frame.hex(), "encode": encode}
        for name, message, frame, encode in sent + understood
    ]


if __name__ == "__main__":
    print("[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in golden()) + "\n]")
