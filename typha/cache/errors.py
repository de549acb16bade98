"""What upstream can do to a topic that a topic cannot accept. Each names the numbers it was decided by."""

from __future__ import annotations


class OutOfOrderError(Exception):
    """An event at or below the head: the watch is not the continuation of what the topic holds. Re-list."""

    def __init__(self, topic: str, rv: int, head: int) -> None:
        super().__init__(f"topic {topic}: event at resourceVersion {rv} is not above the head {head}")
        self.rv = rv
        self.head = head


class RestoredError(Exception):
    """Proof that etcd went back in time (design: *Restore*). The cluster has a new life."""

    def __init__(self, topic: str, what: str, rv: int, seen: int) -> None:
        super().__init__(f"topic {topic}: {what} {rv} is below {seen}, which was seen before: etcd was restored")
        self.rv = rv
        self.seen = seen


class FilterError(ValueError):
    """A ``where`` that this topic cannot serve: names the attribute, the value and what is allowed."""
