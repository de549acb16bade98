"""How late the server's event loop was while it had subscribers, by its own count (``typha.loop_lag``).

A server that is started again counts from 0: a span is of one start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.processes import Server
from bench.report import Result
from typha.observe.status import Latency

P999_MS: Final = 20.0
FIGURE: Final = "event loop lag, p99.9"


class LoopLag:
    """From when it is made to ``end``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = server.loop_lag()

    def end(self) -> Latency:
        """What was counted meanwhile."""
        return between(self._before, self._server.loop_lag())


def between(before: Latency, after: Latency) -> Latency:
    """What was counted from one to the other."""
    counts = tuple(later - earlier for earlier, later in zip(before.counts, after.counts, strict=True))
    return Latency(after.bounds_s, counts, after.sum_s - before.sum_s)


def add_loop_lag(result: Result, spans: Sequence[Latency], of: str = "") -> None:
    """The p99.9 of all these spans together, with its goal; ``of`` (a shape) begins the figure's name."""
    counts = tuple(sum(column) for column in zip(*(span.counts for span in spans), strict=True))
    whole = Latency(spans[0].bounds_s, counts, sum(span.sum_s for span in spans))
    name = f"{of}: {FIGURE}" if of else FIGURE
    result.add(name, whole.quantile_s(0.999) * 1e3, "ms", at_most=P999_MS)
