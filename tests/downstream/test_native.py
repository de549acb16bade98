from __future__ import annotations

import pytest

from tests.cache.entries import entry, log_of
from tests.downstream.talk import decoded, synced_server
from tests.kit.server import Server
from typha.downstream.encodings import PLAIN, ZstdEncoding
from typha.downstream.native import bookmark_frame, digest_frame, index_frames, reset_frame, status_frame
from typha.downstream.statistics import PackedFrames
from typha.wire import messages as m
from typha.wire.digests import bucket_of, digests_of, key_hash
from typha.wire.frames import COMPRESSED as COMPRESSED_BIT
from typha.wire.states import TopicState

SALT = b"saltsalt"


@pytest.fixture
def server() -> Server:
    return synced_server()


def test_bookmark_carries_cursor_and_age(server: Server) -> None:
    server.pods.contact(10.0)
    server.topics[1].contact_at = None
    (bookmark,) = decoded(bookmark_frame([(server.pods, 7), (server.topics[1], 8)], 12.5))
    assert bookmark == m.Bookmark((m.BookmarkTopic(0, 7, 2500), m.BookmarkTopic(1, 8, None)))


def test_ages_are_never_negative(server: Server) -> None:
    (bookmark,) = decoded(bookmark_frame([(server.pods, 7)], 0.0))
    (status,) = decoded(status_frame([server.pods], 0.0))
    assert isinstance(bookmark, m.Bookmark)
    assert isinstance(status, m.Status)
    assert (bookmark.topics[0].age_ms, status.topics[0].since_ms) == (0, 0)


def test_status_cuts_long_messages(server: Server) -> None:
    server.pods.set_state(TopicState.STALE, 1000.0, "x" * 5000)
    (status,) = decoded(status_frame([server.pods], 1001.0))
    assert status == m.Status((m.TopicStatus(0, TopicState.STALE, 1000, "x" * 500),))


def test_reset_names_the_new_life(server: Server) -> None:
    assert decoded(reset_frame(server.pods, "uid/2")) == [m.Reset(0, "uid/2", "1")]


def test_digest_is_what_the_client_computes(server: Server) -> None:
    keys = [f"k{number}" for number in range(300)]
    log = log_of(*(entry(key, number) for number, key in enumerate(keys)))
    (digest,) = decoded(digest_frame(server.pods, log, 300, SALT))
    assert isinstance(digest, m.KeyDigest)
    assert (digest.at, digest.salt, digest.digests) == (300, SALT, digests_of(keys, SALT, digest.bits))


def test_index_holds_whole_buckets_and_names_empty_ones(server: Server) -> None:
    keys = [f"k{number}" for number in range(20)]
    log = log_of(*(entry(key, number) for number, key in enumerate(keys)))
    table = log.digests(SALT)
    bucket = bucket_of(key_hash("k7", SALT), table.bits)
    empty = next(number for number, members in enumerate(table.members) if not members)
    (index,) = (decoded(frame)[0] for frame in index_frames(server.pods, log, 20, SALT, (bucket, empty)))
    assert isinstance(index, m.KeyIndex)
    assert (index.part, index.parts, index.buckets) == (0, 1, [bucket, empty])
    assert "k7" in index.keys


def test_index_in_parts_is_complete(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.downstream.native._KEYS_PER_PART", 10)
    keys = {f"k{number}" for number in range(100)}
    log = log_of(*(entry(key, number) for number, key in enumerate(sorted(keys))))
    parts = [decoded(frame)[0] for frame in index_frames(server.pods, log, 100, SALT, None)]
    found: set[str] = set()
    buckets: list[int] = []
    for number, part in enumerate(parts):
        assert isinstance(part, m.KeyIndex)
        assert (part.part, part.parts) == (number, len(parts))
        found |= set(part.keys)
        buckets += part.buckets
    assert found == keys
    assert buckets == list(range(1 << log.digests(SALT).bits))


def test_no_bucket_no_frame(server: Server) -> None:
    assert list(index_frames(server.pods, server.pods.log, 5, SALT, ())) == []
    assert list(index_frames(server.pods, server.pods.log, 5, SALT, (70_000,))) == []


def test_compressed_only_where_it_is_smaller() -> None:
    small = [entry("a", 1)]
    large = [entry(f"key-{number}", number + 1) for number in range(200)]
    compressed = ZstdEncoding(counted := PackedFrames())
    assert compressed.encode_changes(0, 3, 5, small, []) == PLAIN.encode_changes(0, 3, 5, small, [])
    packed, plain = (
        compressed.encode_changes(0, 3, 5, large, [("x", 3)]),
        PLAIN.encode_changes(0, 3, 5, large, [("x", 3)]),
    )
    assert packed[4] & COMPRESSED_BIT
    assert len(packed) < len(plain)
    assert decoded(packed) == decoded(plain)
    assert counted == PackedFrames(1, len(plain), len(packed))
