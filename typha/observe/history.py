"""The last ten minutes: figures of every second, rates of every topic, and what went wrong and came back.

Place: `app` shows it each picture that it publishes, on the loop's thread; `answers` reads it.

1. All of it follows from two pictures, one after the other: the stages know nothing of it.
2. What readers see is replaced, never changed: the observers' thread reads it unlocked.
3. Rates are those of counters over the time between two pictures, whatever it was. A topic's first list is no change.

Road not taken: rates made by the page. It would have none when it opens, and none of the minutes before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from typha.observe.recoveries import Recoveries
from typha.observe.status import Latency, Published, Status

# What happened while somebody fetched a coffee; 600 samples of 100 B.
KEPT_S: Final = 600
# Pictures come once a second, ten times while the server is not ready and more where they are asked for.
INTERVAL_S: Final = 0.95
# A topic's rate over one second is 0 or a jump.
WINDOW_S: Final = 10.0

_QUANTILES: Final = (0.5, 0.99)


class Sample(NamedTuple):
    """Figures at one moment; rates are those since the sample before. ``number`` ascends from 1."""

    number: int
    at: float
    changes_per_s: float  # puts and deletes of all topics
    events_per_s: float  # received from the API server
    sent_bytes_per_s: float
    subscribers: int
    lagging: int
    entries: int
    p50_s: float | None  # from an event's arrival to the socket; None: nothing was sent
    p99_s: float | None
    loop_lag_p99_s: float | None  # how late the event loop was


class TopicRate(NamedTuple):
    """Per second, over the last WINDOW_S."""

    puts_per_s: float
    deletes_per_s: float


class _Counters(NamedTuple):
    at: float
    events: int
    sent_bytes: int
    latency: Latency | None
    loop_lag: Latency
    topics: Mapping[str, tuple[int, int]]  # puts and deletes, of those that were listed


class History:
    """See the module. Times are those of the pictures, on the board's clock."""

    def __init__(self) -> None:
        self.samples: tuple[Sample, ...] = ()
        self.rates: Mapping[str, TopicRate] = {}
        self.recoveries = Recoveries()
        self._window: deque[_Counters] = deque()

    def add(self, published: Published) -> None:
        """The newest picture; one that comes too soon after the last is left out."""
        status, at = published.status, published.status_at
        if status is None or (self._window and at - self._window[-1].at < INTERVAL_S):
            return
        counters = _counters(status, at)
        if self._window:
            self.samples = (*self._kept(at), self._sample(status, self._window[-1], counters))
        self._window.append(counters)
        while self._window[0].at < at - WINDOW_S:
            self._window.popleft()
        self.rates = _rates(self._window[0], counters)
        self.recoveries.compare(status, at)

    def page(self, after: int, now: float) -> dict[str, Any]:
        """For JSON: samples after that number, each as a row of ``fields``; ages in seconds instead of times."""
        chosen = [sample for sample in self.samples if sample.number > after]
        return {
            "kept_s": KEPT_S,
            "window_s": WINDOW_S,
            "fields": ["number", "age_s", *Sample._fields[2:]],
            "samples": [(one.number, round(now - one.at, 3), *map(_rounded, one[2:])) for one in chosen],
            "topics": {name: tuple(map(_rounded, rate)) for name, rate in self.rates.items()},
            "recoveries": [
                {"age_s": round(now - one.at, 1), "kind": one.kind, "what": one.what, "text": one.text}
                for one in reversed(self.recoveries.events)
            ],
        }

    def _kept(self, at: float) -> Sequence[Sample]:
        return [sample for sample in self.samples if sample.at >= at - KEPT_S]

    def _sample(self, status: Status, before: _Counters, now: _Counters) -> Sample:
        passed_s = now.at - before.at
        p50, p99 = (_quantile(before.latency, now.latency, part) for part in _QUANTILES)
        return Sample(
            number=self.samples[-1].number + 1 if self.samples else 1,
            at=now.at,
            changes_per_s=sum(map(sum, _rates(before, now).values())),
            events_per_s=(now.events - before.events) / passed_s,
            sent_bytes_per_s=(now.sent_bytes - before.sent_bytes) / passed_s,
            subscribers=status.server.connections,
            lagging=status.server.lagging,
            entries=sum(topic.entries for topic in status.topics),
            p50_s=p50,
            p99_s=p99,
            loop_lag_p99_s=_quantile(before.loop_lag, now.loop_lag, _QUANTILES[-1]),
        )


def _counters(status: Status, at: float) -> _Counters:
    topics = {topic.name: (topic.puts_total, topic.deletes_total) for topic in status.topics if topic.has_synced}
    return _Counters(
        at,
        sum(reflector.events_total for reflector in status.upstream.reflectors),
        status.server.bytes_sent_total,
        status.server.event_to_socket,
        status.loop_lag,
        topics,
    )


def _rates(before: _Counters, now: _Counters) -> dict[str, TopicRate]:
    passed_s = now.at - before.at
    if not passed_s:
        return {}
    return {
        name: TopicRate((puts - before.topics[name][0]) / passed_s, (deletes - before.topics[name][1]) / passed_s)
        for name, (puts, deletes) in now.topics.items()
        if name in before.topics
    }


def _quantile(before: Latency | None, now: Latency | None, share: float) -> float | None:
    """Of what was counted between the two; None where that is nothing."""
    if before is None or now is None:
        return None
    counts = tuple(new - old for old, new in zip(before.counts, now.counts, strict=True))
    return now._replace(counts=counts).quantile_s(share) if any(counts) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
