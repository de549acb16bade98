"""Key digests: how two sides find out, in a few bytes, which keys one of them has and the other lacks.

    hash   = BLAKE2b-64 of the UTF-8 key, keyed with the salt; bucket = its first ``bits`` bits
    digest = per bucket the XOR of the hashes in it

The salt is random per server process: without it a tenant who chooses pod names can forge a bucket whose XOR
does not change, and its deletions would stay invisible (26 names of one bucket took 0.02 s to find).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import isqrt
from typing import Final

SALT_BYTES: Final = 8
MIN_BITS: Final = 2
MAX_BITS: Final = 16
# A digest costs 8 bytes a bucket, a bucket that differs its keys (some 45 bytes each, 13 compressed). With few keys
# 4 * sqrt(keys) buckets keep both near 1 KB for a handful of deletions; with many, 64 keys a bucket bound what one
# deletion costs. 100,000 pods of which 15 died: 26 KB, with 32 keys a bucket 37 KB; the break-even is at 50 deletions.
KEYS_PER_BUCKET: Final = 64


def entry_digest(key: str, value: bytes) -> int:
    """64-bit hash of one entry. The XOR over all entries of a topic tells two contents apart (``TYPHA_VERIFY``)."""
    return int.from_bytes(blake2b(value, digest_size=8, key=blake2b(key.encode(), digest_size=32).digest()).digest())


def bits_for(key_count: int) -> int:
    """Bits of the bucket number for a topic of that many keys: 4 to 65,536 buckets."""
    buckets = max(4 * isqrt(key_count), key_count // KEYS_PER_BUCKET, 1)
    return max(MIN_BITS, min(MAX_BITS, buckets.bit_length()))


def key_hash(key: str, salt: bytes) -> int:
    """64-bit keyed hash of one key."""
    # surrogatepass: a key that is no valid UTF-8 must not stop a reconcile (msgpack would refuse it earlier).
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest(), "big")


def bucket_of(hashed: int, bits: int) -> int:
    """The bucket number: the first ``bits`` bits of the hash."""
    return hashed >> (64 - bits)


def digests_of(keys: Iterable[str], salt: bytes, bits: int) -> list[int]:
    """Per bucket the XOR of its keys' hashes; 2**bits numbers."""
    table = [0] * (1 << bits)
    shift = 64 - bits
    for key in keys:
        hashed = key_hash(key, salt)
        table[hashed >> shift] ^= hashed
    return table


def keys_in_buckets(keys: Iterable[str], salt: bytes, bits: int, buckets: frozenset[int]) -> dict[int, list[str]]:
    """The keys of the wanted buckets, by bucket; every wanted bucket is present."""
    found: dict[int, list[str]] = {bucket: [] for bucket in sorted(buckets)}
    shift = 64 - bits
    for key in keys:
        members = found.get(key_hash(key, salt) >> shift)
        if members is not None:
            members.append(key)
    return found
