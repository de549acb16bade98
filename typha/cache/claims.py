"""Which object a key comes from, where keys do not follow from the object's name.

Invariants
1. A key has one owner at a time. Of two living objects that claim it, the one whose name sorts lowest owns it: a
   function of the API server's state alone, so that every replica decides alike.
2. A loser has no key at all (it is quarantined as a whole); it is settled anew when a key that it wants is free.

A replica that starts after the owner went cannot know at which rv the key changed hands. So an object whose keys others
could claim too takes the list's rv in every list (``Topic.may_be_contested``): no older cursor misses the heir.

Owners' values are not kept here: the topic's log has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from typha.cache.log import Item


class Settlement(NamedTuple):
    """What one object may give from now on, which keys it loses, and why where it lost a claim."""

    name: str
    gives: Sequence[Item]
    loses: Sequence[str]
    reason: str | None


class ClaimsState(NamedTuple):
    """Object -> the keys it owns; object -> the items that it would have."""

    owned: Mapping[str, tuple[str, ...]]
    losers: Mapping[str, tuple[Item, ...]]


class Claims:
    """All objects of a topic and who owns which key. ``held`` gives the item of a key that the topic holds."""

    __slots__ = ("_fresh", "_held", "_losers", "_owned", "_owner")

    def __init__(self, held: Callable[[str], Item]) -> None:
        self._held = held
        self._owned: dict[str, tuple[str, ...]] = {}
        self._losers: dict[str, tuple[Item, ...]] = {}
        self._owner: dict[str, str] = {}
        self._fresh: dict[str, tuple[Item, ...]] = {}

    def settle(self, name: str, items: Sequence[Item]) -> list[Settlement]:
        """The object now wants exactly these items (none: it is gone or has no value); what follows for whom.

        The topic applies what comes of it before the next call.
        """
        before = self._release(name)
        self._losers.pop(name, None)
        settlements: list[Settlement] = []
        self._claim(name, tuple(items), before, settlements)
        while self._losers and (candidate := self._next_candidate()) is not None:
            self._claim(candidate, self._losers.pop(candidate), (), settlements)
        self._fresh.clear()
        return settlements

    def _claim(self, name: str, items: tuple[Item, ...], before: Sequence[str], settlements: list[Settlement]) -> None:
        rivals = {key: owner for key, _, _ in items if (owner := self._owner.get(key)) is not None}
        stronger = sorted((owner, key) for key, owner in rivals.items() if owner < name)
        if stronger:
            owner, key = stronger[0]
            self._losers[name] = items
            settlements.append(Settlement(name, (), before, f"its key {key} belongs to {owner}"))
            return
        for owner in sorted(set(rivals.values())):
            lost_items = self._fresh.get(owner) or tuple(self._held(key) for key in self._owned[owner])
            lost = self._release(owner)
            self._losers[owner] = lost_items
            key = next(key for key, rival in rivals.items() if rival == owner)
            settlements.append(Settlement(owner, (), lost, f"its key {key} belongs to {name}"))
        if items:
            self._fresh[name] = items
            self._owned[name] = tuple(key for key, _, _ in items)
            for key in self._owned[name]:
                self._owner[key] = name
        kept = {key for key, _, _ in items}
        settlements.append(Settlement(name, items, [key for key in before if key not in kept], None))

    def _release(self, name: str) -> tuple[str, ...]:
        keys = self._owned.pop(name, ())
        for key in keys:
            del self._owner[key]
        return keys

    def _next_candidate(self) -> str | None:
        for name in sorted(self._losers):
            if all(self._owner.get(key, name) >= name for key, _, _ in self._losers[name]):
                return name
        return None

    def state(self) -> ClaimsState:
        """What a file keeps of it: copies of the maps, not of what they hold."""
        return ClaimsState(dict(self._owned), dict(self._losers))

    def restore(self, state: ClaimsState) -> None:
        """Of a topic that holds exactly the owned keys."""
        self._owned, self._losers = dict(state.owned), dict(state.losers)
        self._owner = {key: name for name, keys in state.owned.items() for key in keys}

    def clear(self) -> None:
        """Forget everything."""
        self._owned.clear()
        self._losers.clear()
        self._owner.clear()
