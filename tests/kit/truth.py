"""A naive API server: the whole state at every revision of every life, which is what the promises are checked against.

Objects have names and a body; three conversions of them are topics:
    pods   one key per object, its name; filter attributes ``node`` and ``labels``; value ``BAD`` is quarantined
    hosts  the keys that the body names (they do not follow from the object's name)
    pools  the same, without the object's name in them: two objects can claim one key, and the lowest name wins
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgpack

BAD = 13
Where = Mapping[str, str]
Item = tuple[str, bytes, tuple[str | Mapping[str, str] | None, ...]]
State = dict[str, bytes]
ATTRIBUTES = ("node", "labels")


class Body(NamedTuple):
    """What a tenant wrote. ``beat`` changes nothing that is converted."""

    value: int
    node: str
    keys: tuple[str, ...] = ()
    beat: int = 0


class Event(NamedTuple):
    """A change at ``rv``; body None is a deletion."""

    rv: int
    name: str
    body: Body | None


def convert_pods(name: str, body: Body) -> Sequence[Item] | None:
    """None: cannot be converted."""
    if body.value == BAD:
        return None
    return [(name, msgpack.packb({"value": body.value, "node": body.node}), _attributes(body))]


def convert_hosts(name: str, body: Body) -> Sequence[Item] | None:
    """One item per key of the body; keys carry the object's name, so that no two objects claim one."""
    if body.value == BAD:
        return None
    return [(f"{name}.{key}", msgpack.packb([body.value, body.node, key]), _attributes(body)) for key in body.keys]


def convert_pools(name: str, body: Body) -> Sequence[Item] | None:
    """One item per key of the body; whoever names a key claims it."""
    if body.value == BAD:
        return None
    return [(key, msgpack.packb([name, body.value, body.node, key]), _attributes(body)) for key in body.keys]


CONVERTERS = {"pods": convert_pods, "hosts": convert_hosts, "pools": convert_pools}


def _attributes(body: Body) -> tuple[str, Mapping[str, str]]:
    return body.node, {"v": str(body.value)}


def wants(where: Where, item: Item) -> bool:
    """Whether a subscriber of that filter gets the item (``labels``: only ``v=1`` and ``v!=1`` forms)."""
    node, labels = item[2]
    if "node" in where and node != where["node"]:
        return False
    if "labels" in where:
        assert isinstance(labels, Mapping)
        wanted = where["labels"].removeprefix("v").removeprefix("!").removeprefix("=")
        return (labels["v"] == wanted) != ("!=" in where["labels"])
    return True


class Life:
    """All states from one etcd restore to the next. Revision 1 is the empty cluster (an API server is never at 0)."""

    def __init__(self) -> None:
        self.rv = 1
        self.states: dict[int, dict[str, tuple[int, Body]]] = {0: {}, 1: {}}
        self.events: list[Event] = []
        self.changed_at: dict[tuple[str, str], list[int]] = {}
        self.absent_at: set[int] = set()
        self._memo: dict[tuple[str, int, frozenset[tuple[str, str]]], State] = {}

    def branch(self, rv: int) -> Life:
        """What was known at ``rv``, to go on from there."""
        life = Life()
        life.rv = rv
        life.states = {at: state for at, state in self.states.items() if at <= rv}
        life.events = [event for event in self.events if event.rv <= rv]
        life.absent_at = {at for at in self.absent_at if at <= rv}
        life.changed_at = {key: [at for at in ats if at <= rv] for key, ats in self.changed_at.items()}
        return life

    def state(self, topic: str, rv: int, where: Where) -> State:
        """What a subscriber must hold at ``rv``. Do not change it."""
        memo_key = topic, rv, frozenset(where.items())
        held = self._memo.get(memo_key)
        if held is None:
            held = self._memo[memo_key] = {item[0]: item[1] for item in self._settled(topic, rv) if wants(where, item)}
        return held

    def _settled(self, topic: str, rv: int) -> Sequence[Item]:
        """All items at ``rv``; of two objects that claim one key, the lower name has all its items, the other none."""
        settled: dict[str, Item] = {}
        for name, (_, body) in sorted(self.states[rv].items()):
            items = CONVERTERS[topic](name, body) or ()
            if not any(item[0] in settled for item in items):
                settled.update((item[0], item) for item in items)
        return list(settled.values())

    def last_change(self, topic: str, key: str, rv: int) -> int:
        """The newest rv up to ``rv`` at which the key's value changed, came or went; 0 for never."""
        ats = self.changed_at.get((topic, key), [])
        at = bisect_right(ats, rv)
        return ats[at - 1] if at else 0


class Truth:
    """All lives that ever were; tenants write to the last one."""

    def __init__(self) -> None:
        self.lives = [Life()]
        self.objects: dict[str, tuple[int, Body]] = {}

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def epoch(self) -> int:
        return len(self.lives) - 1

    @property
    def rv(self) -> int:
        return self.life.rv

    @property
    def is_absent(self) -> bool:
        """The resource does not exist now."""
        return self.rv in self.life.absent_at

    @property
    def events(self) -> list[Event]:
        return self.life.events

    def write(self, name: str, body: Body | None) -> None:
        """Create, replace or delete (None) one object."""
        life = self.life
        before = {topic: life.state(topic, life.rv, {}) for topic in CONVERTERS}
        life.rv += 1
        if body is None:
            del self.objects[name]
        else:
            self.objects[name] = (life.rv, body)
        life.events.append(Event(life.rv, name, body))
        life.states[life.rv] = dict(self.objects)
        for topic in CONVERTERS:
            after = life.state(topic, life.rv, {})
            for key in before[topic].keys() | after.keys():
                if before[topic].get(key) != after.get(key):
                    life.changed_at.setdefault((topic, key), []).append(life.rv)

    def tick(self) -> None:
        """Something else in the cluster changed: the revision moves."""
        self._tick(is_absent=self.is_absent)

    def _tick(self, *, is_absent: bool) -> None:
        self.life.rv += 1
        self.life.states[self.life.rv] = dict(self.objects)
        if is_absent:
            self.life.absent_at.add(self.life.rv)

    def restore(self, rv: int) -> None:
        """etcd goes back to ``rv``: another life."""
        self.lives.append(self.life.branch(rv))
        self.objects = dict(self.life.states[rv])

    def drop_resource(self) -> None:
        """Its CustomResourceDefinition goes, and every object with it."""
        for name in sorted(self.objects):
            self.write(name, None)
        self._tick(is_absent=True)

    def create_resource(self) -> None:
        """It comes (again), empty."""
        self._tick(is_absent=False)

    def state(self, topic: str, rv: int, where: Where | None = None, epoch: int = -1) -> State:
        """What a subscriber of the topic must hold at ``rv`` (of the last life, or of ``epoch``)."""
        return self.lives[epoch].state(topic, rv, where or {})
