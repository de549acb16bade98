"""How changes of a feed view look to Calico's agents: MsgKVs, plain or in snappy chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.cache.log import Entry
from typha.cache.topic import Topic
from typha.calico_wire.messages import UpdateType
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.snappy import SnappyWriter
from typha.calico_wire.writer import encode_element, encode_kvs
from typha.downstream.calico_values import as_new

# ServerMaxMessageSize of Calico's Typha.
_KVS_PER_MESSAGE: Final = 100


class CalicoEncoding:
    """KVs of Calico's wire; ``preamble`` starts a stream of it."""

    def __init__(self, *, snappy: bool) -> None:
        self.preamble = SNAPPY_PREAMBLE if snappy else PREAMBLE
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
        messages = [
            encode_kvs(elements[at : at + _KVS_PER_MESSAGE]) for at in range(0, len(elements), _KVS_PER_MESSAGE)
        ]
        return self.encode_stream(b"".join(messages))

    def encode_bookmark(self, positions: Sequence[tuple[Topic, int]], now: float) -> bytes:
        """This language has no word for it."""
        return b""

    def encode_stream(self, messages: bytes) -> bytes:
        """Whole messages as they go into the stream."""
        return messages if self._snappy is None or not messages else self._snappy.compress(messages)


PLAIN: Final = CalicoEncoding(snappy=False)
SNAPPY: Final = CalicoEncoding(snappy=True)
