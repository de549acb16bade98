from __future__ import annotations

from typha.cache.digest_table import DigestTable
from typha.wire.digests import KEYS_PER_BUCKET, bucket_of, digests_of, key_hash

SALT = b"saltsalt"
KEYS = [f"ns/pod-{number}" for number in range(100)]


def test_equals_what_the_client_computes() -> None:
    table = DigestTable(KEYS, SALT)
    assert table.digests == digests_of(KEYS, SALT, table.bits)


def test_members_stand_in_the_bucket_of_their_hash() -> None:
    table = DigestTable(KEYS, SALT)
    for number, members in enumerate(table.members):
        assert all(bucket_of(key_hash(key, SALT), table.bits) == number for key in members)
    assert sorted(table.keys_in(range(1 << table.bits))) == sorted(KEYS)


def test_add_and_remove_undo_each_other() -> None:
    table = DigestTable(KEYS, SALT)
    before = list(table.digests)
    table.add("new")
    assert table.digests != before
    table.remove("new")
    assert table.digests == before


def test_is_outgrown_at_four_times_its_size() -> None:
    table = DigestTable([f"key-{number}" for number in range(KEYS_PER_BUCKET * 4096 - 1)], SALT)
    assert table.bits == 12
    assert not table.is_outgrown(2 * KEYS_PER_BUCKET * 4096 - 1)
    assert table.is_outgrown(4 * KEYS_PER_BUCKET * 4096)
    assert table.is_outgrown(100)
