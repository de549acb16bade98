"""What to do when a watch says nothing. Pure: time in, an action out.

Silence proves nothing: a healthy quiet watch may send no byte, bookmarks included, and a watch above the version of a
restored server answers 200 and stays silent for ever. So the server is asked by another way (a probe), and a stream
that stays silent although the server answers is replaced.

Invariants
1. After `probe_after_s` of silence, and again after each such time, a probe is due.
2. `replace_after_s` after the first good probe of one silence the stream is replaced. With 70 and 130 s every topic is
   heard of within 180 s, when data begins to count as stale.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Action", "Silence"]


class Action(Enum):
    """What is due."""

    NOTHING = "nothing"
    PROBE = "probe"
    REPLACE = "replace"


class Silence:
    """The silence of one stream, opened at `now` (monotonic seconds)."""

    def __init__(self, now: float, probe_after_s: float, replace_after_s: float) -> None:
        self._probe_after_s = probe_after_s
        self._replace_after_s = replace_after_s
        self.heard_at = now
        self._first_probe_at: float | None = None
        self._last_probe_at = now

    def heard(self, now: float) -> None:
        """The stream brought bytes."""
        self.heard_at = now
        self._first_probe_at = None

    def probed(self, now: float) -> None:
        """A probe was answered well."""
        self._last_probe_at = now
        if self._first_probe_at is None:
            self._first_probe_at = now

    def next_deadline(self) -> float:
        """When to call `handle_timer`."""
        if self._first_probe_at is None:
            return self.heard_at + self._probe_after_s
        return min(self._last_probe_at + self._probe_after_s, self._first_probe_at + self._replace_after_s)

    def handle_timer(self, now: float) -> Action:
        """What is due at `now`."""
        if now < self.next_deadline():
            return Action.NOTHING
        if self._first_probe_at is not None and now >= self._first_probe_at + self._replace_after_s:
            return Action.REPLACE
        return Action.PROBE
