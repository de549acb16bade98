"""Keeps full collections of garbage short while thousands of agents come: who stays is no longer looked at.

Place: the server calls ``tick`` with each that is welcomed.

1. Frozen only at a new peak of connections: so many objects as one peak has may be missed by the collector, once. A
   connection that ends is freed by its reference count, frozen or not.
2. What first lists left is frozen where they end (``upstream.loading_pace``).

Road not taken: no full collections at all. A cycle that nobody thought of would be a leak.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

# A feed of 20 topics is some 100 objects of a connection: of so many a full collection takes 10 ms, of 5,000 100.
_STEP: Final = 500


class Collector:
    """``freeze`` is the interpreter's."""

    def __init__(self, freeze: Callable[[], None] = gc.freeze) -> None:
        self._freeze = freeze
        self._peak = 0

    def tick(self, connections: int) -> None:
        """So many are open now."""
        if connections >= self._peak + _STEP:
            self._peak = connections
            self._freeze()
