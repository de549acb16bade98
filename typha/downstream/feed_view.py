"""A feed as Calico's agents read it: all its topics joined into one, each key encoded once in their language.

Place: between the catalog's topics, which it reads by cursors as every subscriber does, and the streams of
`fan_out`, for which it is a topic like the others: own sequence numbers as rv, snapshot only.

    topics -> (what changed since the cursor) -> element bytes -> view -> walks and shared frames

Invariants
1. A view is complete (``has_synced``) when every topic of the feed is and was read, and never before: an agent deletes
   what a snapshot did not bring.
2. What a topic loses without a word (a new life, an absent resource) the view keeps until the topic is complete again,
   and then takes the difference: its readers cannot be reset.
3. A key is one topic's: where two hold it, that of the feed's first topic counts.
4. It is built when the first agent asks for it, in slices, and followed from then on.

Road not taken: encoding per connection (Calico's Typha does): its bytes are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from typha.cache.log import Changes, Entry, Log, entry_of
from typha.cache.topic import Topic
from typha.cache.walk import Walks
from typha.calico_wire.messages import SyncStatus
from typha.downstream.calico_encodings import CalicoEncoding
from typha.downstream.calico_values import CONFIG_KEYS, Revisions, element_of, value_end, value_of
from typha.downstream.statistics import FeedCounters, FeedViewStatistics
from typha.wire.states import TopicState

# Calico's Typha takes its status back after so long without contact (watchercache).
LOST_S: Final = 600.0
# One element costs 10 us: 64 of them are a third of a round's budget.
_SLICE: Final = 64
# Looking whether any topic holds a key costs 1 us.
_COMPARED_SLICE: Final = 640


class SortedLog(Log):
    """A log whose snapshots come in the order of keys, as Calico's Typha sends them."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[str] = []

    def changes_since(self, rv: int | None) -> Changes:
        """See Log; None: every entry, keys in order of their bytes."""
        if rv is not None:
            return super().changes_since(rv)
        entries = self.entries
        # Timsort takes what is sorted already as it is: a rebuild costs a pass. Code points sort as UTF-8 does.
        keys = [key for key in self._keys if key in entries]
        known = set(keys)
        keys += [key for key in entries if key not in known]
        keys.sort()
        self._keys = keys
        return Changes([entries[key] for key in keys], [])


