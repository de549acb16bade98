"""How changes of a feed view look to Calico's agents: MsgKVs, plain or in snappy chunks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from typha.cache.log import Entry, Log
from typha.cache.topic import Topic
from typha.calico_wire.messages import UpdateType
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.snappy import SnappyWriter
from typha.calico_wire.writer import encode_element, encode_kvs
from typha.downstream.calico_values import as_new
from typha.downstream.statistics import KVS_BOUNDS, Histogram

# ServerMaxMessageSize of Calico's Typha.
KVS_PER_MESSAGE: Final = 100


class CalicoEncoding:
    """KVs of Calico's wire; ``preamble`` starts a stream of it, ``kvs`` counts pairs per message, by topic id."""

    def __init__(self, *, snappy: bool, kvs_per_message: int = KVS_PER_MESSAGE) -> None:
        self.preamble = SNAPPY_PREAMBLE if snappy else PREAMBLE
        self.kvs: dict[int, Histogram] = {}
        self._kvs_per_message = kvs_per_message
        self._snappy = SnappyWriter() if snappy else None

    def encode_changes(
        self,
        topic_id: int,
        start: int | None,
        through: int | None,
        puts: Sequence[Entry],
        deletes: Sequence[tuple[str, int]],
    ) -> bytes:
        """Messages of some KVs each. In a snapshot every KV is new; a deletion carries no revision."""
        elements = [as_new(entry.value) for entry in puts] if start is None else [entry.value for entry in puts]
        elements += [encode_element(key, None, "", "", UpdateType.DELETED) for key, _ in deletes]
        most = self._kvs_per_message
        parts = [elements[at : at + most] for at in range(0, len(elements), most)]
        kvs = self.kvs.setdefault(topic_id, Histogram(KVS_BOUNDS))
        for part in parts:
            kvs.observe(len(part))
        return self.encode_stream(b"".join(encode_kvs(part) for part in parts))

    def encode_bookmark(self, positions: Sequence[tuple[Topic, int]], now: float) -> bytes:
        """This language has no word for it."""
        return b""

    def published(self, log: Log, now: float) -> CalicoEncoding:
        """Its readers stay in it."""
        return self

    def encode_stream(self, messages: bytes) -> bytes:
        """Whole messages as they go into the stream."""
        return messages if self._snappy is None or not messages else self._snappy.compress(messages)


class Encodings(NamedTuple):
    """What one server speaks: the same objects for all of its sessions, so that they share bytes."""

    plain: CalicoEncoding
    snappy: CalicoEncoding


@cache
def encodings_of(kvs_per_message: int) -> Encodings:
    """For messages of at most so many pairs."""
    return Encodings(
        CalicoEncoding(snappy=False, kvs_per_message=kvs_per_message),
        CalicoEncoding(snappy=True, kvs_per_message=kvs_per_message),
    )


PLAIN, SNAPPY = encodings_of(KVS_PER_MESSAGE)
