"""What a reflector says of itself, for status page and metrics. Plain values, safe to hand to another thread."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from typha.upstream.resources import Resource

__all__ = ["ReflectorStatistics", "State"]


class State(Enum):
    """Where the loop stands."""

    DISCOVER = "discover"
    LIST = "list"
    PROBE = "probe"
    WATCH = "watch"
    ABSENT = "absent"


class ReflectorStatistics(NamedTuple):
    """Counters since the start; times are monotonic seconds."""

    source: str
    state: State
    resource: Resource | None
    topics: tuple[str, ...]
    lists: int
    relists: int
    watches: int
    events: int
    bookmarks: int
    probes: int
    failures: dict[str, int]
    unreadable: int
    last_error: str
    outage_since_at: float | None
