"""A topic: one upstream resource through one converter, as a compacted log with its history and its filters.

Invariants (checked by ``check_invariants`` under TYPHA_VERIFY and by tests/cache/test_promises.py)
a. last real change of a key's value <= its entry's rv <= head
b. a key that existed at cursor c and does not now has a tombstone above c, for every resumable c
c. all keys of one object that changed together have one rv

Over an unbroken watch an unchanged value leaves its entry where it is (a heartbeat moves only ``head``). What is
found by a re-list is in ``loading``.

Road not taken: a store of objects with a log beside it. Two structures that must agree are two that can differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from typha.cache.claims import Claims, Settlement
from typha.cache.errors import OutOfOrderError
from typha.cache.filters import Filter, parse_filter
from typha.cache.history import History
from typha.cache.loading import Loading
from typha.cache.log import NO_VALUE, Entry, Item, Log, entry_of
from typha.cache.packing import Packer
from typha.cache.views import Burial, Views
from typha.wire.messages import Where
from typha.wire.states import TopicState

# Of a pod's endpoint 330 B each: 17 MB. A cluster that deletes 10 pods a second keeps more than an hour of history.
TOMBSTONE_LIMIT: Final = 50_000


class Quarantined(NamedTuple):
    """An object that has no value, and why."""

    rv: int
    reason: str


class TopicStatistics(NamedTuple):
    """Numbers of one topic at one moment; times are monotonic seconds."""

    name: str
    is_ordered: bool
    has_synced: bool
    state: TopicState
    state_since_at: float
    message: str
    contact_at: float | None
    head: int
    horizon: int
    gaps: tuple[tuple[int, int], ...]
    entries: int
    tombstones: int
    value_bytes: int
    held_bytes: int
    puts: int
    deletes: int
    unchanged: int
    restamped: int
    quarantined: dict[str, Quarantined]
    quarantines: int


def without_values(keys: Sequence[str]) -> Sequence[Item]:
    """Items of an object that has none of these keys."""
    return [(key, NO_VALUE, ()) for key in keys]


def own_name(name: str) -> Sequence[str]:
    """The key rule of passthrough topics: the object's name is its one key."""
    return (name,)


def in_items(name: str) -> Sequence[str]:
    """The key rule where keys follow from the name and from what cannot change in an object's life (a pod's node).

    The items then name every key that the object could have, with NO_VALUE for those that it does not have; so do the
    items of a deletion. A map of names would cost 100 B a pod.
    """
    return ()


