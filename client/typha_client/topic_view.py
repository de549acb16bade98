"""``client.topic(name)``: reading one topic's copy, its state and its age. No writes, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from typha.wire.states import TopicState
from typha_client.health import TopicHealth
from typha_client.indexes import FieldPath
from typha_client.replica import Replica


class Entry(NamedTuple):
    """One entry of a topic; ``value`` is decoded for this caller alone."""

    key: str
    rv: int
    value: Any


EntryList = list[Entry]
"""Named here, because the classes that return it have a method ``list``."""


class TopicView:
    """One topic, as it stands now; every method answers from memory."""

    def __init__(self, replica: Replica, health: TopicHealth, clock: Callable[[], float]) -> None:
        self._replica = replica
        self._health = health
        self._clock = clock

    @property
    def name(self) -> str:
        """The topic's name."""
        return self._replica.name

    def __len__(self) -> int:
        return len(self._replica)

    def __contains__(self, key: object) -> bool:
        return key in self._replica

    def get(self, key: str) -> Any:
        """The value of a key, or None."""
        return self._replica.get(key)

    def keys(self) -> tuple[str, ...]:
        """All keys."""
        return self._replica.keys()

    def list(self) -> EntryList:
        """All entries."""
        return [Entry(*item) for item in self._replica.items()]

    def add_index(self, name: str, path: FieldPath | None = None) -> None:
        """Keep an index by a field (``path`` None: the name). Raises ValueError for a second of that name."""
        self._replica.add_index(name, name if path is None else path)

    def by_index(self, name: str, value: Hashable) -> EntryList:
        """Entries whose indexed field is ``value`` (or, for a list, has it)."""
        found = []
        for key in self._replica.by_index(name, value):
            rv = self._replica.rv(key)
            if rv is not None:
                found.append(Entry(key, rv, self._replica.get(key)))
        return found

    @property
    def cursor(self) -> int | None:
        """The resourceVersion up to which this copy is complete; None while it never was, or starts anew."""
        return self._replica.cursor

    @property
    def format(self) -> str:
        """What the server calls the way in which it makes these values; "" before the first snapshot."""
        return self._replica.format

    @property
    def state(self) -> TopicState:
        """The server's state of the topic, as last told; ``stale`` also where no server will have us."""
        return self._health.state

    @property
    def message(self) -> str:
        """Why it is in that state."""
        return self._health.message

    @property
    def is_synced(self) -> bool:
        """True where what is not held does not exist (as of ``cursor``)."""
        return self._health.is_synced

    @property
    def age_s(self) -> float | None:
        """Seconds since the API server was last heard, as far as is known; grows while cut off. None: unknown."""
        return self._health.age_s(self._clock())

    @property
    def is_stale(self) -> bool:
        """True where the copy must not be taken for the present."""
        return self._health.is_stale(self._clock())

    @property
    def digest(self) -> str:
        """SHA-256 over keys and values: equal where two copies are equal."""
        return self._replica.content_digest()
