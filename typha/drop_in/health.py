"""/liveness and /readiness as Typha answers them: a status code, and a table of reporters as the body.

Place: `ports` asks on its own thread; everything is decided from the board's newest picture.

1. Ready: each of the four caches was complete once in this life. A cache whose watch was lost stays ready.
2. Live: the loop gave a sign of life within `TIMEOUT_S`; all reporters live on the one loop.
3. Before the first picture nothing is ready, and everything is live.

Unlike in Typha the port is open from the start on: an API server that does not answer makes this server not ready
(for as long as it takes), and never restarts it.

Source of names, words and layout: Calico, libcalico-go/lib/health and its table writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.observe.status import Published, Status
from typha.wire.states import TopicState

TIMEOUT_S: Final = 20.0
"""Typha's reporters expire after it. The longest known pause of the loop is 3 s."""
_SERVER: Final = "SyncServer"
_HEADER: Final = ("COMPONENT", "TIMEOUT", "LIVENESS", "READINESS", "DETAIL")


class Reporter(NamedTuple):
    """One row. ``is_ready`` None: it reports its liveness only."""

    name: str
    is_live: bool
    has_timed_out: bool
    is_ready: bool | None

    @property
    def liveness(self) -> str:
        """In Typha's words."""
        if self.has_timed_out:
            return "timed out"
        return "reporting live" if self.is_live else "reporting non-live"

    @property
    def readiness(self) -> str:
        """In Typha's words."""
        if self.is_ready is None:
            return "-"
        if self.has_timed_out:
            return "timed out"
        return "reporting ready" if self.is_ready else "reporting non-ready"


class Health(NamedTuple):
    """The whole: two verdicts and the table."""

    is_live: bool
    is_ready: bool
    table: str


def health(published: Published, now: float) -> Health:
    """The verdicts at this moment."""
    has_timed_out = now - published.beat_at > TIMEOUT_S
    reporters = [
        Reporter(
            f"{feed}-cache", is_live=True, has_timed_out=has_timed_out, is_ready=_has_synced(published.status, feed)
        )
        for feed in BUILT_IN_FEEDS
        if published.status is None or feed in published.status.feeds
    ]
    reporters.append(Reporter(_SERVER, is_live=True, has_timed_out=has_timed_out, is_ready=None))
    reporters.sort(key=lambda reporter: reporter.name)
    return Health(
        is_live=all(reporter.is_live and not reporter.has_timed_out for reporter in reporters),
        is_ready=all(reporter.is_ready in {None, True} for reporter in reporters) and not has_timed_out,
        table=_table([_HEADER, *((one.name, f"{TIMEOUT_S:g}s", one.liveness, one.readiness, "") for one in reporters)]),
    )


def _has_synced(status: Status | None, feed: str) -> bool:
    if status is None:
        return False
    names = set(status.feeds[feed])
    known = [topic for topic in status.topics if topic.name in names]
    return len(known) == len(names) and all(topic.has_synced or topic.state is TopicState.ABSENT for topic in known)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    head, *body = rows
    # The table writer centres a header with the smaller half of the gap on its left.
    titles = [" " * ((width - len(text)) // 2) + text for text, width in zip(head, widths, strict=True)]
    return "\n".join((line, _row(titles, widths), line, *(_row(row, widths) for row in body), line))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True)) + " |"