class _Member:
    """One topic of the feed, and how far the view has read it."""

    __slots__ = ("cursor", "generation", "has_begun", "revisions", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.revisions = Revisions(topic.name)
        self.cursor: int | None = None
        self.generation = -1
        self.has_begun = False

    @property
    def is_read(self) -> bool:
        """The topic is complete, and the view has read it at least once since it last started anew."""
        topic = self.topic
        return topic.has_synced and self.cursor is not None and self.generation == topic.generation

    @property
    def is_behind(self) -> bool:
        """There is something to read."""
        topic = self.topic
        if not topic.has_synced:
            return False
        return self.generation != topic.generation or self.cursor is None or self.cursor < topic.log.last_rv


class FeedView:
    """See the module. ``name`` is the feed's; the view's topic is ``topic``."""

    def __init__(self, name: str, topic_id: int, members: Sequence[Topic], *, clock: Callable[[], float]) -> None:
        self.name = name
        make_packer = members[0].make_packer if members else None
        limit = max((topic.history.limit for topic in members), default=0)
        self.topic = Topic(
            f"{name} (calico)", topic_id, form="calico", tombstone_limit=limit, make_packer=make_packer, now=clock()
        )
        self.topic.log = SortedLog()
        self._members = [_Member(topic) for topic in members]
        self._clock = clock
        self.status = SyncStatus.WAIT_FOR_READY
        self.updates_total = self.skipped_total = 0
        self.counters = FeedCounters()
        self._owes_comparison = False

    @property
    def is_behind(self) -> bool:
        """A topic has something that the view has not read (it changed while ``follow`` read another)."""
        return any(member.is_behind for member in self._members)

    def follow(self) -> Iterator[None]:
        """Take what changed in the topics. Yields after each slice; nothing is lost in between."""
        for member in self._members:
            if member.topic.has_synced:
                yield from self._follow(member)
        if self._owes_comparison:
            yield from self._compare()
        self.settle_state()

    def _follow(self, member: _Member) -> Iterator[None]:
        topic = member.topic
        if member.generation != topic.generation:
            member.generation, member.cursor = topic.generation, None
        while member.cursor is None or member.cursor < topic.log.last_rv:
            start, generation = member.cursor, topic.generation
            if start is not None and not topic.history.resumable(start):
                start = None  # deletions are forgotten: read it all
            if start is None:
                self._owes_comparison |= member.has_begun
                member.has_begun = True
            changes = topic.log.changes_since(start)
            through = topic.head
            for count, entry in enumerate(changes.puts, 1):
                self._put(member, entry)
                if count % _SLICE == 0:
                    yield
                    if topic.generation != generation:
                        return  # it started anew in between: the next call reads all of it
            for key, _ in changes.deletes:
                self._delete(key)
            member.cursor = through
        member.cursor = topic.head

    def _put(self, member: _Member, entry: Entry) -> None:
        if CONFIG_KEYS in entry.key and self._owner(entry.key) is not member:
            return
        self._apply(member, entry)

    def _apply(self, member: _Member, entry: Entry) -> None:
        view = self.topic
        before = view.log.entries.get(entry.key)
        value = value_of(entry)
        if not value:
            self._drop(entry.key)  # an empty text cannot be sent: an agent takes it for a deletion, from Typha too
            return
        element = element_of(entry, value, member.revisions, is_new=before is None)
        if before is not None and before.value.startswith(element[: value_end(entry.key, value)]):
            self.skipped_total += 1  # a list moved its rv: Typha sends no update for that either
            return
        self.updates_total += 1
        view.apply(entry_of(view.head + 1, (entry.key, element, ()), before, view.packer))
        view.advance(view.head + 1, self._clock())

    def _delete(self, key: str) -> None:
        """Its topic holds it no more: it goes, or over to the next topic that holds it."""
        if CONFIG_KEYS in key and (owner := self._owner(key)) is not None:
            self._apply(owner, owner.topic.log.entries[key])
        else:
            self._drop(key)

    def _drop(self, key: str) -> None:
        view = self.topic
        if key in view.log.entries:
            self.updates_total += 1
            view.drop_key(key, view.head + 1)
            view.advance(view.head + 1, self._clock())

    def _owner(self, key: str) -> _Member | None:
        """Whose the key is: configuration keys can come from a node and from a FelixConfiguration."""
        return next((member for member in self._members if key in member.topic.log.entries), None)

    def _compare(self) -> Iterator[None]:
        """A topic was read anew: once all are, keys that no topic holds any more go, and shared ones may go over."""
        members = self._members
        keys = list(self.topic.log.entries)
        for start in range(0, len(keys), _COMPARED_SLICE):
            if not all(member.is_read for member in members):
                return  # who is read last asks again
            held = [member.topic.log.entries for member in members]
            for key in keys[start : start + _COMPARED_SLICE]:
                if CONFIG_KEYS in key or not any(key in entries for entries in held):
                    self._delete(key)
            yield
        self._owes_comparison = False

    @property
    def is_fresh(self) -> bool:
        """Complete, and heard of lately: what an agent's first in-sync may rest on (its next cannot take it back)."""
        return self.topic.has_synced and self.topic.state is TopicState.IN_SYNC

    def settle_state(self) -> None:
        """What has become of the topics becomes the view's state and ``status``; each second, and after changes.

        Both change here only, and every change of either is news to the view's readers.
        """
        view, now, members = self.topic, self._clock(), self._members
        unread = [member.topic for member in members if not member.is_read]
        lost = [member.topic for member in members if self._is_lost(member.topic)]
        stale = [member.topic for member in members if member.topic.state is TopicState.STALE]
        missing = {topic.name for topic in (*unread, *lost)}
        if not missing:
            self.status = SyncStatus.IN_SYNC
        else:
            self.status = SyncStatus.WAIT_FOR_READY if len(missing) == len(members) else SyncStatus.RESYNC
        if not missing and not view.has_synced:
            view.finish_list(view.head + 1, now, {})
        if unread:
            state = TopicState.STALE if view.has_synced else TopicState.SYNCING
            view.set_state(state, now, f"{_count(unread)}: {unread[0].state_message}")
        elif lost:
            view.set_state(TopicState.STALE, now, f"{_count(lost)}: no contact for {LOST_S:g} s")
        elif stale:
            view.set_state(TopicState.STALE, now, f"{_count(stale)}: {stale[0].state_message}")
        else:
            view.set_state(TopicState.IN_SYNC, now)

    def _is_lost(self, topic: Topic) -> bool:
        if topic.state is not TopicState.STALE or topic.contact_at is None:
            return False
        return self._clock() - topic.contact_at >= LOST_S


def _count(topics: Sequence[Topic]) -> str:
    more = f" and {len(topics) - 1} more" if len(topics) > 1 else ""
    return f"topic {topics[0].name}{more}"


class FeedViews:
    """The views of all feeds that Calico's agents may ask for, made when the first does.

    ``feeds`` are names of ``topics``; ``wake`` asks for a round.
    """

    def __init__(
        self,
        feeds: Mapping[str, Sequence[str]],
        topics: Mapping[str, Topic],
        *,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.feeds = {feed: [topics[name] for name in names] for feed, names in feeds.items()}
        self.views: dict[str, FeedView] = {}
        self._first_id = len(topics)
        self._clock = clock
        self._wake = wake
        self.listener: Callable[[Topic], None] = lambda topic: None

    def open(self, feed: str) -> FeedView:
        """The feed's view. KeyError where no such feed is served."""
        view = self.views.get(feed)
        if view is None:
            members, number = self.feeds[feed], self._first_id + list(self.feeds).index(feed)
            view = self.views[feed] = FeedView(feed, number, members, clock=self._clock)
            view.topic.listener = self.listener
            self._wake()
        return view

    @property
    def is_behind(self) -> bool:
        """``follow`` has something to read."""
        return any(view.is_behind for view in self.views.values())

    def follow(self) -> Iterator[None]:
        """Bring every view that somebody asked for up to date; yields after each slice."""
        for view in list(self.views.values()):
            yield from view.follow()

    def statistics(self, walks: Walks, encodings: Iterable[CalicoEncoding]) -> list[FeedViewStatistics]:
        """Every feed, also those that no agent has asked for yet (their topics' entries are its size)."""
        found = []
        for feed, topics in self.feeds.items():
            view = self.views.get(feed)
            if view is None:
                sizes = sum(len(topic.log.entries) for topic in topics), sum(topic.value_bytes for topic in topics)
                found.append(FeedViewStatistics(feed, 0, sizes[0], 0, 0, 0, sizes[1], 0, 0, (), FeedCounters()))
                continue
            topic = view.topic
            found.append(
                FeedViewStatistics(
                    feed,
                    streaming=topic.log.readers,
                    entries=len(topic.log.entries),
                    position=topic.head,
                    updates=view.updates_total,
                    skipped=view.skipped_total,
                    value_bytes=topic.value_bytes,
                    snapshots_built=walks.built[topic.id],
                    snapshots_reused=walks.reused[topic.id],
                    kvs_per_message=tuple(each.kvs[topic.id] for each in encodings if topic.id in each.kvs),
                    counters=view.counters,
                )
            )
        return found

    def tick(self) -> None:
        """About once a second: what time alone changes."""
        for view in self.views.values():
            view.settle_state()