class Topic:
    """See the module. ``listener`` is called after each change of entries, head or state.

    ``keys_of``: every key that an object of that name can have (``own_name``, ``in_items`` or another rule); None where
    keys do not follow from the name, then the topic keeps who claims what. ``may_be_contested(name, key)``: whether
    another object could claim that key too. ``make_packer``: values are held compressed where that is worth it.
    """

    def __init__(
        self,
        name: str,
        topic_id: int,
        *,
        form: str,
        attributes: tuple[str, ...] = (),
        keys_of: Callable[[str], Sequence[str]] | None = own_name,
        may_be_contested: Callable[[str, str], bool] = lambda name, key: False,
        tombstone_limit: int = TOMBSTONE_LIMIT,
        make_packer: Callable[[], Packer] | None = None,
        now: float = 0.0,
    ) -> None:
        self.name = name
        self.id = topic_id
        self.form = form
        self.attributes = attributes
        self.is_ordered = True
        self.log = Log()
        self.make_packer = make_packer
        self.packer = make_packer() if make_packer is not None else None
        self.views = Views(attributes)
        self.history = History(tombstone_limit)
        self.head = 0
        self.generation = 0
        self.has_synced = self.has_listed = False
        self.confirm_at: float | None = None  # from a file: the version at which it is complete (inf: not known yet)
        self.state = TopicState.WAITING
        self.state_since_at = now
        self.state_message = "not listed yet"
        self.contact_at: float | None = None
        self.quarantined: dict[str, Quarantined] = {}
        self.puts_total = self.deletes_total = self.unchanged_total = self.restamped_total = 0
        self.quarantines_total = 0
        self.value_bytes = self.saved_bytes = 0
        self.listener: Callable[[Topic], None] | None = None
        self.digest_salt: bytes | None = None
        self.restamped: set[str] = set()
        self.keys_of_name = keys_of or own_name
        self.claims = Claims(self._held) if keys_of is None else None
        self.may_be_contested = may_be_contested
        self.has_keys_in_items = keys_of is in_items

    # --- one watch, in rv order

    def put(self, name: str, rv: int, items: Sequence[Item], now: float) -> None:
        """The object's keys and values at ``rv`` (all of them). Raises OutOfOrderError."""
        self._check_order(rv)
        self.quarantined.pop(name, None)
        self._replace(name, rv, items)
        self._moved(rv, now)

    def quarantine(self, name: str, rv: int, reason: str, now: float, keys: Sequence[str] = ()) -> None:
        """The object has no value from ``rv`` on: its keys (``keys``: those in items) go, as if it had gone.

        Raises OutOfOrderError.
        """
        self._check_order(rv)
        self._replace(name, rv, without_values(keys))
        self._set_aside(name, rv, reason)
        self._moved(rv, now)

    def delete(self, name: str, rv: int, now: float, keys: Sequence[str] = ()) -> None:
        """The object went at ``rv``, and with it its keys (``keys``: those in items). Raises OutOfOrderError."""
        self.put(name, rv, without_values(keys), now)

    def advance(self, rv: int, now: float) -> None:
        """A bookmark: nothing else happened up to ``rv``. One below the head says nothing new."""
        self._moved(max(rv, self.head), now)

    def contact(self, now: float) -> None:
        """The API server answered for this resource."""
        self.contact_at = now
        if self.state is TopicState.STALE and self.has_synced:
            self.set_state(TopicState.IN_SYNC, now)

    # --- lists and states

    def begin_list(self) -> Loading:
        """Collect one list; nothing changes before its ``commit``."""
        return Loading(self)

    def set_state(self, state: TopicState, now: float, message: str = "") -> None:
        """Tell subscribers and probes. ``state_since_at`` moves only where the state changes."""
        if state is self.state and message == self.state_message:
            return
        if state is not self.state:
            self.state_since_at = now
        self.state, self.state_message = state, message
        self._notify()

    def set_absent(self, now: float, message: str) -> None:
        """The resource does not exist: empty and complete; cursors of before are void."""
        if self.state is not TopicState.ABSENT:
            self._forget()
            self.has_synced = True
        self.contact_at = now
        self.set_state(TopicState.ABSENT, now, message)

    def restart(self, now: float, message: str = "the cluster has a new life") -> None:
        """Everything held is of another life: drop it, as at the start of the process."""
        self._forget()
        self.set_state(TopicState.SYNCING, now, message)

    def mark_unordered(self) -> None:
        """The resource's versions are no unsigned integers: cursors mean nothing, every reader gets a snapshot."""
        self.is_ordered = False

    # --- readers

    def parse_filter(self, where: Where) -> Filter | None:
        """Raises FilterError where this topic cannot serve it."""
        return parse_filter(self.name, self.attributes, where)

    def open(self, wanted: Filter | None) -> Log:
        """The log of a filter (None: the topic's own). Raises FilterError. Count ``readers`` on it while used."""
        return self.log if wanted is None else self.views.open(wanted, self.log, self.head).log

    def resumable(self, cursor: int, wanted: Filter | None = None) -> bool:
        """Whether changes since the cursor alone bring a reader of that filter up to date."""
        if not self.is_ordered or not self.history.resumable(cursor):
            return False
        return wanted is None or cursor >= self.views.open(wanted, self.log, self.head).horizon

    @property
    def is_warm(self) -> bool:
        """From a file, and not confirmed by the API server yet: read by agents, complete for nobody."""
        return self.confirm_at is not None

    @property
    def has_state(self) -> bool:
        """There is something that a list is compared with, and that readers may read."""
        return self.has_synced or self.is_warm

    @property
    def news(self) -> tuple[int, TopicState, str, bool]:
        """What its readers are told about it beside its entries."""
        return self.generation, self.state, self.state_message, self.has_synced

    def trim(self, published: int) -> None:
        """Called after a round that published everything up to that rv."""
        self.history.trim(published)

    # --- shared with loading

    def _check_order(self, rv: int) -> None:
        if rv <= self.head:
            raise OutOfOrderError(self.name, rv, self.head)

    def settle(self, name: str, items: Sequence[Item]) -> list[Settlement]:
        """Who gives and who loses which keys when the object has exactly these items."""
        gives = [item for item in items if item[1]]
        if self.claims is not None:
            return self.claims.settle(name, gives)
        loses = [item[0] for item in items if not item[1]]
        kept = {item[0] for item in gives}
        loses += [key for key in self.keys_of_name(name) if key not in kept]
        return [Settlement(name, gives, loses, None)]

    def _held(self, key: str) -> Item:
        entry = self.log.entries[key]
        return key, entry.value, entry.attributes

    def _replace(self, name: str, rv: int, items: Sequence[Item]) -> None:
        settlements = self.settle(name, items)
        for settlement in settlements:
            for key in settlement.loses:
                self.drop_key(key, rv)
            if settlement.reason is not None:
                self._set_aside(settlement.name, rv, settlement.reason)
        for settlement in settlements:
            for key, value, attributes in settlement.gives:
                before = self.log.entries.get(key)
                if before is not None and before.holds(value, attributes):
                    self.unchanged_total += 1
                else:
                    self.apply(entry_of(rv, (key, value, attributes), before, self.packer))
            if settlement.name != name and settlement.gives:
                self.quarantined.pop(settlement.name, None)
                keys = [item[0] for item in settlement.gives]
                self.restamped.update(keys)
                if not all(self.may_be_contested(settlement.name, key) for key in keys):
                    # A fresh replica would place it at its object's own, older rv: cursors no longer suffice.
                    self.is_ordered = False

    def _set_aside(self, name: str, rv: int, reason: str) -> None:
        before = self.quarantined.get(name)
        self.quarantines_total += before is None or before.reason != reason
        self.quarantined[name] = Quarantined(rv, reason)

    def apply(self, entry: Entry) -> None:
        """Put one entry at the end of the log and of its views."""
        key = entry.key
        before = self.log.entries.get(key)
        self.value_bytes += entry.size - (before.size if before is not None else 0)
        if self.packer is not None:
            self.saved_bytes += entry.saved - (before.saved if before is not None else 0)
        for burial in self.views.put(before, entry):
            self.history.bury(burial)
        self.log.put(entry)
        if self.packer is not None:
            self.packer.learn(self.log.entries)
        self.puts_total += 1
        if self.restamped:
            self.restamped.discard(key)

    def drop_key(self, key: str, rv: int) -> None:
        """Turn one key into a tombstone; nothing happens where it is not held."""
        before = self.log.entries.get(key)
        if before is None:
            return
        key = before.key  # one text in all logs and burials
        self.value_bytes -= before.size
        self.saved_bytes -= before.saved
        for burial in self.views.delete(before, rv):
            self.history.bury(burial)
        self.log.delete(key, rv)
        self.deletes_total += 1
        self.history.bury(Burial(rv, self.log, key))
        if self.restamped:
            self.restamped.discard(key)

    def load(self, entries: list[Entry]) -> None:
        """A first list: entries ascend by rv."""
        self.log.load(entries)
        self.views.load(entries)
        self.value_bytes = sum(entry.size for entry in entries)
        self.saved_bytes = sum(entry.saved for entry in entries)
        self.puts_total += len(entries)

    def finish_list(self, list_rv: int, now: float, quarantined: Mapping[str, tuple[int, str]]) -> None:
        """The list is applied: complete up to ``list_rv``."""
        if self.digest_salt is not None:
            self.log.digests(self.digest_salt)
        for name in self.quarantined.keys() - quarantined.keys():
            del self.quarantined[name]
        for name, (rv, reason) in quarantined.items():
            self._set_aside(name, rv, reason)
        self.has_listed = True
        self.confirm_at = list_rv
        self._moved(list_rv, now)

    def check_invariants(self) -> None:
        """TYPHA_VERIFY: raises AssertionError that names the broken rule. Cost: the topic."""
        for log in (self.log, *(log for _, log in self.views.logs())):
            rvs = [entry.rv for entry in log.entries.values()]
            deaths = list(log.tombstones.values())
            if rvs != sorted(rvs) or deaths != sorted(deaths):
                raise AssertionError(f"topic {self.name}: a log is not in order of rv")
            if log.entries.keys() & log.tombstones.keys():
                raise AssertionError(f"topic {self.name}: a key lives and is dead")
            if max((*rvs[-1:], *deaths[-1:]), default=0) > self.head:
                raise AssertionError(f"topic {self.name}: a change above the head {self.head}")
        for wanted, log in self.views.logs():
            matching = {key for key, entry in self.log.entries.items() if wanted.matches(entry)}
            if log.entries.keys() != matching:
                raise AssertionError(f"topic {self.name}: view {wanted} holds other keys than match")

    def _moved(self, rv: int, now: float) -> None:
        self.head = rv
        if self.confirm_at is not None and rv >= self.confirm_at:
            self.confirm_at, self.has_synced = None, True
            self.set_state(TopicState.IN_SYNC, now)
        self.contact(now)
        self._notify()

    def _notify(self) -> None:
        if self.listener is not None:
            self.listener(self)

    def _forget(self) -> None:
        self.log.load([])
        self.views.clear()
        self.history.clear(0)
        if self.claims is not None:
            self.claims.clear()
        self.quarantined.clear()
        self.restamped.clear()
        self.head = self.value_bytes = self.saved_bytes = 0
        self.generation += 1
        self.confirm_at = None
        self.has_synced = self.has_listed = False
        self._notify()

    def statistics(self) -> TopicStatistics:
        """Numbers for metrics and the status page."""
        return TopicStatistics(
            name=self.name,
            is_ordered=self.is_ordered,
            has_synced=self.has_synced,
            state=self.state,
            state_since_at=self.state_since_at,
            message=self.state_message,
            contact_at=self.contact_at,
            head=self.head,
            horizon=self.history.horizon,
            gaps=tuple(self.history.gaps),
            entries=len(self.log.entries),
            tombstones=len(self.log.tombstones),
            value_bytes=self.value_bytes,
            held_bytes=self.value_bytes - self.saved_bytes,
            puts=self.puts_total,
            deletes=self.deletes_total,
            unchanged=self.unchanged_total,
            restamped=self.restamped_total,
            quarantined=dict(self.quarantined),
            quarantines=self.quarantines_total,
        )
