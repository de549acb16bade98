"""One client core in memory; the test plays the server. No loop, no socket, no clock but ``now``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgpack

from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.digests import bucket_of, digests_of, key_hash, keys_in_buckets
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.states import Mode
from typha_client import events as e
from typha_client.replica import Replica, Replicas
from typha_client.session import Session, Subscription

SALT = b"saltsalt"
BITS = 8


def packed(value: Any) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


def put(key: str, rv: int, value: Any = None) -> m.Put:
    return m.Put(key, rv, packed(f"{key}@{rv}" if value is None else value))


def entries(puts: Iterable[m.Put] = (), deletes: Iterable[m.Delete] = (), through: int | None = None) -> m.Entries:
    return m.Entries(0, through, list(puts), list(deletes))


def bookmark(cursor: int, age_ms: int | None = 0) -> m.Bookmark:
    return m.Bookmark((m.BookmarkTopic(0, cursor, age_ms),))


def digest(at: int, keys: Iterable[str]) -> m.KeyDigest:
    return m.KeyDigest(0, at, SALT, BITS, digests_of(keys, SALT, BITS))


def bucket(key: str) -> int:
    return bucket_of(key_hash(key, SALT), BITS)


def index(at: int, buckets: Iterable[int], keys: Iterable[str], part: int = 0, parts: int = 1) -> m.KeyIndex:
    found = keys_in_buckets(keys, SALT, BITS, frozenset(buckets))
    return m.KeyIndex(0, at, part, parts, list(found), [key for members in found.values() for key in members])


class ScriptedServer:
    """The test's end of the wire, over one set of replicas and as many sessions as it likes."""

    def __init__(self, topic: str = "pods", wheres: Mapping[str, m.Where] | None = None) -> None:
        self.replicas = Replicas(wheres=wheres or {}, verify=True)
        self.topic = topic
        self.now = 0.0
        self.seen: list[tuple[str, str, int]] = []
        self.connect()

    def connect(self) -> m.Hello:
        """A new session over the same replicas (the old one is dropped without a word); its Hello."""
        self.session = Session(self.replicas, Subscription("n1", topics=(self.topic,), compression=()), self.now)
        self.decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)
        hello = self.said()[0]
        assert isinstance(hello, m.Hello)
        return hello

    def said(self) -> list[m.Message]:
        """What the client has sent since the last call."""
        self.decoder.receive_data(self.session.data_to_send())
        found = []
        while (frame := self.decoder.next_frame()) is not None:
            message = decode_message(frame)
            assert message is not None
            found.append(message)
        return found

    def say(self, *messages: m.Message) -> list[e.Event]:
        """Send frames; the events they caused. Commits are noted in ``seen``."""
        events = self.session.receive_data(b"".join(map(encode_message, messages)), self.now)
        self.note(events)
        return events

    def note(self, events: list[e.Event]) -> None:
        for event in events:
            if isinstance(event, e.Committed):
                self.seen += [(change.op, change.key, change.rv) for change in event.changes]

    def welcome(self, mode: Mode, cluster: str = "c/1", form: str = "f1", **fields: Any) -> list[e.Event]:
        topics = (m.WelcomeTopic(self.topic, 0, mode, form),)
        return self.say(m.Welcome("typha/t", "s1", cluster, topics, **fields))

    def snapshot(self, cursor: int, *puts: m.Put, cluster: str = "c/1", form: str = "f1") -> None:
        """Connect's whole first act: Welcome, one frame, Bookmark. Forgets what handlers saw of it."""
        self.welcome(Mode.SNAPSHOT, cluster, form)
        self.say(entries(puts), bookmark(cursor))
        self.take_seen()

    def take_seen(self) -> list[tuple[str, str, int]]:
        """(op, key, rv) of the changes handed over since the last call."""
        seen, self.seen = self.seen, []
        return seen

    @property
    def replica(self) -> Replica:
        return self.replicas.topics[self.topic]

    @property
    def held(self) -> dict[str, int]:
        """key -> rv of the copy."""
        return {key: held.rv for key, held in self.replica.entries.items()}

    def cursor(self) -> int | None:
        """The copy's cursor now."""
        return self.replica.cursor

    def hello_topic(self) -> m.ResumeTopic:
        """What the next Hello would offer."""
        return self.replicas.resume()[self.topic]
