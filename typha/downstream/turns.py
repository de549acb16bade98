"""Sockets that drained, and go on one after the other for as long as the event loop can spare them. Pure.

Place: between a connection that the kernel emptied and the fan-out, which writes its next slice.

1. A turn ends after its budget; who is left goes on after the loop had a look at everything else.
2. First drained, first served; each is in the line once.

Road not taken: going on in the callback itself. 64 sockets that drain at once are 64 sends of 256 KB in one go: 20 ms.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from typha.downstream.streams import Subscriber


class Turns:
    """``go_on`` is called with each subscriber; ``soon`` has a call made when the loop comes around."""

    def __init__(
        self,
        go_on: Callable[[Subscriber], None],
        soon: Callable[[Callable[[], None]], object],
        budget_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._go_on = go_on
        self._soon = soon
        self._budget_s = budget_s
        self._clock = clock
        self._line: OrderedDict[Subscriber, None] = OrderedDict()
        self._is_due = False

    def add(self, subscriber: Subscriber) -> None:
        """It waits for its turn from now on."""
        self._line[subscriber] = None
        if not self._is_due:
            self._is_due = True
            self._soon(self._turn)

    def _turn(self) -> None:
        stop_at = self._clock() + self._budget_s
        while self._line:
            subscriber, _ = self._line.popitem(last=False)
            self._go_on(subscriber)
            if self._clock() >= stop_at:
                break
        self._is_due = bool(self._line)
        if self._is_due:
            self._soon(self._turn)
