"""Who gets the same bytes: streams (one log in one encoding), and subscribers, which are in groups (see ``group``).

Invariants
1. Every member of a group has been handed everything up to each of its streams' ``position``, and nothing above.
2. A stream's position moves only when a round seals it; the frames of that seal cover (from, position].
3. Who reads a stream can read its encoding: what that takes was said before the subscriber came into the group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final

from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.cache.walk import SLICE_BYTES, Walk
from typha.downstream.dialect import Dialect, Session
from typha.downstream.group import Group, Outlet
from typha.downstream.statistics import Traffic


class _Gone:
    """The outlet of a connection that ended: takes nothing."""

    is_drained = False

    def send(self, data: bytes) -> int:
        """Dropped."""
        return len(data)

    def write(self, data: bytes | memoryview) -> None:
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


class Streams:
    """Every stream that somebody reads. Where a topic changes while a round waits for its turn, who catches up later
    in that round stands ahead of those that it has served: in a stream of its own, until the next round has served
    both. ``opened`` is told of the topic of each that begins.

    Road not taken: having them wait for the next round. Of a busy topic they are behind again by then, and thousands
    read on by themselves for ever.
    """

    def __init__(self, opened: Callable[[Topic], None] = lambda topic: None) -> None:
        self._opened = opened
        self._kin: dict[tuple[Log, Dialect], list[Stream]] = {}

    def __iter__(self) -> Iterator[Stream]:
        return chain.from_iterable(self._kin.values())

    def at_end(self, topic: Topic, log: Log, encoding: Dialect) -> Stream:
        """That of a reader who has read the log to its end."""
        kin = self._kin.setdefault((log, encoding), [])
        for stream in kin:
            if stream.position >= log.last_rv:
                return stream
        kin.append(Stream(topic, log, encoding))
        self._opened(topic)
        return kin[-1]

    def merged(self) -> dict[Stream, Stream]:
        """Streams that another one has caught up with, and which one: they are none of these any more."""
        found = {}
        for kin in self._kin.values():
            if len(kin) > 1:
                last = {stream.position: stream for stream in reversed(kin)}
                found.update({stream: last[stream.position] for stream in kin if last[stream.position] is not stream})
                kin[:] = [stream for stream in kin if last[stream.position] is stream]
        return found

    def drop_unread(self) -> None:
        """Those without groups."""
        for kin in self._kin.values():
            kin[:] = [stream for stream in kin if stream.groups]
        self._kin = {kind: kin for kind, kin in self._kin.items() if kin}


class Batch:
    """What one round publishes on one stream: changes in (``start``, the stream's position]."""

    __slots__ = ("data", "start", "walk")

    def __init__(self, start: int, walk: Walk, encoding: Dialect) -> None:
        self.start = start
        self.walk = walk
        # A re-list can change everything at once: then each member reads the walk at its own speed.
        whole = None if walk.is_large else walk.read(0, encoding)
        self.data = None if whole is None else whole.frames


class Subscriber:
    """A session with its outlet, as the fan-out holds it. What it is sent counts in ``traffic``, which all share."""

    __slots__ = (
        "_bytes_sent",
        "_frames_sent",
        "group",
        "is_queued",
        "outlet",
        "session",
        "traffic",
    )

    def __init__(self, session: Session, outlet: Outlet, traffic: Traffic) -> None:
        self.session = session
        self.traffic = traffic
        self.outlet = outlet
        self.group: Group | None = None
        self.is_queued = False
        self._bytes_sent = 0
        self._frames_sent = 0

    @property
    def bytes_sent(self) -> int:
        """What its outlet was handed, here or in its group. Who left in the midst of a round counts that as handed."""
        return self._bytes_sent + (self.group.bytes_sent if self.group is not None else 0)

    @property
    def frames_sent(self) -> int:
        """So many pieces."""
        return self._frames_sent + (self.group.frames_sent if self.group is not None else 0)

    def join(self, group: Group) -> None:
        """It is a member from now on."""
        self.group = group
        self._bytes_sent -= group.bytes_sent
        self._frames_sent -= group.frames_sent
        group.enter(self)

    def part(self, group: Group) -> None:
        """It is a member no more."""
        group.leave(self)
        self.group = None
        self._bytes_sent += group.bytes_sent
        self._frames_sent += group.frames_sent

    def pause(self) -> None:
        """The outlet says that it is not drained any more."""
        if self.group is not None:
            self.group.pause(self)

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
        self._bytes_sent += len(data)
        self._frames_sent += 1
        self.traffic.send(1, len(data))
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
