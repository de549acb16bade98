"""A walk: what a reader at ``start`` needs to reach ``through``, as slices of frames, built once and shared.

A snapshot is the walk from nothing, a catch-up the walk from a cursor; both are the same thing.

Invariants
1. References are taken in one step when the walk is made: what happens to the log later is not in it. Values
   cannot be seen twice or missed, however long its readers take.
2. A frame border never falls inside an rv, and puts and deletes of a frame cover one range of rv.
3. A slice is built when the first reader asks for it: the first of 5,000 joiners starts before the last byte is
   encoded. It takes as many turns as it needs: no pause is longer than one frame.
4. All readers of one encoding get the same bytes object for the same send: what their sockets did not take yet is
   in memory once.
5. Built slices are a cache of bounded size; a reader that fell behind it pays for building one again.

Roads not taken: building in a thread (joining 256 KB takes 0.1 ms, less than handing it over); frames that each reader
joins for its sends (compressed to a tenth, ten make one: 5,000 joiners copied 50 GB, and 64 held 256 KB each).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from typha.cache.log import Changes, Entry, Log

if TYPE_CHECKING:
    from typha.cache.topic import Topic

# Keys and values of a frame before its compression: 0.5 ms to build with zstd, a quarter of a turn.
FRAME_BYTES: Final = 256 * 1024
# Of whole frames, as they are sent: one send of 20 KB costs 1.1-1.3x one of 200 B; a larger one only costs memory.
SLICE_BYTES: Final = 256 * 1024
# Readers of one storm are a few slices apart; 16 MB keeps about 64 slices for them.
KEPT_BYTES: Final = 16 * 1024 * 1024
# A joiner of a shared snapshot also gets what changed since: an eighth more bytes is cheaper than building anew.
REBUILD_FRACTION: Final = 1 / 8
# Wire bytes of a change beside its key and value: array and string header, rv.
_OVERHEAD: Final = 13


class Encoding(Protocol):
    """How one kind of reader wants changes: a dialect with a compression. Hashable; equal ones share frames."""

    def encode_changes(
        self,
        topic_id: int,
        start: int | None,
        through: int | None,
        puts: Sequence[Entry],
        deletes: Sequence[tuple[str, int]],
    ) -> bytes:
        """One frame of the changes since ``start`` (None: of a snapshot), each list ascending by rv."""


class Slice(NamedTuple):
    """Whole frames worth one send, and the number of the frame after them. No bytes: it is not built yet, ask again."""

    frames: bytes
    end: int


class Walk:
    """Frames from ``start`` (None: from nothing) to ``through``. The last frame of a walk that is not ``staged``
    carries ``through``.
    """

    __slots__ = (
        "_borders",
        "_kept_bytes",
        "_slices",
        "_unfinished",
        "changes",
        "readers",
        "staged",
        "start",
        "through",
        "topic_id",
    )

    def __init__(self, topic_id: int, log: Log, start: int | None, through: int, *, staged: bool) -> None:
        self.topic_id = topic_id
        self.start = start
        self.through = through
        self.staged = staged
        self.readers = 0
        self.changes: Changes = log.changes_since(start)
        # Borders as (end of puts, end of deletes), found as far as somebody has read.
        self._borders: list[tuple[int, int]] = [(0, 0)]
        self._slices: OrderedDict[tuple[int, Encoding], Slice] = OrderedDict()
        self._unfinished: dict[tuple[int, Encoding], list[bytes]] = {}
        self._kept_bytes = 0

    @property
    def is_large(self) -> bool:
        """More than one frame: readers take it at their own speed."""
        if len(self._borders) == 1 and not self.is_empty:
            border = self._next_border(0, 0)
            if border is not None:
                self._borders.append(border)
        return self._borders[-1] != (len(self.changes.puts), len(self.changes.deletes))

    @property
    def is_empty(self) -> bool:
        """Nothing to send."""
        return not self.changes.puts and not self.changes.deletes

    def read(self, number: int, encoding: Encoding, is_late: Callable[[], bool] = lambda: False) -> Slice | None:
        """The slice that begins with frame ``number`` (0, or the ``end`` of the slice before), or None past the end.

        Where it has to be built, at least one frame of it is, and then as many as there are before ``is_late``.
        """
        key = (number, encoding)
        found = self._slices.get(key)
        if found is not None:
            self._slices.move_to_end(key)
            return found
        frames = self._unfinished.setdefault(key, [])
        size = sum(map(len, frames))
        while size < SLICE_BYTES:
            frame = self._frame(number + len(frames), encoding)
            if frame is None:
                break
            frames.append(frame)
            size += len(frame)
            if size < SLICE_BYTES and is_late():
                return Slice(b"", number)
        del self._unfinished[key]
        return self._keep(key, Slice(b"".join(frames), number + len(frames))) if frames else None

    def _keep(self, key: tuple[int, Encoding], built: Slice) -> Slice:
        self._slices[key] = built
        self._kept_bytes += len(built.frames)
        while self._kept_bytes > KEPT_BYTES and len(self._slices) > 1:
            _, dropped = self._slices.popitem(last=False)
            self._kept_bytes -= len(dropped.frames)
        return built

    def _frame(self, number: int, encoding: Encoding) -> bytes | None:
        while len(self._borders) <= number + 1:
            border = self._next_border(*self._borders[-1])
            if border is None:
                return None
            self._borders.append(border)
        (put_start, delete_start), (put_end, delete_end) = self._borders[number], self._borders[number + 1]
        puts, deletes = self.changes
        is_last = put_end == len(puts) and delete_end == len(deletes)
        return encoding.encode_changes(
            self.topic_id,
            self.start,
            self.through if is_last and not self.staged else None,
            puts[put_start:put_end],
            deletes[delete_start:delete_end],
        )

    def _next_border(self, put: int, delete: int) -> tuple[int, int] | None:
        """The end of the frame that starts here: near FRAME_BYTES, after all changes of its last rv."""
        puts, deletes = self.changes
        put_count, delete_count = len(puts), len(deletes)
        if put == put_count and delete == delete_count:
            return None
        size, last_rv = 0, -1
        while True:
            put_rv = puts[put].rv if put < put_count else None
            delete_rv = deletes[delete][1] if delete < delete_count else None
            if delete_rv is not None and (put_rv is None or delete_rv <= put_rv):
                rv, step = delete_rv, len(deletes[delete][0]) + _OVERHEAD
                is_delete = True
            elif put_rv is not None:
                rv, step = put_rv, puts[put].size + _OVERHEAD
                is_delete = False
            else:
                return put, delete
            if size + step > FRAME_BYTES and size and rv != last_rv:
                return put, delete
            size += step
            last_rv = rv
            if is_delete:
                delete += 1
            else:
                put += 1


class Walks:
    """The walks that readers share: one snapshot per log while it is good, catch-ups of one round by their start.

    ``built`` and ``reused`` count snapshots by topic id.
    """

    def __init__(self) -> None:
        self._snapshots: WeakKeyDictionary[Log, tuple[Walk, int, int]] = WeakKeyDictionary()
        self._catch_ups: dict[tuple[Log, int, bool], tuple[Walk, int]] = {}
        self.snapshots_built = 0
        self.built: Counter[int] = Counter()
        self.reused: Counter[int] = Counter()

    def snapshot(self, topic: Topic, log: Log) -> Walk:
        """The shared snapshot, or a new one where it is of another life, the horizon passed it, or too much came
        after it.
        """
        held = self._snapshots.get(log)
        if held is not None:
            walk, change_count, generation = held
            since = log.change_count - change_count
            is_good = generation == topic.generation and walk.through >= topic.history.horizon
            if is_good and since <= len(log.entries) * REBUILD_FRACTION:
                self.reused[topic.id] += 1
                return walk
        walk = Walk(topic.id, log, None, topic.head, staged=True)
        self._snapshots[log] = (walk, log.change_count, topic.generation)
        self.snapshots_built += 1
        self.built[topic.id] += 1
        return walk

    def since(self, topic: Topic, log: Log, start: int, *, staged: bool) -> Walk:
        """What changed since ``start``, up to the topic's head; the same object for all who ask in one round."""
        held = self._catch_ups.get((log, start, staged))
        if held is not None and held[1] == log.change_count:
            return held[0]
        walk = Walk(topic.id, log, start, topic.head, staged=staged)
        self._catch_ups[log, start, staged] = (walk, log.change_count)
        return walk

    def end_round(self) -> None:
        """Readers keep the walks that they are in; nobody else will ask for these again."""
        self._catch_ups.clear()

    def drop_unread_snapshots(self) -> None:
        """Free snapshots without readers (a storm of joiners is over)."""
        for log in [log for log, (walk, *_) in self._snapshots.items() if not walk.readers]:
            del self._snapshots[log]
