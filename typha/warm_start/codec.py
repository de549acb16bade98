"""Topics of one watch as the records of a file, and back. Pure.

    file    := magic version(u8) record* end
    record  := length(u32, big endian) kind(u8) payload        kind & 0x80: the payload is a zstd frame
    end     := length kind=0 blake2b-256 of everything before

Invariants
1. A file is used as a whole or not at all: what is cut off, changed, or of another version raises WarmFileError.
2. A record is small (`_ENTRIES` entries): whoever writes yields between two.
3. Nothing in a file is run: a reader of labels is named, and the name is looked up among those that the caller knows.

Road not taken: the wire's own frames. They carry neither history nor attributes, and their form is a promise to others.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgpack

from typha.cache.claims import ClaimsState
from typha.cache.keeping import KeptTopic
from typha.cache.log import Attribute, Entry, Item
from typha.cache.views import ViewTombstone
from typha.wire import compression
from typha.wire.errors import WireError

__all__ = ["KeptFile", "LabelReaders", "WarmFileError", "decode", "encode"]

MAGIC: Final = b"typha-warm\n"
VERSION: Final = 1
_HEADER: Final = struct.Struct(">IB")
_END, _FILE, _TOPIC, _ENTRY, _TOMBSTONE, _VIEW_TOMBSTONE = range(6)
_PACKED: Final = 0x80
_DIGEST_BYTES: Final = 32
# 200 KB of pods: 2 ms to encode, and enough for zstd.
_ENTRIES: Final = 512
# Two of the largest objects that etcd takes, 512 times: no record of ours is larger.
_RECORD_LIMIT_BYTES: Final = 1 << 30
_READER: Final = 1

LabelReaders = Mapping[str, Callable[[bytes], Mapping[str, str]]]
"""How labels are read from a value, by a name that stays."""


class WarmFileError(Exception):
    """The file cannot be used; the text says why."""


class KeptFile(NamedTuple):
    """``forms``: of each topic as the configuration had it (discovery may have made it another); times are Unix."""

    cluster: str
    written_at: float
    forms: Mapping[str, str]
    topics: Sequence[KeptTopic]


def encode(kept: KeptFile, readers: LabelReaders) -> Iterator[bytes]:
    """The file in pieces. Raises WarmFileError where an attribute is none that a file can hold."""
    names = {reader: name for name, reader in readers.items()}
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    compressor = compression.Compressor() if compression.is_available() else None

    def default(value: object) -> Any:
        if callable(value) and value in names:
            return msgpack.ExtType(_READER, names[value].encode())
        raise WarmFileError(f"an attribute is {type(value).__name__}, which no file can hold")

    pack = msgpack.Packer(default=default, use_bin_type=True).pack
    yield _hashed(MAGIC + bytes([VERSION]), digest)
    for kind, content in _records(kept):
        payload = pack(content)
        packed = 0 if compressor is None else _PACKED
        if compressor is not None:
            payload = compressor.compress(payload)
        yield _hashed(_HEADER.pack(len(payload) + 1, kind | packed) + payload, digest)
    yield _HEADER.pack(_DIGEST_BYTES + 1, _END) + digest.digest()


def _hashed(data: bytes, digest: Any) -> bytes:
    digest.update(data)
    return data


def _records(kept: KeptFile) -> Iterator[tuple[int, Any]]:
    yield _FILE, [kept.cluster, kept.written_at, dict(kept.forms)]
    for topic in kept.topics:
        claims = None if topic.claims is None else [topic.claims.owned, topic.claims.losers]
        yield (
            _TOPIC,
            [
                topic.name,
                topic.form,
                topic.head,
                topic.horizon,
                topic.gaps,
                claims,
                topic.quarantined,
                topic.restamped,
            ],
        )
        for entries in _sliced(topic.entries):
            yield _ENTRY, [(each.rv, each.key, each.value, each.attributes) for each in entries]
        for tombstones in _sliced(topic.tombstones):
            yield _TOMBSTONE, tombstones
        for view_tombstones in _sliced(topic.view_tombstones):
            yield _VIEW_TOMBSTONE, view_tombstones


def _sliced(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _ENTRIES):
        yield items[start : start + _ENTRIES]


class _Topic:
    """One topic that is being read."""

    def __init__(self, head: Sequence[Any]) -> None:
        self.head = head
        self.entries: list[Entry] = []
        self.tombstones: list[tuple[str, int]] = []
        self.view_tombstones: list[ViewTombstone] = []

    def kept(self) -> KeptTopic:
        name, form, head, horizon, gaps, claims, quarantined, restamped = self.head
        return KeptTopic(
            name=name,
            form=form,
            head=head,
            horizon=horizon,
            gaps=[(low, high) for low, high in gaps],
            entries=self.entries,
            tombstones=self.tombstones,
            view_tombstones=self.view_tombstones,
            claims=None if claims is None else _claims(*claims),
            quarantined=[(name, rv, reason) for name, rv, reason in quarantined],
            restamped=restamped,
        )


def decode(data: bytes, readers: LabelReaders) -> KeptFile:
    """The whole file. Raises WarmFileError."""
    try:
        return _decode(data, readers)
    except (ValueError, TypeError, KeyError, IndexError, struct.error, msgpack.UnpackException, WireError) as error:
        # The digest was right: another release wrote it, or this one has a bug. Either way it is of no use.
        raise WarmFileError(f"its contents are not those of version {VERSION}: {error}") from None


def _decode(data: bytes, readers: LabelReaders) -> KeptFile:
    def hook(code: int, content: bytes) -> Any:
        name = content.decode()
        if code != _READER or name not in readers:
            raise WarmFileError(f"it names a reader of labels, {name[:80]!r}, that this release does not have")
        return readers[name]

    topics: list[_Topic] = []
    file: Sequence[Any] | None = None
    # Equal attributes are one tuple, as converters make them: 100,000 pods would hold 100,000.
    shared: dict[Any, tuple[Attribute, ...]] = {}
    for kind, payload in _payloads(data):
        content = msgpack.unpackb(payload, ext_hook=hook, strict_map_key=False, use_list=True)
        match kind:
            case 1:
                file = content
            case 2:
                topics.append(_Topic(content))
            case 3:
                topics[-1].entries += (Entry(rv, key, value, _attributes(of, shared)) for rv, key, value, of in content)
            case 4:
                topics[-1].tombstones += ((key, rv) for key, rv in content)
            case 5:
                topics[-1].view_tombstones += (ViewTombstone(*each) for each in content)
            case _:
                raise WarmFileError(f"it has a record of kind {kind}, which this release does not know")
    if file is None:
        raise WarmFileError("it has no header")
    cluster, written_at, forms = file
    return KeptFile(str(cluster), float(written_at), forms, [topic.kept() for topic in topics])


def _payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The records behind a digest that is right."""
    if not data.startswith(MAGIC):
        raise WarmFileError("it is no file of typha's topics")
    start = len(MAGIC) + 1
    if data[len(MAGIC) : start] != bytes([VERSION]):
        raise WarmFileError(f"it is of version {data[len(MAGIC) : start].hex() or '?'}, this release reads {VERSION}")
    end = len(data) - _HEADER.size - _DIGEST_BYTES
    if end < start or data[end : end + _HEADER.size] != _HEADER.pack(_DIGEST_BYTES + 1, _END):
        raise WarmFileError("it is cut off")
    view = memoryview(data)
    if hashlib.blake2b(view[:end], digest_size=_DIGEST_BYTES).digest() != data[end + _HEADER.size :]:
        raise WarmFileError("its checksum is wrong: it was damaged")
    while start < end:
        length, kind = _HEADER.unpack_from(data, start)
        payload = bytes(view[start + _HEADER.size : start + 4 + length])
        start += 4 + length
        if kind & _PACKED:
            if not compression.is_available():
                raise WarmFileError("it is compressed with zstd, which is not installed here")
            payload = compression.decompress(kind & ~_PACKED, payload, _RECORD_LIMIT_BYTES, None)
        yield kind & ~_PACKED, payload


def _attributes(found: Iterable[Any], shared: dict[Any, tuple[Attribute, ...]]) -> tuple[Attribute, ...]:
    made = tuple(found)
    if any(isinstance(each, dict) for each in made):
        return made
    return shared.setdefault(made, made)


def _claims(owned: Mapping[str, Sequence[str]], losers: Mapping[str, Sequence[Sequence[Any]]]) -> ClaimsState:
    return ClaimsState(
        {name: tuple(keys) for name, keys in owned.items()},
        {name: tuple(_item(item) for item in items) for name, items in losers.items()},
    )


def _item(found: Sequence[Any]) -> Item:
    key, value, attributes = found
    return key, value, tuple(attributes)
