"""resourceVersion texts to the numbers that topics stand at. Pure.

Kubernetes promises (KEP-5504, and etcd has always given) decimal numbers that grow. Some aggregated API servers join
several stores and send other texts; for those this module counts by itself, and their topics are marked: cursors mean
nothing, every reader gets a snapshot.

Invariants
1. The first text decides; a server does not change its mind while we hold its data.
2. While ordered, a number is the text's own value, so that it means the same at every replica.
3. While unordered, every number is above all before it; `cursor` is the server's newest text, to resume from.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Positions"]

_U64_LIMIT: Final = 1 << 64  # what the wire can carry


class Positions:
    """One reflector's view of its resource's versions."""

    def __init__(self) -> None:
        self.is_ordered: bool | None = None
        self.cursor = ""
        self._count = 0

    def number(self, text: str) -> int:
        """The position of an event, object or list. ValueError where the order is lost: nothing sane can follow."""
        is_number = text.isascii() and text.isdigit() and int(text) < _U64_LIMIT
        if self.is_ordered is None:
            if not text:
                raise ValueError("it has no resourceVersion")
            self.is_ordered = is_number
        if self.is_ordered:
            if not is_number:
                raise ValueError(f"its resourceVersion {text[:40]!r} is not a number")
            return int(text)
        self._count += 1
        return self._count

    def reached(self, text: str) -> None:
        """The stream stands at `text`: a later watch starts there."""
        self.cursor = text
