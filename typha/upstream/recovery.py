"""What to do after each error: one table, and the memory that it needs (how often, since when). Pure.

| error | recovery |
|---|---|
| connection lost, TLS refused, a silent stream | probe, then resume from head (TLS: with credentials read anew) |
| 410, "too large resource version", a broken line | list again: not older than head, the second time consistently |
| events out of order, pages of two versions | list again, consistently |
| 401 | refresh credentials once, then back off |
| 403 | keep the data, stale or waiting, try again |
| 404 of the resource | absent, when discovery agrees twice |
| 429, 5xx, nonsense | back off; `Retry-After` is honoured |
| proof of a restore | the cluster has a new life |

Invariants
1. Every class of `errors` has exactly one row (a test walks the tree).
2. Delays grow with consecutive failures, from 0.8 s to 30 s, with full jitter; 2 healthy minutes start them anew.
   What is no failure of the server's (a first 410, a stream with nothing to say) does not count and hardly waits.
3. `Retry-After` is a lower bound of the delay, up to 10 minutes: a broken proxy must not stop us for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from typha.cache.errors import OutOfOrderError, RestoredError
from typha.upstream import errors

__all__ = ["RECOVERIES", "Backoff", "Recoveries", "Recovery", "Step", "recovery_for"]

_RETRY_AFTER_LIMIT_S: Final = 600.0


class Recovery(Enum):
    """The next thing to do, after the step's delay."""

    RESUME = "resume"
    RELIST = "relist"
    RELIST_CONSISTENT = "relist consistently"
    REFRESH_CREDENTIALS = "refresh credentials"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    BACK_OFF = "back off"
    PAGES = "list in pages"
    NEW_LIFE = "new life"


RECOVERIES: Final[Mapping[type[Exception], Recovery]] = {
    errors.ConnectionLostError: Recovery.RESUME,
    errors.TlsFailedError: Recovery.REFRESH_CREDENTIALS,
    errors.StreamSilentError: Recovery.RESUME,
    errors.ListExpiredError: Recovery.RELIST,
    errors.WatchExpiredError: Recovery.RELIST,
    errors.TooLargeResourceVersionError: Recovery.RELIST,
    errors.BadStreamError: Recovery.RELIST,
    errors.LineTooLongError: Recovery.RELIST,
    errors.InconsistentListError: Recovery.RELIST_CONSISTENT,
    OutOfOrderError: Recovery.RELIST_CONSISTENT,
    errors.UnauthorizedError: Recovery.REFRESH_CREDENTIALS,
    errors.ForbiddenError: Recovery.FORBIDDEN,
    errors.ResourceNotFoundError: Recovery.ABSENT,
    errors.WatchListUnsupportedError: Recovery.PAGES,
    errors.CredentialsError: Recovery.BACK_OFF,
    errors.ListFailedError: Recovery.BACK_OFF,
    errors.WatchFailedError: Recovery.BACK_OFF,
    errors.DiscoveryFailedError: Recovery.BACK_OFF,
    errors.BadAnswerError: Recovery.BACK_OFF,
    RestoredError: Recovery.NEW_LIFE,
}


def recovery_for(error: Exception) -> Recovery:
    """The table's row; KeyError for what is no upstream error."""
    return RECOVERIES[type(error)]


class Step(NamedTuple):
    """Do `recovery` after `delay_s`."""

    recovery: Recovery
    delay_s: float


class Backoff:
    """Delays of consecutive failures. `random` gives numbers in [0, 1)."""

    def __init__(
        self, random: Callable[[], float], first_s: float = 0.8, limit_s: float = 30.0, reset_s: float = 120.0
    ) -> None:
        self._random = random
        self._first_s = first_s
        self._limit_s = limit_s
        self._reset_s = reset_s
        self._failures = 0
        self._healthy_since_at: float | None = None

    def succeeded(self, now: float) -> None:
        """Health begins, or goes on."""
        if self._healthy_since_at is None:
            self._healthy_since_at = now

    def is_fresh(self, now: float) -> bool:
        """Whether a failure now would be the first of its kind: nothing failed yet, or not for long enough."""
        healthy_at = self._healthy_since_at
        return self._failures == 0 or (healthy_at is not None and now - healthy_at >= self._reset_s)

    def spread(self) -> float:
        """A delay that keeps replicas from acting at one moment; not a failure."""
        return self._random() * self._first_s

    def next_delay(self, now: float, retry_after_s: float | None = None) -> float:
        """Seconds to wait after a failure at `now`."""
        if self.is_fresh(now):
            self._failures = 0
        self._healthy_since_at = None
        ceiling_s = min(self._limit_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        delay_s = self._random() * ceiling_s
        if retry_after_s is None:
            return delay_s
        # Above the server's wish, not below it, and not all at one moment.
        return min(retry_after_s, _RETRY_AFTER_LIMIT_S) + delay_s


class Recoveries:
    """The table with its memory; one per reflector."""

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self._relists = 0
        self._refreshed = False

    def served(self, now: float) -> None:
        """A list was committed or a watch accepted."""
        self._refreshed = False
        self.backoff.succeeded(now)

    def streamed(self, now: float) -> None:
        """A watch brought events: the list before it was new enough. (That a list succeeds does not show it.)"""
        self._relists = 0
        self.backoff.succeeded(now)

    def after(self, error: Exception, now: float) -> Step:
        """What to do about `error` at `now`."""
        recovery = recovery_for(error)
        if recovery is Recovery.PAGES or isinstance(error, errors.StreamSilentError):
            # No failure of the server's: it told what it cannot do, or had nothing to say.
            return Step(recovery, 0.0)
        if recovery is Recovery.REFRESH_CREDENTIALS and isinstance(error, errors.UnauthorizedError):
            if not self._refreshed:
                self._refreshed = True
                return Step(recovery, 0.0)
            # Each further one backs off, and refreshes again after that: tokens may be renewed meanwhile.
            self._refreshed = False
            recovery = Recovery.BACK_OFF
        elif recovery in {Recovery.RELIST, Recovery.RELIST_CONSISTENT}:
            self._relists += 1
            if self._relists == 1:
                # The server is well, we are too old for it: spread over replicas, but no backoff.
                return Step(recovery, self.backoff.spread())
            recovery = Recovery.RELIST_CONSISTENT
        return Step(recovery, self.backoff.next_delay(now, getattr(error, "retry_after_s", None)))
