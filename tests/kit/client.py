"""One agent in memory: its replicas outlive its connections; every commit is checked against Truth on the spot."""

from __future__ import annotations

from collections.abc import Callable

from tests.kit.checked_copy import CheckedCopy
from tests.kit.server import Clock, Server
from tests.kit.truth import State, Truth, Where
from typha.downstream.dialect import Load, SessionState
from typha.downstream.session import NativeSession
from typha.downstream.streams import Subscriber
from typha.wire import messages as m
from typha.wire.codec import decode_message
from typha.wire.dictionaries import Dictionaries
from typha.wire.errors import RefusedError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.states import RefusalCode
from typha_client import events as e
from typha_client.replica import Replica, Replicas
from typha_client.session import Session, Subscription


class Outlet:
    """The socket from server to client: what was written and is not delivered yet."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.buffer = bytearray()
        self.is_slow = is_slow
        self.written_bytes = 0
        self.paused: Callable[[], None] = lambda: None

    @property
    def is_drained(self) -> bool:
        return not (self.is_slow and self.buffer)

    def pace(self, *, is_slow: bool) -> None:
        self.is_slow = is_slow
        if not self.is_drained:
            self.paused()

    def send(self, data: bytes) -> int:
        assert self.is_drained, "sent past bytes that wait"
        self.write(data)
        return len(data)

    def write(self, data: bytes | memoryview) -> None:
        self.buffer += data
        self.written_bytes += len(data)
        if not self.is_drained:
            self.paused()


class Client:
    """See the module. What is named after one topic (``held``, ``cursor`` ...) is that of the first of ``topics``."""

    def __init__(
        self,
        name: str,
        truth: Truth,
        clock: Clock,
        *,
        topics: tuple[str, ...] = ("pods",),
        where: Where | None = None,
        compression: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.clock = clock
        self.topics = topics
        self.compression = compression
        self.where: Where = {}
        self.replicas = Replicas(verify=True)
        self.copies = {topic: CheckedCopy(name, truth, topic) for topic in topics}
        self.server: Server | None = None
        self.start = 0
        self.session: Session | None = None
        self.peer: NativeSession | None = None
        self.outlet = Outlet()
        self.subscriber: Subscriber | None = None
        self.unsent: bytes | None = None
        self.modes: list[str] = []
        self.events: list[e.Event] = []
        self.frames: list[m.Message] = []
        self._partial = b""
        self._dictionaries = Dictionaries()
        self._is_asked_to_move = False
        self.ask_for(where or {})

    @property
    def replica(self) -> Replica:
        return self.replicas.topics[self.topics[0]]

    @property
    def cursor(self) -> int | None:
        return self.replica.cursor if self.replicas.topics else None

    @property
    def held(self) -> State:
        return self.copies[self.topics[0]].held

    @property
    def bookmarked(self) -> int | None:
        return self.copies[self.topics[0]].bookmarked

    def seen_changes(self) -> list[tuple[str, str, int]]:
        """(op, key, rv) of all changes that handlers saw, in their order."""
        return [(c.op, c.key, c.rv) for event in self.events if isinstance(event, e.Committed) for c in event.changes]

    @property
    def diffs(self) -> int:
        """How often handlers were called for a commit."""
        return sum(1 for event in self.events if isinstance(event, e.Committed) and event.changes)

    # --- the connection

    def connect(self, server: Server) -> None:
        self.disconnect()
        self.server, self.start = server, server.starts
        self.outlet = Outlet(is_slow=self.outlet.is_slow)
        subscription = Subscription(node=self.name, topics=self.topics, compression=self.compression)
        self.session = Session(self.replicas, subscription, self.clock.now)
        self.peer = NativeSession(
            f"{server.name}-{self.name}",
            server.catalog,
            {},
            server.settings,
            dictionaries=server.dictionaries,
            now=self.clock.now,
            admit=lambda: Load(1, 1),
        )
        self.subscriber = Subscriber(self.peer, self.outlet, server.fan_out.traffic)
        self.outlet.paused = self.subscriber.pause
        self.unsent = None
        for copy in self.copies.values():
            copy.bookmarked = None
        self._partial = b""
        self._dictionaries = Dictionaries()
        self.upload()

    def ask_for(self, where: Where) -> None:
        """Another filter, from the next connection on; what is held was made under the old one."""
        self.where = dict(where)
        self.replicas.wheres = dict.fromkeys(self.topics, self.where) if self.where else {}

    @property
    def is_connected(self) -> bool:
        return self.session is not None and self.server is not None and self.server.starts == self.start

    def disconnect(self) -> None:
        if self.session is None or self.peer is None or self.server is None:
            return
        self.peer.close("lost", None)
        if self.subscriber is not None:
            self.server.fan_out.remove(self.subscriber)
        self.session = self.peer = self.subscriber = None

    def upload(self) -> None:
        """Everything the client has to say reaches the server."""
        if self.session is None or self.peer is None or self.subscriber is None or self.server is None:
            return
        data = self.session.data_to_send()
        if self.unsent is not None:
            self.unsent += data
        elif data:
            self.peer.receive_data(data, self.clock.now)
        self.follow()

    def mute(self) -> None:
        """From now on what it says is on its way and does not arrive, until ``speak``."""
        self.unsent = b""

    def speak(self) -> None:
        """It arrives."""
        assert self.unsent is not None
        assert self.peer is not None
        data, self.unsent = self.unsent, None
        self.peer.receive_data(data, self.clock.now)
        self.follow()

    def follow(self) -> None:
        """What the server's shell does after a session moved."""
        if self.peer is None or self.subscriber is None or self.server is None:
            return
        if self.peer.state is SessionState.SEEN:
            self.peer.decide(self.clock.now)
        if self.peer.state is SessionState.OPEN:
            if self.subscriber in self.server.fan_out.subscribers:
                self.server.fan_out.received(self.subscriber)
            else:
                self.modes = [
                    "snapshot" if s.position is None else "reconcile" if s.is_staged else "resume"
                    for s in self.peer.subscriptions
                ]
                self.server.fan_out.add(self.subscriber)
        elif self.peer.is_closed:
            self.subscriber.flush()

    @property
    def is_waiting(self) -> bool:
        """Hello was read and the Welcome waits, because the client has seen more than the server holds."""
        return self.peer is not None and self.peer.state is SessionState.SEEN

    def give_up(self) -> None:
        """The 10 s of a waiting Welcome are over, and the probe did not prove a restore."""
        assert self.is_waiting
        assert self.peer is not None
        self.peer.refuse(RefusedError(RefusalCode.NOT_READY, "behind"))
        self.follow()
        self.deliver()

    def deliver(self, count: int | None = None) -> None:
        """The next ``count`` bytes (None: all) from the server reach the client."""
        if not self.is_connected or self.session is None or self.subscriber is None or self.server is None:
            return
        was_drained = self.outlet.is_drained
        data = bytes(self.outlet.buffer[:count])
        del self.outlet.buffer[: len(data)]
        self._receive(self.session, data)
        if self.session is not None:
            self.upload()
        if not was_drained and self.outlet.is_drained and self.server is not None and self.subscriber is not None:
            self.server.fan_out.drained(self.subscriber)
        if self._is_asked_to_move and self.server is not None:
            self._is_asked_to_move = False
            self.connect(self.server)

    def _receive(self, session: Session, data: bytes) -> None:
        """Frame by frame, so that each commit is checked against what the replica was at it."""
        pending, read = self._partial + data, len(self._partial)
        while len(pending) >= 4 and len(pending) >= (end := 4 + int.from_bytes(pending[:4], "big")):
            message = self._decoded(pending[:end])
            self.frames.append(message)
            self.check(session.receive_data(pending[read:end], self.clock.now))
            pending, read = pending[end:], 0
        self.check(session.receive_data(pending[read:], self.clock.now))
        self._partial = pending

    def _decoded(self, frame: bytes) -> m.Message:
        decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True, dictionaries=self._dictionaries.held)
        decoder.receive_data(frame)
        whole = decoder.next_frame()
        assert whole is not None
        message = decode_message(whole)
        assert message is not None
        if isinstance(message, m.Dictionary):
            self._dictionaries.receive(message)
        return message

    def changes_sent(self) -> list[m.Put | m.Delete]:
        """Every put and delete in the frames received since the last ``take_frames``."""
        changes: list[m.Put | m.Delete] = []
        for frame in self.frames:
            if isinstance(frame, m.Entries):
                changes += frame.puts
                changes += frame.deletes
        return changes

    def deliver_frame(self) -> bool:
        """The next whole frame; False where nothing waits."""
        if not self.outlet.buffer:
            return False
        self.deliver(4 + int.from_bytes(self.outlet.buffer[:4], "big"))
        return True

    def take_frames(self) -> list[m.Message]:
        """Whole frames received since the last call."""
        frames, self.frames = self.frames, []
        return frames

    def pace(self, *, is_slow: bool) -> None:
        """A slow client's socket counts as full until everything is delivered."""
        was_drained = self.outlet.is_drained
        self.outlet.pace(is_slow=is_slow)
        if not was_drained and self.outlet.is_drained and self.is_connected and self.server and self.subscriber:
            self.server.fan_out.drained(self.subscriber)

    # --- the promises

    def check(self, events: list[e.Event]) -> None:
        self.events += events
        for event in events:
            match event:
                case e.Welcomed():
                    for replica in self.replicas.topics.values():
                        replica.where = self.where
                case e.Committed():
                    self.copies[event.topic].committed(event, self.replicas.topics[event.topic], self.where)
                case e.Bookmarked():
                    self.copies[event.topic].was_bookmarked(event, self.replicas.topics[event.topic], self.where)
                case e.MoveRequested():
                    self._is_asked_to_move = True
                case e.Closed():
                    assert event.error is None or isinstance(event.error, RefusedError), event
                    self.disconnect()
        for topic, replica in self.replicas.topics.items():
            assert {key: held.encoded for key, held in replica.entries.items()} == self.copies[topic].held

    def is_in_sync_at_the_end(self) -> None:
        """Every topic holds the newest truth, and was told so."""
        assert self.is_connected, f"{self.name} is not connected: {self.events[-3:]}"
        for topic, copy in self.copies.items():
            copy.is_in_sync_at_the_end(self.replicas.topics[topic], self.where)
