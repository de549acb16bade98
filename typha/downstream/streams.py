"""Who gets the same bytes: streams (one log in one encoding) and groups (subscribers of the same set of streams).

Invariants
1. Every member of a group has been handed everything up to each of its streams' ``position``, and nothing above.
2. A stream's position moves only when a round seals it; the frames of that seal cover (from, position].
3. Who reads a stream can read its encoding: what that takes was said before the subscriber came into the group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Protocol

from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.cache.walk import SLICE_BYTES, Walk
from typha.downstream.dialect import Dialect, Session


class Outlet(Protocol):
    """A subscriber's socket, as far as the fan-out knows it."""

    @property
    def is_drained(self) -> bool:
        """Everything written was taken by the kernel."""

    def write(self, data: bytes) -> None:
        """Hand bytes over; never blocks, never raises."""


class _Gone:
    """The outlet of a connection that ended: takes nothing."""

    is_drained = False

    def write(self, data: bytes) -> None:
        """Dropped."""


GONE: Final[Outlet] = _Gone()
# A subscriber that comes into another stream costs 40 us and up to 16 KB: so many are 10 ms of one round.
MOVES_PER_ROUND: Final = 256


class Stream:
    """One log in one encoding; ``position`` is the rv up to which its groups have been served."""

    __slots__ = ("encoding", "groups", "log", "position", "topic")

    def __init__(self, topic: Topic, log: Log, encoding: Dialect) -> None:
        self.topic = topic
        self.log = log
        self.encoding = encoding
        self.position = topic.head
        self.groups: set[Group] = set()


class Batch:
    """What one round publishes on one stream: changes in (``start``, the stream's position]."""

    __slots__ = ("data", "start", "walk")

    def __init__(self, start: int, walk: Walk, encoding: Dialect) -> None:
        self.start = start
        self.walk = walk
        # A re-list can change everything at once: then each member reads the walk at its own speed.
        whole = None if walk.is_large else walk.read(0, encoding)
        self.data = None if whole is None else whole.frames


class Group:
    """Caught-up subscribers of exactly these streams, which are all of one dialect."""

    __slots__ = ("bookmark_due_at", "dialect", "members", "streams")

    def __init__(self, streams: frozenset[Stream], dialect: Dialect, bookmark_due_at: float) -> None:
        self.streams = streams
        self.dialect = dialect
        self.members: dict[Subscriber, None] = {}
        self.bookmark_due_at = bookmark_due_at
        for stream in streams:
            stream.groups.add(self)

    def bookmark(self, now: float) -> bytes:
        """In sync up to here; nothing of a topic that is not complete yet (one from a file)."""
        complete = [(stream.topic, stream.position) for stream in self.streams if stream.topic.has_synced]
        return self.dialect.encode_bookmark(complete, now) if complete else b""


class Subscriber:
    """A session with its outlet, as the fan-out holds it."""

    __slots__ = (
        "bytes_sent",
        "frames_sent",
        "group",
        "is_queued",
        "joined_in",
        "outlet",
        "session",
    )

    def __init__(self, session: Session, outlet: Outlet) -> None:
        self.session = session
        self.outlet = outlet
        self.group: Group | None = None
        self.is_queued = False
        self.joined_in = -1
        self.bytes_sent = 0
        self.frames_sent = 0

    @property
    def is_walking(self) -> bool:
        """Has frames of a walk to read."""
        return any(subscription.is_walking for subscription in self.session.subscriptions)

    def next_slice(self, is_late: Callable[[], bool]) -> bytes:
        """Frames of its walks worth one send; b"" when they are read to their end, or not built yet."""
        slices: list[bytes] = []
        size = 0
        for subscription in self.session.subscriptions:
            while (frames := subscription.next_slice(self.session.encoding, is_late)) is not None:
                slices.append(frames)
                size += len(frames)
                if size >= SLICE_BYTES or is_late():
                    return b"".join(slices)
        return b"".join(slices)

    def write(self, data: bytes) -> None:
        """Hand bytes to the outlet and count them."""
        self.bytes_sent += len(data)
        self.frames_sent += 1
        self.outlet.write(data)

    def flush(self) -> None:
        """Hand over the control frames that wait."""
        frames = self.session.take_frames()
        if frames:
            self.write(frames)


class Moves:
    """Streams whose readers should go on in another encoding. They leave their groups at the start of a round, some at
    a time, and settle as whoever comes anew.
    """

    def __init__(self) -> None:
        self._streams: dict[Stream, None] = {}

    def __bool__(self) -> bool:
        return bool(self._streams)

    def published(self, stream: Stream, now: float) -> None:
        """A round published a frame of this stream."""
        if stream.encoding.published(stream.log, now) is not stream.encoding:
            self._streams[stream] = None

    def take(self) -> Iterator[Subscriber]:
        """Those who leave now."""
        left = MOVES_PER_ROUND
        for stream in list(self._streams):
            members = [subscriber for group in stream.groups for subscriber in islice(group.members, left)][:left]
            left -= len(members)
            yield from members
            if not stream.groups or left:
                del self._streams[stream]
