"""The frames that a native session sends beside Entries. Pure: state in, bytes out; shared wherever it can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.wire import messages as m
from typha.wire.codec import encode_message

# Keys of a part of a KeyIndex: about 256 KB at 60 bytes a key, as any other slice.
_KEYS_PER_PART: Final = 4096
# Kubernetes messages can be long; the wire allows 4,096 characters.
_MESSAGE_LENGTH: Final = 500


def bookmark_frame(cursors: Iterable[tuple[Topic, int]], now: float) -> bytes:
    """In sync up to these cursors, and how old that knowledge is."""
    return encode_message(m.Bookmark(tuple(m.BookmarkTopic(t.id, cursor, _age_ms(t, now)) for t, cursor in cursors)))


def status_frame(topics: Iterable[Topic], now: float) -> bytes:
    """What the server knows of these topics."""
    return encode_message(
        m.Status(
            tuple(
                m.TopicStatus(
                    topic.id,
                    topic.state,
                    max(0, int((now - topic.state_since_at) * 1000)),
                    topic.state_message[:_MESSAGE_LENGTH],
                )
                for topic in topics
            )
        )
    )


def reset_frame(topic: Topic, cluster: str) -> bytes:
    """What follows on this topic is a snapshot of another life."""
    return encode_message(m.Reset(topic.id, cluster, topic.form))


def digest_frame(topic: Topic, log: Log, at: int, salt: bytes) -> bytes:
    """All keys of the log at ``at``, as digests."""
    table = log.digests(salt)
    return encode_message(m.KeyDigest(topic.id, at, salt, table.bits, list(table.digests)))


def index_frames(topic: Topic, log: Log, at: int, salt: bytes, buckets: tuple[int, ...] | None) -> Iterator[bytes]:
    """The keys of the wanted buckets (None: of all), whole buckets per part; none for no bucket."""
    table = log.digests(salt)
    wanted = range(len(table.members)) if buckets is None else buckets
    parts: list[tuple[list[int], list[str]]] = []
    for bucket in wanted:
        if bucket >= len(table.members):
            continue
        if not parts or len(parts[-1][1]) > _KEYS_PER_PART:
            parts.append(([], []))
        parts[-1][0].append(bucket)
        parts[-1][1].extend(table.members[bucket])
    for number, (in_part, keys) in enumerate(parts):
        yield encode_message(m.KeyIndex(topic.id, at, number, len(parts), in_part, keys))


def _age_ms(topic: Topic, now: float) -> int | None:
    return None if topic.contact_at is None else max(0, int((now - topic.contact_at) * 1000))
