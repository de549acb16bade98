from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from typha.wire.digests import MAX_BITS, MIN_BITS, bits_for, bucket_of, digests_of, key_hash, keys_in_buckets

SALT = b"saltsalt"
key_sets = st.sets(st.text(max_size=20), max_size=60)


def test_known_hash_for_authors_in_other_languages() -> None:
    assert key_hash("default/web-0", SALT) == 0xC2882C1FA685A658
    assert bucket_of(key_hash("default/web-0", SALT), 8) == 0xC2


def test_bits_follow_the_number_of_keys() -> None:
    assert bits_for(0) == MIN_BITS
    assert [bits_for(keys) for keys in (10, 100, 1000, 10_000, 100_000, 200_000)] == [4, 6, 7, 9, 11, 12]
    assert bits_for(10**9) == MAX_BITS


@given(key_sets, key_sets)
def test_digests_differ_exactly_where_keys_differ(ours: set[str], theirs: set[str]) -> None:
    pairs = enumerate(zip(digests_of(ours, SALT, 8), digests_of(theirs, SALT, 8), strict=True))
    differing = {bucket for bucket, (a, b) in pairs if a != b}
    assert differing == {bucket_of(key_hash(key, SALT), 8) for key in ours ^ theirs}


@given(key_sets)
def test_keys_in_buckets_names_every_wanted_bucket(keys: set[str]) -> None:
    found = keys_in_buckets(keys, SALT, 8, frozenset({0, 7, 255}))
    assert list(found) == [0, 7, 255]
    for bucket, members in found.items():
        assert set(members) == {key for key in keys if bucket_of(key_hash(key, SALT), 8) == bucket}


def test_digest_needs_salt() -> None:
    """Names forged to give a digest of 0 under one salt are noticed under another (case 20)."""
    forged = _forged(SALT)
    assert digests_of(forged, SALT, 8) == [0] * 256
    assert digests_of(forged, b"othersal", 8) != [0] * 256


def _forged(salt: bytes) -> list[str]:
    """Names of one bucket whose hashes XOR to 0, by elimination over GF(2)."""
    basis: dict[int, tuple[int, frozenset[str]]] = {}
    number = 0
    while True:
        name = f"pod-{number}"
        number += 1
        rest, members = key_hash(name, salt), frozenset({name})
        if bucket_of(rest, 8) != 0:
            continue
        while rest:
            top = rest.bit_length()
            if top not in basis:
                basis[top] = (rest, members)
                break
            rest ^= basis[top][0]
            members ^= basis[top][1]
        else:
            return sorted(members)
