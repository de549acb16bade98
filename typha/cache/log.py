"""The heart: current state and its compacted history in one dict.

Invariants
1. ``entries`` and ``tombstones`` stand in ascending order of rv: a change takes its key out and puts it in again
   at the end, and both containers keep insertion order.
2. A key stands in one of the two, never in both.
3. What changed since rv X is the end of both, back to X: the cost is the changes, not the topic.

Roads not taken: a queue per subscriber (memory follows the slowest reader), a ring of events (resume ends where
the ring does), a plain dict for tombstones (popping its front again and again turns quadratic).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from typha.cache.digest_table import DigestTable
from typha.cache.packing import Codec, Packer, size_of

Attribute = str | Mapping[str, str] | Callable[[bytes], Mapping[str, str]] | None
"""Value of a filter attribute: text, or labels (or how to read them from the value), or None where there is none."""

Item = tuple[str, bytes, tuple[Attribute, ...]]
"""What a converter gives for one key: key, msgpack of the value (or NO_VALUE), attributes in the topic's order."""

NO_VALUE: Final = b""
"""The object could have this key, and does not have it now."""


class Entry(msgspec.Struct, gc=False, frozen=True):
    """A key's newest value, encoded, and what filters look at. ``held`` is the value as ``codec`` packed it, if any.

    gc=False: it refers to bytes, numbers, flat maps and the topic's codec only, never to a cycle; a full collection
    over 100,000 tracked entries would stop the loop.
    """

    rv: int
    key: str
    held: bytes
    attributes: tuple[Attribute, ...]
    codec: Codec | None = None

    @property
    def value(self) -> bytes:
        """The plain value."""
        return self.held if self.codec is None else self.codec.unpack(self.held)

    @property
    def size(self) -> int:
        """Bytes of key and plain value."""
        return len(self.key) + (len(self.held) if self.codec is None else size_of(self.held))

    @property
    def saved(self) -> int:
        """Bytes of the value that packing saves."""
        return 0 if self.codec is None else size_of(self.held) - len(self.held)

    def holds(self, value: bytes, attributes: tuple[Attribute, ...]) -> bool:
        """Whether this entry already has that value and those attributes."""
        if self.attributes != attributes:
            return False
        if self.codec is None:
            return self.held == value
        return size_of(self.held) == len(value) and self.codec.pack(value) == self.held


def entry_of(rv: int, item: Item, before: Entry | None = None, packer: Packer | None = None) -> Entry:
    """The entry of a converted item; ``before`` is the key's entry so far. ``packer``: the value is held packed.

    A plain value is copied: encoders shrink a larger buffer, whose rest stays in use. Key and equal attributes are
    those of ``before``: digests and tombstones refer to them, and would keep the old ones beside the new.
    """
    key, value, attributes = item
    if before is not None:
        key = before.key
        if attributes == before.attributes:
            attributes = before.attributes
    if packer is not None and (codec := packer.codec) is not None:
        packed = codec.pack(value)
        if packed is not value:
            return Entry(rv, key, packed, attributes, codec)
    return Entry(rv, key, memoryview(value).tobytes(), attributes)


class Changes(NamedTuple):
    """What changed in a log since some rv, each list ascending by rv."""

    puts: list[Entry]
    deletes: list[tuple[str, int]]


class Log:
    """One compacted log: a topic's own, or that of one filter of it (same entries by reference)."""

    __slots__ = ("__weakref__", "change_count", "digest_table", "entries", "last_rv", "readers", "tombstones")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.tombstones: OrderedDict[str, int] = OrderedDict()
        self.last_rv = 0
        self.change_count = 0
        self.readers = 0
        self.digest_table: DigestTable | None = None

    def put(self, entry: Entry) -> None:
        """The key's newest value, at the end of the log."""
        key = entry.key
        if self.entries.pop(key, None) is None:
            self.tombstones.pop(key, None)
            if self.digest_table is not None:
                self.digest_table.add(key)
        self.entries[key] = entry
        self.last_rv = entry.rv
        self.change_count += 1

    def delete(self, key: str, rv: int) -> bool:
        """Turn the key into a tombstone; False (and nothing kept) where it is not held."""
        if self.entries.pop(key, None) is None:
            return False
        if self.digest_table is not None:
            self.digest_table.remove(key)
        self.tombstones[key] = rv
        self.last_rv = rv
        self.change_count += 1
        return True

    def forget_tombstone(self, key: str, rv: int) -> bool:
        """Drop the tombstone if it is still the one of that rv (the horizon passes it)."""
        if self.tombstones.get(key) != rv:
            return False
        del self.tombstones[key]
        return True

    def changes_since(self, rv: int | None) -> Changes:
        """Walk back from the end to ``rv`` (exclusive); None: every entry, no tombstone."""
        if rv is None:
            return Changes(list(self.entries.values()), [])
        puts = []
        for entry in reversed(self.entries.values()):
            if entry.rv <= rv:
                break
            puts.append(entry)
        puts.reverse()
        deletes = []
        for key in reversed(self.tombstones):
            died_at = self.tombstones[key]
            if died_at <= rv:
                break
            deletes.append((key, died_at))
        deletes.reverse()
        return Changes(puts, deletes)

    def load(self, entries: list[Entry]) -> None:
        """Replace everything by entries that ascend by rv (first list, new filter)."""
        self.entries = {entry.key: entry for entry in entries}
        self.tombstones.clear()
        self.last_rv = entries[-1].rv if entries else 0
        self.digest_table = None
        self.change_count += 1

    def digests(self, salt: bytes) -> DigestTable:
        """The key digests, made on first use and kept up from then on."""
        table = self.digest_table
        if table is None or table.salt != salt or table.is_outgrown(len(self.entries)):
            self.digest_table = table = DigestTable(self.entries, salt)
        return table

    @property
    def is_empty(self) -> bool:
        """Holds neither a value nor the memory of one."""
        return not self.entries and not self.tombstones
