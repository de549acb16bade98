"""What a reflector writes to the log about failures: one warning per outage, and the word when it is over.

Place: `reflector` tells it of every failure and of every success; the status page reads it.

Invariants
1. Of one outage each kind of error is told once; the same error every second is one line, not a thousand.
2. The same error within `quiet_s` of an outage's end is the same story and not told anew.
3. Nothing of an object and no secret is in these lines; messages come from `errors`.
"""

from __future__ import annotations

import logging
from collections import Counter

from typha.upstream.errors import StreamSilentError
from typha.upstream.recovery import Recovery

__all__ = ["Outage"]

_log = logging.getLogger(__name__)


class Outage:
    """The failures of the reflector of `source`."""

    def __init__(self, source: str, quiet_s: float) -> None:
        self._source = source
        self._quiet_s = quiet_s
        self._told: set[str] = set()
        self._is_told = False
        self._ended_at: float | None = None
        self._count = 0
        self.since_at: float | None = None
        self.failures: Counter[str] = Counter()
        self.last_error = ""

    def failed(self, error: Exception, recovery: Recovery, delay_s: float, now: float) -> None:
        """A failure at `now`, and what will be done about it in `delay_s`."""
        kind = type(error).__name__
        self.failures[kind] += 1
        self.last_error = str(error)
        if recovery is Recovery.PAGES:
            _log.info("%s: %s; listing in pages", self._source, error)
            return
        if isinstance(error, StreamSilentError):
            _log.debug("%s: %s; replaced", self._source, error)  # a quiet resource, most of the time
            return
        if self._ended_at is not None and now - self._ended_at >= self._quiet_s:
            self._told.clear()
        self._ended_at = None
        if self.since_at is None:
            self.since_at = now
            self._count = 0
            self._is_told = False
        self._count += 1
        level = logging.DEBUG
        if kind not in self._told:
            self._told.add(kind)
            self._is_told = True
            level = logging.WARNING
        _log.log(level, "%s: %s; %s in %.1f s", self._source, error, recovery.value, delay_s)

    def served(self, now: float) -> None:
        """The server serves."""
        if self.since_at is None:
            return
        if self._is_told:
            lasted_s = now - self.since_at
            _log.info("%s: served again after %.1f s, %d failures", self._source, lasted_s, self._count)
        self.since_at = None
        self._ended_at = now
