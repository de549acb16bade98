"""What went wrong lately and what came back: read off one picture after the other. Pure.

Place: `history` shows it the pictures; the status page lists its events.

1. One event for all topics, or all watches, to which the same thing happened between two pictures.
2. At most `KEPT` events, the newest; nothing of an object is in them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from typha.observe.status import ReflectorStatus, Status, TopicStatus
from typha.wire.states import TopicState

KEPT: Final = 50

_GOOD: Final = frozenset({TopicState.IN_SYNC, TopicState.ABSENT})


class Event(NamedTuple):
    """``kind``: ``bad`` (it began), ``good`` (it is over), ``note``. ``what`` are names of topics or watches."""

    at: float
    kind: str
    what: tuple[str, ...]
    text: str


class Recoveries:
    """See the module. ``events`` is replaced, never changed; the newest is its last."""

    def __init__(self) -> None:
        self.events: tuple[Event, ...] = ()
        self._before: tuple[Status, float] | None = None

    def compare(self, status: Status, at: float) -> None:
        """The next picture."""
        before, self._before = self._before, (status, at)
        if before is None:
            return
        merged: dict[tuple[str, str], list[str]] = {}
        for kind, name, text in _events(before[0], status, at - before[1]):
            merged.setdefault((kind, text), []).append(name)
        if merged:
            new = (Event(at, kind, tuple(names), text) for (kind, text), names in merged.items())
            self.events = tuple(deque((*self.events, *new), KEPT))


def _events(before: Status, now: Status, passed_s: float) -> Iterator[tuple[str, str, str]]:
    """(kind, name, text) of what differs."""
    if now.upstream.lives_total > before.upstream.lives_total:
        yield "bad", "cluster", "the cluster has a new life: etcd was restored; everything is listed anew"
    old_topics = {topic.name: topic for topic in before.topics}
    for topic in now.topics:
        if (old_topic := old_topics.get(topic.name)) is not None:
            yield from _of_topic(old_topic, topic, passed_s)
    old_watches = {one.resource: one for one in before.upstream.reflectors}
    for one in now.upstream.reflectors:
        if (old := old_watches.get(one.resource)) is not None:
            yield from _of_watch(old, one, passed_s)


def _of_topic(before: TopicStatus, now: TopicStatus, passed_s: float) -> Iterator[tuple[str, str, str]]:
    if before.state is now.state:
        return
    if now.state not in _GOOD:
        # The first list is no news: it is told when it is done.
        if before.has_synced:
            kind = "bad" if now.state is TopicState.STALE else "note"
            yield kind, now.name, _said(now.state) + _because(now.message)
    elif before.state in _GOOD:
        yield "note", now.name, f"{_said(now.state)}, was {_said(before.state)}" + _because(now.message)
    else:
        lasted = _seconds(before.since_s + passed_s)
        yield "good", now.name, f"{_said(now.state)} after {lasted} {_said(before.state)}"


def _of_watch(before: ReflectorStatus, now: ReflectorStatus, passed_s: float) -> Iterator[tuple[str, str, str]]:
    failures = sum(now.errors_total.values()) - sum(before.errors_total.values())
    if now.last_error_s is not None and before.last_error_s is None:
        yield "bad", now.resource, f"fails: {now.last_error}"
    elif now.last_error_s is None and before.last_error_s is not None:
        yield "good", now.resource, f"served again after {_seconds(before.last_error_s + passed_s)}"
    elif now.last_error_s is None and failures > 0:
        yield "note", now.resource, f"failed and recovered at once: {now.last_error}"
    if now.relists_total > before.relists_total:
        yield "note", now.resource, "listed again: the watch could not go on where it was"


def _said(state: TopicState) -> str:
    return state.value.replace("_", " ")


def _because(message: str) -> str:
    return f": {message}" if message else ""


def _seconds(value: float) -> str:
    steps: tuple[tuple[float, Callable[[float], str]], ...] = (
        (120, lambda s: f"{s:.0f} s"),
        (7200, lambda s: f"{s / 60:.0f} min"),
        (float("inf"), lambda s: f"{s / 3600:.1f} h"),
    )
    return next(text(value) for limit, text in steps if value < limit)
