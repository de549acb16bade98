"""Topics from a file on their way to being complete: how they are watched, and what confirms them. Pure.

Place: `reflector` asks before a watch and tells what a probe showed; the topics themselves know when they are complete.

Invariant: a topic is confirmed by contact alone. A consistent read (the probe before the watch) shows version V; the
topic is complete when the watch from its head has brought it to V, by an event or a bookmark, or a list did.

Road not taken: waiting for the bookmark of a usual watch, which comes once a minute; agents would wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.cache.topic import Topic

__all__ = ["Warmth"]

# The API server sends a bookmark 2 s before a watch ends (apiserver `cache_watcher.go`), if anything was written since.
_WATCH_S: Final = 4.0
# Without a bookmark in so many of them a list is the quicker way.
_WATCHES: Final = 3


class Warmth:
    """Of one reflector's topics."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = topics
        self._watches = 0

    @property
    def is_on(self) -> bool:
        """The topics are from a file, all of one moment, and nothing has confirmed them yet."""
        return all(topic.is_warm for topic in self._topics) and len({topic.head for topic in self._topics}) == 1

    def probed(self, rv: int, now: float) -> None:
        """A consistent read shows ``rv``: where that is the head, nothing was written anywhere since the file."""
        for topic in self._topics:
            if topic.is_warm:
                topic.confirm_at = rv
                topic.advance(topic.head, now)

    def watch_timeout_s(self, usual_s: float) -> float | None:
        """How long the next watch lasts; None: list instead."""
        if not self.is_on:
            return usual_s
        self._watches += 1
        return min(usual_s, _WATCH_S) if self._watches <= _WATCHES else None
