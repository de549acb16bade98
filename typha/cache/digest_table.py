"""Key digests of a log, kept up change by change: a reconcile costs the buckets that differ, not the topic.

Invariant: ``digests[b]`` is the XOR of the hashes of ``members[b]``, and the members are the log's keys.

Road not taken: hashing all keys when a digest is asked for. 100,000 keys take 0.15 s, and 2,000 agents ask
at once after a restart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from typha.wire.digests import bits_for, key_hash


class DigestTable:
    """2**bits buckets of keys with the XOR of their keyed hashes (wire/digests)."""

    __slots__ = ("bits", "digests", "members", "salt")

    def __init__(self, keys: Collection[str], salt: bytes) -> None:
        self.salt = salt
        self.bits = bits_for(len(keys))
        self.digests = [0] * (1 << self.bits)
        self.members: list[list[str]] = [[] for _ in range(1 << self.bits)]
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """A key was born."""
        hashed = key_hash(key, self.salt)
        bucket = hashed >> (64 - self.bits)
        self.digests[bucket] ^= hashed
        self.members[bucket].append(key)

    def remove(self, key: str) -> None:
        """A key died."""
        hashed = key_hash(key, self.salt)
        bucket = hashed >> (64 - self.bits)
        self.digests[bucket] ^= hashed
        self.members[bucket].remove(key)

    def is_outgrown(self, key_count: int) -> bool:
        """Whether there are four times the buckets that this many keys want, or a quarter of them."""
        return abs(bits_for(key_count) - self.bits) > 1

    def keys_in(self, buckets: Iterable[int]) -> list[str]:
        """All keys of those buckets."""
        return [key for bucket in buckets for key in self.members[bucket]]
