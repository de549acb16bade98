"""Messages to frames and back. One encoder and one decoder a message, in two tables at the end.

Invariants
1. Whatever the bytes, ``decode_message`` returns a message or raises a RemoteProtocolError; it never returns a
   field of another type than messages.py says.
2. Unknown keys of a map are ignored; unknown types from 64 on decode to None.
3. Limits bound memory before msgpack allocates: nested arrays of a small frame cannot claim gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgpack

from typha.wire import messages as m
from typha.wire.digests import MAX_BITS, MIN_BITS
from typha.wire.entries import decode_entries, encode_entries_message
from typha.wire.errors import LocalProtocolError, UnexpectedFrameError
from typha.wire.frames import FIRST_SKIPPABLE_TYPE, Frame, FrameType, encode_frame
from typha.wire.shapes import FlatReader, Shape
from typha.wire.states import Mode, TopicState

# A name, a node, an address, a selector: DNS names end at 253; a label selector may be longer.
MAX_NAME: Final = 512
MAX_TOKEN: Final = 16 * 1024
MAX_MESSAGE: Final = 4096
MAX_TOPICS: Final = 1024
_SMALL: Final = {"max_array": 1024, "max_map": MAX_TOPICS}

_pack: Final[Callable[[Any], bytes]] = msgpack.packb


def encode_message(message: m.Message) -> bytes:
    """The frame of a message, uncompressed."""
    frame_type, encode = _ENCODERS[type(message)]
    return encode_frame(frame_type, encode(message))


def decode_message(frame: Frame) -> m.Message | None:
    """The message in a frame; None for a type from 64 on, which a receiver skips.

    Raises UnexpectedFrameError for an unknown type below 64, BadPayloadError for any other shape.
    """
    decode = _DECODERS.get(frame.type)
    if decode is None:
        if frame.type >= FIRST_SKIPPABLE_TYPE:
            return None
        raise UnexpectedFrameError(frame.type, "unknown type below 64")
    return decode(frame.payload)


def _encode_hello(hello: m.Hello) -> bytes:
    subscribe: dict[str, Any] = {}
    if hello.feed is not None:
        subscribe["feed"] = hello.feed
    if hello.topics:
        subscribe["topics"] = list(hello.topics)
    if hello.where:
        subscribe["where"] = {topic: dict(where) for topic, where in hello.where.items()}
    fields: dict[str, Any] = {
        "protocol": list(hello.protocol),
        "node": hello.node,
        "agent": hello.agent,
        "subscribe": subscribe,
    }
    if hello.resume_cluster is not None:
        fields["resume"] = {
            "cluster": hello.resume_cluster,
            "topics": {name: [t.cursor, t.seen, t.format, dict(t.where)] for name, t in hello.resume.items()},
        }
    if hello.compression:
        fields["compression"] = list(hello.compression)
    if hello.token is not None:
        fields["token"] = hello.token
    return _pack(fields)


def _where(shape: Shape, value: Any, name: str) -> Mapping[str, str]:
    fields = shape.map(value, name)
    return {
        shape.text(key, name, MAX_NAME): shape.text(item, f"{name}.{key[:64]}", MAX_NAME)
        for key, item in fields.items()
    }


def _decode_hello(payload: bytes) -> m.Hello:
    shape = Shape(FrameType.HELLO)
    fields = shape.map(shape.unpack(payload, **_SMALL), "hello")
    protocol = shape.array(fields.get("protocol"), "protocol", 2)
    low, high = (shape.integer(item, "protocol", 0, 0xFFFF) for item in protocol)
    subscribe = shape.map(fields.get("subscribe"), "subscribe")
    feed = subscribe.get("feed")
    where = shape.map(subscribe.get("where", {}), "subscribe.where")
    resume_cluster: str | None = None
    resume: dict[str, m.ResumeTopic] = {}
    if fields.get("resume") is not None:
        held = shape.map(fields["resume"], "resume")
        resume_cluster = shape.text(held.get("cluster"), "resume.cluster", MAX_NAME)
        for name, item in shape.map(held.get("topics", {}), "resume.topics").items():
            at = f"resume.topics.{name[:64]}"
            cursor, seen, form, filtered = shape.array(item, at, 4)
            resume[shape.text(name, at, MAX_NAME)] = m.ResumeTopic(
                shape.optional_integer(cursor, f"{at}[0]"),
                shape.integer(seen, f"{at}[1]"),
                shape.text(form, f"{at}[2]", MAX_NAME),
                _where(shape, filtered, f"{at}[3]"),
            )
    token = fields.get("token")
    return m.Hello(
        node=shape.text(fields.get("node"), "node", MAX_NAME),
        agent=shape.text(fields.get("agent"), "agent", MAX_NAME),
        protocol=(low, high),
        feed=None if feed is None else shape.text(feed, "subscribe.feed", MAX_NAME),
        topics=shape.texts(subscribe.get("topics", []), "subscribe.topics", MAX_NAME),
        where={
            shape.text(topic, "subscribe.where", MAX_NAME): _where(shape, item, f"subscribe.where.{topic[:64]}")
            for topic, item in where.items()
        },
        resume_cluster=resume_cluster,
        resume=resume,
        compression=shape.texts(fields.get("compression", []), "compression", MAX_NAME),
        token=None if token is None else shape.text(token, "token", MAX_TOKEN),
    )


def _encode_welcome(welcome: m.Welcome) -> bytes:
    return _pack(
        {
            "protocol": welcome.protocol,
            "server": welcome.server,
            "session": welcome.session,
            "cluster": welcome.cluster,
            "topics": [{"name": t.name, "id": t.id, "mode": str(t.mode), "format": t.format} for t in welcome.topics],
            "compression": welcome.compression,
            "ping_interval_s": welcome.ping_interval_s,
            "load": {"connections": welcome.connections, "target": welcome.target},
        }
    )


def _decode_welcome(payload: bytes) -> m.Welcome:
    shape = Shape(FrameType.WELCOME)
    fields = shape.map(shape.unpack(payload, **_SMALL), "welcome")
    topics = []
    for item in shape.array(fields.get("topics"), "topics"):
        topic = shape.map(item, "topics[]")
        mode = topic.get("mode")
        if type(mode) is not str or mode not in Mode.__members__.values():
            raise shape.fail("topics[].mode", "snapshot, resume or reconcile", mode)
        topics.append(
            m.WelcomeTopic(
                shape.text(topic.get("name"), "topics[].name", MAX_NAME),
                shape.integer(topic.get("id"), "topics[].id", 0, 0xFFFF_FFFF),
                Mode(mode),
                shape.text(topic.get("format"), "topics[].format", MAX_NAME),
            )
        )
    compression = fields.get("compression")
    load = shape.map(fields.get("load", {}), "load")
    return m.Welcome(
        server=shape.text(fields.get("server"), "server", MAX_NAME),
        session=shape.text(fields.get("session"), "session", MAX_NAME),
        cluster=shape.text(fields.get("cluster"), "cluster", MAX_NAME),
        topics=tuple(topics),
        protocol=shape.integer(fields.get("protocol"), "protocol", 0, 0xFFFF),
        compression=None if compression is None else shape.text(compression, "compression", MAX_NAME),
        ping_interval_s=shape.number(fields.get("ping_interval_s"), "ping_interval_s"),
        connections=shape.integer(load.get("connections", 0), "load.connections"),
        target=shape.integer(load.get("target", 0), "load.target"),
    )


def _decode_refused(payload: bytes) -> m.Refused:
    shape = Shape(FrameType.REFUSED)
    fields = shape.map(shape.unpack(payload, **_SMALL), "refused")
    retry = fields.get("retry_after_s")
    return m.Refused(
        shape.text(fields.get("code"), "code", MAX_NAME),
        shape.text(fields.get("message"), "message", MAX_MESSAGE),
        None if retry is None else shape.number(retry, "retry_after_s"),
        shape.texts(fields.get("try", []), "try", MAX_NAME),
    )


def _decode_key_index(payload: bytes) -> m.KeyIndex:
    shape, reader = Shape(FrameType.KEY_INDEX), FlatReader(FrameType.KEY_INDEX, payload)
    reader.array_header("key index", 6)
    index = m.KeyIndex(
        shape.integer(reader.scalar(), "topic id", 0, 0xFFFF_FFFF),
        shape.integer(reader.scalar(), "at"),
        shape.integer(reader.scalar(), "part", 0, 0xFFFF_FFFF),
        shape.integer(reader.scalar(), "parts", 1, 0xFFFF_FFFF),
        [shape.integer(reader.scalar(), "bucket", 0, 0xFFFF) for _ in range(reader.array_header("buckets"))],
        [shape.text(reader.scalar(), "key", len(payload)) for _ in range(reader.array_header("keys"))],
    )
    reader.end()
    return index


def _decode_bookmark(payload: bytes) -> m.Bookmark:
    shape = Shape(FrameType.BOOKMARK)
    topics = []
    for item in shape.array(shape.unpack(payload, **_SMALL), "bookmark"):
        topic_id, cursor, age_ms = shape.array(item, "bookmark[]", 3)
        topics.append(
            m.BookmarkTopic(
                shape.integer(topic_id, "topic id", 0, 0xFFFF_FFFF),
                shape.integer(cursor, "cursor"),
                shape.optional_integer(age_ms, "age_ms"),
            )
        )
    return m.Bookmark(tuple(topics))


def _decode_status(payload: bytes) -> m.Status:
    shape = Shape(FrameType.STATUS)
    topics = []
    for item in shape.array(shape.unpack(payload, **_SMALL), "status"):
        topic_id, state, since_ms, message = shape.array(item, "status[]", 4)
        if type(state) is not str or state not in TopicState.__members__.values():
            raise shape.fail("state", "a topic state", state)
        topics.append(
            m.TopicStatus(
                shape.integer(topic_id, "topic id", 0, 0xFFFF_FFFF),
                TopicState(state),
                shape.integer(since_ms, "since_ms"),
                shape.text(message, "message", MAX_MESSAGE),
            )
        )
    return m.Status(tuple(topics))


def _decode_ping(payload: bytes) -> m.Ping:
    shape = Shape(FrameType.PING)
    fields = shape.map(shape.unpack(payload, **_SMALL), "ping")
    return m.Ping(shape.integer(fields.get("t"), "t"))


def _decode_pong(payload: bytes) -> m.Pong:
    shape = Shape(FrameType.PONG)
    fields = shape.map(shape.unpack(payload, **_SMALL), "pong")
    applied = []
    for item in shape.array(fields.get("applied", []), "applied"):
        topic_id, cursor = shape.array(item, "applied[]", 2)
        applied.append((shape.integer(topic_id, "topic id", 0, 0xFFFF_FFFF), shape.integer(cursor, "cursor")))
    return m.Pong(shape.integer(fields.get("t"), "t"), tuple(applied))


def _decode_go_away(payload: bytes) -> m.GoAway:
    shape = Shape(FrameType.GO_AWAY)
    fields = shape.map(shape.unpack(payload, **_SMALL), "go away")
    return m.GoAway(
        shape.text(fields.get("reason"), "reason", MAX_NAME),
        shape.number(fields.get("after_s"), "after_s"),
        shape.texts(fields.get("try", []), "try", MAX_NAME),
    )


def _decode_close(payload: bytes) -> m.Close:
    shape = Shape(FrameType.CLOSE)
    fields = shape.map(shape.unpack(payload, **_SMALL), "close")
    return m.Close(
        shape.text(fields.get("code"), "code", MAX_NAME),
        shape.text(fields.get("message", ""), "message", MAX_MESSAGE),
    )


def _decode_dictionary(payload: bytes) -> m.Dictionary:
    shape = Shape(FrameType.DICTIONARY)
    number, content = shape.array(shape.unpack(payload, **_SMALL), "dictionary", 2)
    return m.Dictionary(shape.integer(number, "id", 1, 0xFFFF_FFFF), shape.binary(content, "content"))


def _encode_key_digest(message: m.KeyDigest) -> bytes:
    if len(message.digests) != 1 << message.bits:
        raise LocalProtocolError(f"{len(message.digests)} digests for {message.bits} bits")
    digests = struct.pack(f">{len(message.digests)}Q", *message.digests)
    return _pack([message.topic_id, message.at, message.salt, message.bits, digests])


def _decode_key_digest(payload: bytes) -> m.KeyDigest:
    shape = Shape(FrameType.KEY_DIGEST)
    body = shape.array(shape.unpack(payload, **_SMALL), "key digest", 5)
    bits = shape.integer(body[3], "bits", MIN_BITS, MAX_BITS)
    digests = shape.binary(body[4], "digests", 8 << bits)
    return m.KeyDigest(
        shape.integer(body[0], "topic id", 0, 0xFFFF_FFFF),
        shape.integer(body[1], "at"),
        shape.binary(body[2], "salt", 8),
        bits,
        list(struct.unpack(f">{1 << bits}Q", digests)),
    )


def _decode_key_request(payload: bytes) -> m.KeyRequest:
    shape, reader = Shape(FrameType.KEY_REQUEST), FlatReader(FrameType.KEY_REQUEST, payload)
    reader.array_header("key request", 3)
    topic_id = shape.integer(reader.scalar(), "topic id", 0, 0xFFFF_FFFF)
    at = shape.integer(reader.scalar(), "at")
    if payload[reader.position :] == b"\xc0":
        return m.KeyRequest(topic_id, at, None)
    buckets = [shape.integer(reader.scalar(), "bucket", 0, 0xFFFF) for _ in range(reader.array_header("buckets"))]
    reader.end()
    return m.KeyRequest(topic_id, at, buckets)


def _decode_gap(payload: bytes) -> m.Gap:
    shape = Shape(FrameType.GAP)
    topic_id, lo, hi = shape.array(shape.unpack(payload, **_SMALL), "gap", 3)
    return m.Gap(shape.integer(topic_id, "topic id", 0, 0xFFFF_FFFF), shape.integer(lo, "lo"), shape.integer(hi, "hi"))


def _decode_reset(payload: bytes) -> m.Reset:
    shape = Shape(FrameType.RESET)
    topic_id, cluster, form = shape.array(shape.unpack(payload, **_SMALL), "reset", 3)
    return m.Reset(
        shape.integer(topic_id, "topic id", 0, 0xFFFF_FFFF),
        shape.text(cluster, "cluster", MAX_NAME),
        shape.text(form, "format", MAX_NAME),
    )


_ENCODERS: Final[dict[type, tuple[FrameType, Callable[[Any], bytes]]]] = {
    m.Hello: (FrameType.HELLO, _encode_hello),
    m.Welcome: (FrameType.WELCOME, _encode_welcome),
    m.Refused: (
        FrameType.REFUSED,
        lambda r: _pack(
            {"code": r.code, "message": r.message, "retry_after_s": r.retry_after_s, "try": list(r.addresses)}
        ),
    ),
    m.Entries: (FrameType.ENTRIES, encode_entries_message),
    m.KeyIndex: (
        FrameType.KEY_INDEX,
        lambda i: _pack([i.topic_id, i.at, i.part, i.parts, i.buckets, i.keys]),
    ),
    m.Bookmark: (FrameType.BOOKMARK, lambda b: _pack([list(topic) for topic in b.topics])),
    m.Status: (FrameType.STATUS, lambda s: _pack([[t[0], str(t[1]), t[2], t[3]] for t in s.topics])),
    m.Ping: (FrameType.PING, lambda p: _pack({"t": p.t})),
    m.Pong: (
        FrameType.PONG,
        lambda p: _pack({"t": p.t, "applied": [list(item) for item in p.applied]} if p.applied else {"t": p.t}),
    ),
    m.GoAway: (
        FrameType.GO_AWAY,
        lambda g: _pack({"reason": g.reason, "after_s": g.after_s, "try": list(g.addresses)}),
    ),
    m.Close: (FrameType.CLOSE, lambda c: _pack({"code": c.code, "message": c.message})),
    m.Dictionary: (FrameType.DICTIONARY, lambda d: _pack([d.dictionary_id, d.content])),
    m.KeyDigest: (FrameType.KEY_DIGEST, _encode_key_digest),
    m.KeyRequest: (FrameType.KEY_REQUEST, lambda r: _pack([r.topic_id, r.at, r.buckets])),
    m.Gap: (FrameType.GAP, lambda g: _pack([g.topic_id, g.lo, g.hi])),
    m.Reset: (FrameType.RESET, lambda r: _pack([r.topic_id, r.cluster, r.format])),
}

_DECODERS: Final[dict[int, Callable[[bytes], m.Message]]] = {
    FrameType.HELLO: _decode_hello,
    FrameType.WELCOME: _decode_welcome,
    FrameType.REFUSED: _decode_refused,
    FrameType.ENTRIES: decode_entries,
    FrameType.KEY_INDEX: _decode_key_index,
    FrameType.BOOKMARK: _decode_bookmark,
    FrameType.STATUS: _decode_status,
    FrameType.PING: _decode_ping,
    FrameType.PONG: _decode_pong,
    FrameType.GO_AWAY: _decode_go_away,
    FrameType.CLOSE: _decode_close,
    FrameType.DICTIONARY: _decode_dictionary,
    FrameType.KEY_DIGEST: _decode_key_digest,
    FrameType.KEY_REQUEST: _decode_key_request,
    FrameType.GAP: _decode_gap,
    FrameType.RESET: _decode_reset,
}
