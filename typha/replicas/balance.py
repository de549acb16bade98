"""How many subscribers a server should hold, which one goes next, and when: pure, with time and chance as arguments.

Place: `neighbours` (loads of the others) or Calico's formula (`drop_in.rebalancing`) says how many; `Shedder` says who.

Invariants
1. Nobody is refused for a share: a healthy server must take what a dead one has lost. It sheds what is too much.
2. What moves is at most what others lack of the mean. Moves change no mean, so that servers that look at different
   moments, or all at once, do not overshoot together.
3. A server within the tolerance moves nobody; one beyond it goes down to the mean, not to the tolerance.
4. One connection goes per interval, chosen at random: there is no order in which a crowd could come back.
5. Who asks late gets at most `CATCH_UP` at once: a loop that stood still must not close a crowd.

Road not taken: pairs of servers that agree on a move. It needs a conversation; the mean needs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

Connection = TypeVar("Connection")

JITTER: Final = 0.1
CATCH_UP: Final = 10


class Share(NamedTuple):
    """``limit``: subscribers to hold before any is asked to go; ``moves``: how many to ask until the next look."""

    mean: float
    limit: int
    moves: int


def share(own: int, others: Sequence[int], tolerance: float, leaving: int = 0) -> Share:
    """Of ``own`` subscribers here and those of the other ready servers. ``tolerance`` is a fraction of the mean.

    ``leaving``: were asked to go and are not counted in ``own`` any more; the others will have them.
    """
    mean = (own + leaving + sum(others)) / (1 + len(others))
    # One above the mean is not uneven: an odd number of agents has no even share.
    limit = max(math.floor(mean * (1 + tolerance) + 1e-9), math.ceil(mean) + 1)
    if not others or own <= limit:
        return Share(mean, limit, 0)
    # Rounded down at the end only: of 89 agents six servers lack 14.8 each, and the last place of five counts.
    lacking = math.floor(sum(max(0.0, mean - load) for load in others) + 1e-9)
    return Share(mean, limit, max(0, min(own - math.ceil(mean), lacking - leaving)))


class Shedder:
    """One connection per interval (and up to a tenth more) while there are more than ``limit``; see ``aim``."""

    def __init__(self, interval_s: float, limit: int, *, random: Callable[[], float], now: float) -> None:
        self.limit = limit
        self.dropped = 0
        self.next_at = now
        """When to ask again."""
        self._left: int | None = None
        self._interval_s = interval_s
        self._random = random
        self._step()

    def aim(self, limit: int, moves: int, interval_s: float, now: float) -> None:
        """From now on: down to ``limit``, but ``moves`` at most, however many come meanwhile."""
        self.limit, self._left, self._interval_s = limit, moves, interval_s
        self.next_at = now
        self._step()

    def due(self, now: float, connections: Sequence[Connection]) -> list[Connection]:
        """Those to let go now. Costs the number of connections only where there are too many of them."""
        wanted = min(self._passed(now), len(connections) - self.limit)
        if self._left is not None:
            wanted = min(wanted, self._left)
        if wanted <= 0:
            return []
        chosen = _choose(connections, wanted, self._random)
        self.dropped += len(chosen)
        if self._left is not None:
            self._left -= len(chosen)
        return chosen

    def _passed(self, now: float) -> int:
        """Intervals that have ended since the last call."""
        found = 0
        while now >= self.next_at:
            found += 1
            if found == CATCH_UP:
                self.next_at = now
            self._step()
        return found

    def _step(self) -> None:
        self.next_at += self._interval_s * (1 + JITTER * self._random())


def _choose(connections: Sequence[Connection], wanted: int, random: Callable[[], float]) -> list[Connection]:
    left, chosen = list(connections), []
    for _ in range(wanted):
        place = min(int(random() * len(left)), len(left) - 1)
        left[place], left[-1] = left[-1], left[place]
        chosen.append(left.pop())
    return chosen
