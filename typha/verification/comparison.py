"""A topic as a server gives it, beside a consistent LIST of the same resource: which differences are real. Pure.

The two are never of one moment: the copy is complete up to its cursor C, the list is the state at L. A difference is

    proved   at once, where nothing that may have happened between C and L explains it (the table in `_is_proved`)
    standing where it is the same for `grace_s`: a server that is well has seen every change long before

and everything else is something that moves, and is looked at again.

Invariants
1. An entry's rv is at or above its value's last change; all that changed up to C is in the copy (docs/protocol.md).
2. Where versions are no numbers (C or L is None) nothing is proved at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Difference", "Held", "Kind", "Observation", "Watcher", "compare"]


class Kind(StrEnum):
    """What is wrong with a key at the server."""

    MISSING = "missing"
    SURPLUS = "surplus"
    DIFFERENT = "different"


class Held(NamedTuple):
    """One entry of either side."""

    rv: int
    value: Any


class Observation(NamedTuple):
    """One look at both sides. ``cursor`` and ``list_rv`` None: versions that are no numbers."""

    copy: Mapping[str, Held]
    cursor: int | None
    listed: Mapping[str, Held]
    list_rv: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One key. ``server_rv`` and ``list_rv`` are None where that side lacks it."""

    key: str
    kind: Kind
    server_rv: int | None
    list_rv: int | None


def compare(seen: Observation) -> dict[Difference, bool]:
    """Every difference, and whether it is proved."""
    found: dict[Difference, bool] = {}
    for key, listed in seen.listed.items():
        held = seen.copy.get(key)
        if held is None:
            found[Difference(key, Kind.MISSING, None, listed.rv)] = _is_proved(seen, None, listed)
        elif held.value != listed.value:
            found[Difference(key, Kind.DIFFERENT, held.rv, listed.rv)] = _is_proved(seen, held, listed)
    for key, held in seen.copy.items():
        if key not in seen.listed:
            found[Difference(key, Kind.SURPLUS, held.rv, None)] = _is_proved(seen, held, None)
    return found


def _is_proved(seen: Observation, held: Held | None, listed: Held | None) -> bool:
    """
    | C and L | what the server should hold at C |
    |---|---|
    | C <= L, listed at or below C | what the list has: it did not change since |
    | C >= L, held at or below L   | what the list has (or lacks): it did not change since |
    | else | not known: it may have changed in between |
    """
    if seen.cursor is None or seen.list_rv is None:
        return False
    if listed is not None and listed.rv <= seen.cursor <= seen.list_rv:
        return True
    return held is not None and held.rv <= seen.list_rv <= seen.cursor


class Watcher:
    """Looks again until nothing is open. ``grace_s``: how long a difference that is not proved must stand."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._since_at: dict[Difference, float] = {}
        self.proved: dict[Difference, None] = {}
        self.standing: dict[Difference, None] = {}

    def look(self, seen: Observation, now: float) -> bool:
        """Take another look at ``now`` (monotonic seconds); True where another is needed."""
        found = compare(seen)
        self._since_at = {each: self._since_at.get(each, now) for each in found}
        self.proved = {each: None for each, is_proved in found.items() if is_proved}
        rest = {each: at for each, at in self._since_at.items() if each not in self.proved}
        self.standing = {each: None for each, at in rest.items() if now - at >= self._grace_s}
        return len(self.standing) < len(rest)

    @property
    def differences(self) -> list[Difference]:
        """What is wrong, by key."""
        return sorted((*self.proved, *self.standing), key=lambda each: each.key)
