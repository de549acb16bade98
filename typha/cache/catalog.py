"""All topics of the server: their names and numbers, the cluster's life, readiness, and one listener.

Invariants
1. A topic's id is its place; ids go over the wire and never change while the process lives.
2. ``cluster`` is known before any subscriber is welcomed; another value means that every cursor is void.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from typha.cache.topic import Topic
from typha.wire.states import TopicState

# Quiet resources are heard of at least every 70 s (the probe); two of them may fail before data counts as old.
STALE_AFTER_S: Final = 180.0


class Catalog:
    """See the module. ``salt``: 8 random bytes of this process, for key digests."""

    def __init__(self, topics: Iterable[Topic], *, salt: bytes, stale_after_s: float = STALE_AFTER_S) -> None:
        self.topics = {topic.name: topic for topic in topics}
        self.salt = salt
        self.cluster: str | None = None
        self.listener: Callable[[Topic], None] | None = None
        self.stale_after_s = stale_after_s
        for topic in self.topics.values():
            topic.listener = self._changed
            topic.digest_salt = salt

    def set_cluster(self, cluster: str, now: float) -> bool:
        """The UID of kube-system + "/" + life. True where it differs from before: every topic starts anew."""
        before, self.cluster = self.cluster, cluster
        if before is None or before == cluster:
            return False
        for topic in self.topics.values():
            topic.restart(now)
        return True

    def tick(self, now: float) -> None:
        """Mark what was not heard of for too long. Call about once a second."""
        for topic in self.topics.values():
            if topic.state is TopicState.IN_SYNC and topic.contact_at is not None:
                silent_s = now - topic.contact_at
                if silent_s > self.stale_after_s:
                    topic.set_state(TopicState.STALE, now, f"no contact with the API server for {silent_s:.0f} s")

    def not_synced(self) -> list[str]:
        """Topics that were never complete in this life."""
        return [topic.name for topic in self.topics.values() if not topic.has_synced]

    def is_ready(self) -> bool:
        """Every topic was complete once (or is absent). One that is stale keeps the server ready: an outage of the
        API server must not empty the Service.
        """
        return self.cluster is not None and not self.not_synced()

    def _changed(self, topic: Topic) -> None:
        if self.listener is not None:
            self.listener(topic)
