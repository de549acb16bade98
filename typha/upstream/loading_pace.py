"""How to work through 100,000 objects without stopping everything else: turns of the event loop, and the collector.

Place: `reflector` uses both around lists; the app makes one `CollectorPause` for all reflectors.

Invariants
1. Between two turns of the loop no more than the budget is worked (plus 15 objects: a look at the clock is not free).
2. The collector is off while any list loads, on afterwards; what first lists left is frozen: it would be walked for
   nothing by every full collection (3 s at 100,000 pods as dicts). Garbage goes before: frozen, it would stay for ever.
"""

from __future__ import annotations

import gc
import time
from types import TracebackType
from typing import Final

__all__ = ["CollectorPause", "Pace"]

_OBJECTS_PER_LOOK: Final = 16
# Below this the frozen rest is not worth a full collection.
_FREEZE_FROM_OBJECTS: Final = 1000


class Pace:
    """Tells when to yield; real time, for it is about real work."""

    __slots__ = ("_budget_s", "_count", "_started_at")

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._count = 0
        self._started_at = time.monotonic()

    def is_due(self) -> bool:
        """Call once per object; True: `await asyncio.sleep(0)` and go on."""
        self._count += 1
        if self._count % _OBJECTS_PER_LOOK:
            return False
        now = time.monotonic()
        if now - self._started_at < self._budget_s:
            return False
        self._started_at = now
        return True

    def restart(self) -> None:
        """After the yield: the budget begins now."""
        self._started_at = time.monotonic()


class CollectorPause:
    """A context for each list that loads; several may be open at once."""

    def __init__(self) -> None:
        self._open = 0
        self._freeze = False
        self._was_enabled = True

    def __enter__(self) -> CollectorPause:
        if self._open == 0:
            self._was_enabled = gc.isenabled()
            gc.disable()
        self._open += 1
        return self

    def loaded(self, objects: int) -> None:
        """A first list of so many objects is in place and will stay."""
        self._freeze = self._freeze or objects >= _FREEZE_FROM_OBJECTS

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open -= 1
        if self._open:
            return
        if self._freeze:
            self._freeze = False
            gc.collect()
            gc.freeze()
        if self._was_enabled:
            gc.enable()
