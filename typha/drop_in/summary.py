"""A Prometheus summary of a stage's histogram: count and sum for ever, quantiles of a window that slides.

Place: stages count into histograms (`downstream.statistics`), which cost them a bisection; at each publication `app`
shows the totals to `Windows`, and what comes out goes into `FeedStatistics`. Pure, with time as an argument.

1. Totals only grow; what was counted within the window is their difference to what they were at its start.
2. A quantile is right within its bucket, and in a straight line between the bucket's bounds, as Prometheus' own
   `histogram_quantile` has it. Beyond the last bound it is that bound.
3. The window slides in `SLICES` steps, as that of Calico's client library. A window without values has no quantiles.

Not taken: sorted samples, as that library has them: a lock and an insertion per write of each agent, for numbers that
are read every quarter of a minute.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

QUANTILES: Final = (0.5, 0.9, 0.99)
"""Those of every summary of Typha's."""
WINDOW_S: Final = 600.0
"""The default of Calico's client library."""
CLIENT_LATENCY_WINDOW_S: Final = 60.0
"""Typha's own choice for `typha_client_latency_secs`."""
SLICES: Final = 5


@dataclass(frozen=True, slots=True)
class SummaryValue:
    """What is shown: ``quantiles`` goes with `QUANTILES`; NaN where the window is empty."""

    count: int = 0
    sum: float = 0.0
    quantiles: tuple[float, ...] = (math.nan,) * len(QUANTILES)


NOTHING: Final = SummaryValue()


class Counted(Protocol):
    """A histogram of a stage: what was counted since the start."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float


class Window:
    """The window of one histogram, whose ``bounds`` are upper ones; the last bucket has none."""

    def __init__(self, bounds: Sequence[float], *, now: float, window_s: float = WINDOW_S) -> None:
        self._bounds = tuple(bounds)
        self._slice_s = window_s / SLICES
        # Totals at the start of each slice of the window, the oldest first.
        self._starts: deque[tuple[int, ...]] = deque([(0,) * (len(self._bounds) + 1)], maxlen=SLICES)
        self._slice_ends_at = now + self._slice_s

    def value(self, counts: Sequence[int], total: float, now: float) -> SummaryValue:
        """``counts`` per bucket and ``total`` (sum of the values), both since the start. To be called once a second."""
        newest = tuple(counts)
        while now >= self._slice_ends_at:
            self._starts.append(newest)
            # Slices in which nobody asked have all started with these totals; more than a window of them is a window.
            self._slice_ends_at = max(self._slice_ends_at, now - SLICES * self._slice_s) + self._slice_s
        within = [after - before for after, before in zip(newest, self._starts[0], strict=True)]
        return SummaryValue(sum(newest), total, self._quantiles(within))

    def _quantiles(self, within: Sequence[int]) -> tuple[float, ...]:
        total = sum(within)
        return tuple(self._quantile(quantile * total, within) for quantile in QUANTILES) if total else NOTHING.quantiles

    def _quantile(self, rank: float, within: Sequence[int]) -> float:
        seen, lower = 0, 0.0
        for upper, count in zip(self._bounds, within, strict=False):
            if count and seen + count >= rank:
                return lower + (upper - lower) * max(0.0, rank - seen) / count
            seen += count
            lower = upper
        return lower


class Windows:
    """A window per histogram, made when it is first shown."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = {}

    def value(
        self,
        feed: str,
        name: str,
        histogram: Counted,
        now: float,
        *,
        window_s: float = WINDOW_S,
    ) -> SummaryValue:
        """The summary ``name`` of ``feed``."""
        window = self._windows.get((feed, name))
        if window is None:
            window = self._windows[feed, name] = Window(histogram.bounds, now=now, window_s=window_s)
        return window.value(histogram.counts, histogram.sum, now)
