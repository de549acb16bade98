"""The protocol of ONE connection without I/O: bytes and time in, events, bytes and deadlines out.

Its place: connection (socket) -> *session* -> topic streams -> replicas. States, and what the server may say in them::

    HELLO_SENT   Welcome, Refused, Close
    ACTIVE       Entries, KeyDigest, KeyIndex, Bookmark, Status, Reset, Gap, Dictionary, Ping, Pong, GoAway, Close
    CLOSED       nothing is read any more

Invariants
1. Nothing that the peer sends raises: the session closes, says why to the peer, keeps ``error``, and reports it
   once, as its last event ``Closed``.
2. Replicas change by whole commits only (topic_stream), so a session may be dropped at any byte; a new Session
   over the same replicas resumes.
3. While held (``hold``) nothing is applied: make-before-break has one writer at any moment.
4. Silence of three ping intervals ends it; any byte counts as life.

Road not taken: a session that survives reconnects. Every rule would have to say which connection it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from typha.version import __version__
from typha.wire import compression as zstd
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.dictionaries import Dictionaries
from typha.wire.errors import LocalProtocolError, RefusedError, RemoteProtocolError, UnexpectedFrameError, WireError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder, FrameType
from typha.wire.states import PROTOCOL_MAX, PROTOCOL_MIN, ZSTD, ZSTD_DICT, CloseCode, Mode
from typha_client import events as e
from typha_client.changes import Change
from typha_client.replica import Replica, Replicas
from typha_client.topic_stream import TopicStream

# The server may wait 10 s with its Welcome (protocol section 5) before it refuses.
HANDSHAKE_TIMEOUT_S: Final = 20.0
SILENT_INTERVALS: Final = 3
# A server that asks for pings without pause would make us flood it.
MIN_PING_INTERVAL_S: Final = 0.1


def offered_compression() -> tuple[str, ...]:
    """What this installation can decompress."""
    return (ZSTD, ZSTD_DICT) if zstd.is_available() else ()


@dataclass(frozen=True, slots=True)
class Subscription:
    """What Hello says beside the cursors. ``compression`` None offers what is installed."""

    node: str
    feed: str | None = None
    topics: tuple[str, ...] = ()
    agent: str = f"typha_client/{__version__}"
    compression: tuple[str, ...] | None = None
    token: str | None = field(default=None, repr=False)


class SessionState(Enum):
    """Life of a session."""

    HELLO_SENT = "hello_sent"
    ACTIVE = "active"
    CLOSED = "closed"


def committed_cursor(replica: Replica) -> int | None:
    """``applied`` of an agent without handlers: what is committed is finished."""
    return replica.cursor


class Session:
    """One connection's protocol. ``now`` is monotonic seconds everywhere; Hello is queued by the constructor.

    ``applied``: what this agent's handlers have finished with, for Pong (None: nothing yet).
    """

    def __init__(
        self,
        replicas: Replicas,
        subscription: Subscription,
        now: float,
        *,
        limit_bytes: int = CLIENT_INBOUND_LIMIT_BYTES,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
        applied: Callable[[Replica], int | None] = committed_cursor,
    ) -> None:
        offered = offered_compression() if subscription.compression is None else subscription.compression
        self.replicas = replicas
        self.subscription = subscription
        self.state = SessionState.HELLO_SENT
        self.welcome: m.Welcome | None = None
        self.error: WireError | None = None
        self.streams: dict[str, TopicStream] = {}
        self.round_trip_s: float | None = None
        self.bytes_received = self.bytes_sent = 0
        self.frames_received: dict[str, int] = {}
        self.frames_sent: dict[str, int] = {}
        self._by_id: dict[int, TopicStream] = {}
        self._applied = applied
        dictionaries = Dictionaries()
        self._decoder = FrameDecoder(limit_bytes, accept_compressed=ZSTD in offered, dictionaries=dictionaries.held)
        self._out: list[bytes] = []
        self._events: list[e.Event] = []
        self._held: bytearray | None = None
        self._held_eof = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.Welcome: self._on_welcome,
            m.Refused: self._on_refused,
            m.Entries: self._on_entries,
            m.KeyDigest: self._on_key_digest,
            m.KeyIndex: self._on_key_index,
            m.Bookmark: self._on_bookmark,
            m.Status: self._on_status,
            m.Reset: self._on_reset,
            m.Gap: lambda gap: None,  # for relays
            m.Ping: self._on_ping,
            m.Pong: self._on_pong,
            m.GoAway: lambda go_away: self._events.append(e.MoveRequested(go_away)),
            m.Close: self._on_close,
        }
        if ZSTD_DICT in offered:
            self._handlers[m.Dictionary] = dictionaries.receive
        self._now = now
        self._handshake_by = now + handshake_timeout_s
        self._ping_interval_s = 0.0
        self._received_at = self._ping_at = now
        self._send(
            m.Hello(
                node=subscription.node,
                agent=subscription.agent,
                protocol=(PROTOCOL_MIN, PROTOCOL_MAX),
                feed=subscription.feed,
                topics=subscription.topics,
                where=replicas.wheres,
                resume_cluster=replicas.cluster,
                resume=replicas.resume(),
                compression=offered,
                token=subscription.token,
            )
        )

    # -- bytes ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[e.Event]:
        """Bytes from the server; the events they caused. Nothing after CLOSED."""
        if self.is_closed:
            return []
        self.bytes_received += len(data)
        self._received_at = self._now = now
        if self._held is not None:
            self._held += data
            return []
        self._ping_at = now + self._ping_interval_s
        self._decoder.receive_data(data)
        try:
            while not self.is_closed and (frame := self._decoder.next_frame()) is not None:
                message = decode_message(frame)
                if message is not None:
                    self._handle(message)
        except RemoteProtocolError as error:
            self._close(error.code, str(error), error)
        return self._take_events()

    def receive_eof(self, now: float, reason: str = "the server closed the connection") -> list[e.Event]:
        """The connection ended without Close (``reason`` for logs)."""
        self._now = now
        if self._held is not None:
            self._held_eof = True
            return []
        self._end(RemoteProtocolError(reason), "connection_lost", reason)
        return self._take_events()

    def frames_to_send(self) -> list[bytes]:
        """Whole frames since the last call, each as bytes."""
        out, self._out = self._out, []
        self.bytes_sent += sum(map(len, out))
        return out

    def data_to_send(self) -> bytes:
        """The same, joined."""
        return b"".join(self.frames_to_send())

    # -- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` wants to be called; None: never (closed or held)."""
        if self.is_closed or self._held is not None:
            return None
        if self.state is SessionState.HELLO_SENT:
            return self._handshake_by
        return min(self._ping_at, self._received_at + SILENT_INTERVALS * self._ping_interval_s)

    def handle_timer(self, now: float) -> list[e.Event]:
        """Send a Ping after an interval of silence; end after three, or when no Welcome came in time."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return []
        if self.state is SessionState.HELLO_SENT:
            text = "no Welcome in time"
            self._close(CloseCode.PING_TIMEOUT, text, RemoteProtocolError(text))
        elif now >= self._received_at + SILENT_INTERVALS * self._ping_interval_s:
            text = f"nothing received for {now - self._received_at:.1f} s"
            self._close(CloseCode.PING_TIMEOUT, text, RemoteProtocolError(text))
        else:
            self._ping_at = now + self._ping_interval_s
            self._send(m.Ping(int(now * 1e9)))
        return self._take_events()

    # -- ending and moving ----------------------------------------------------------------------------------------

    def close(self, code: str = CloseCode.DONE, message: str = "") -> list[e.Event]:
        """End from our side; ``data_to_send`` then holds Close. What was staged or held is dropped."""
        self._held = None
        if not self.is_closed:
            self._close(code, message, None)
        return self._take_events()

    @property
    def is_closed(self) -> bool:
        """True once ``Closed`` was reported."""
        return self.state is SessionState.CLOSED

    def hold(self) -> None:
        """Stop applying: another server was sent a Hello with our cursors. Bytes are kept, not read."""
        if self._held is None and not self.is_closed:
            self._held = bytearray()

    def release(self, now: float) -> list[e.Event]:
        """The other server refused or failed: apply what was held. (It welcomed us: ``close(CloseCode.MOVED)``.)"""
        held, self._held = self._held, None
        if held is None:
            return []
        self.bytes_received -= len(held)
        events = self.receive_data(bytes(held), now)
        if self._held_eof:
            events += self.receive_eof(now)
        return events

    @property
    def is_held(self) -> bool:
        """True between ``hold`` and ``release``."""
        return self._held is not None

    @property
    def held_bytes(self) -> int:
        """Bytes kept by ``hold``: the owner stops reading the socket when they grow."""
        return len(self._held or b"")

    def statistics(self) -> Mapping[str, Any]:
        """Counters of this connection."""
        return {
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "frames_received": dict(self.frames_received),
            "frames_sent": dict(self.frames_sent),
            "round_trip_s": self.round_trip_s,
            "staged_entries": sum(stream.staged_entries for stream in self.streams.values()),
        }

    # -- frames ---------------------------------------------------------------------------------------------------

    def _handle(self, message: m.Message) -> None:
        name = type(message).__name__
        self.frames_received[name] = self.frames_received.get(name, 0) + 1
        handler = self._handlers.get(type(message))
        if handler is None or type(message) not in _ALLOWED[self.state]:
            raise UnexpectedFrameError(FrameType[_upper(name)], f"{name} from the server while {self.state.value}")
        handler(message)

    def _on_welcome(self, welcome: m.Welcome) -> None:
        if not PROTOCOL_MIN <= welcome.protocol <= PROTOCOL_MAX:
            raise UnexpectedFrameError(FrameType.WELCOME, f"protocol {welcome.protocol} was not offered")
        names = {topic.name for topic in welcome.topics}
        if len(names) != len(welcome.topics) or len({topic.id for topic in welcome.topics}) != len(names):
            raise UnexpectedFrameError(FrameType.WELCOME, "a topic name or id occurs twice")
        if missing := sorted(set(self.subscription.topics) - names):
            raise UnexpectedFrameError(FrameType.WELCOME, f"topics asked for are missing: {', '.join(missing)}")
        for topic in welcome.topics:
            replica = self.replicas.ensure(topic.name)
            stream = TopicStream(replica, topic.id, topic.mode, welcome.cluster, topic.format)
            self.streams[topic.name] = self._by_id[topic.id] = stream
        self.welcome = welcome
        self.state = SessionState.ACTIVE
        self._ping_interval_s = max(welcome.ping_interval_s, MIN_PING_INTERVAL_S)
        self._ping_at = self._now + self._ping_interval_s
        self._events.append(e.Welcomed(welcome))

    def _on_refused(self, refused: m.Refused) -> None:
        self._events.append(e.RefusedByServer(refused))
        error = RefusedError(refused.code, refused.message, refused.retry_after_s, refused.addresses)
        self._end(error, refused.code, refused.message)

    def _on_entries(self, frame: m.Entries) -> None:
        stream = self._stream(frame.topic_id, FrameType.ENTRIES)
        mode = stream.mode
        self._committed(stream, stream.entries(frame), mode)

    def _on_bookmark(self, bookmark: m.Bookmark) -> None:
        for topic_id, cursor, age_ms in bookmark.topics:
            stream = self._stream(topic_id, FrameType.BOOKMARK)
            mode = stream.mode
            changes = stream.bookmark(cursor)
            self._committed(stream, changes, mode)
            if changes is not None:
                heard_at = None if age_ms is None else self._now - age_ms / 1000
                self._events.append(e.Bookmarked(stream.replica.name, cursor, heard_at))
                self._verify(stream.replica)

    def _on_status(self, status: m.Status) -> None:
        for topic_id, state, since_ms, text in status.topics:
            name = self._stream(topic_id, FrameType.STATUS).replica.name
            self._events.append(e.StatusChanged(name, state, self._now - since_ms / 1000, text))

    def _on_key_digest(self, digest: m.KeyDigest) -> None:
        self._send(self._stream(digest.topic_id, FrameType.KEY_DIGEST).key_digest(digest))

    def _on_key_index(self, index: m.KeyIndex) -> None:
        self._stream(index.topic_id, FrameType.KEY_INDEX).key_index(index)

    def _on_reset(self, reset: m.Reset) -> None:
        stream = self._stream(reset.topic_id, FrameType.RESET)
        stream.reset(reset.cluster, reset.format)
        self._events.append(e.WasReset(stream.replica.name, reset.cluster))

    def _on_ping(self, ping: m.Ping) -> None:
        applied = [(stream.topic_id, self._applied(stream.replica)) for stream in self.streams.values()]
        self._send(m.Pong(ping.t, tuple((topic_id, cursor) for topic_id, cursor in applied if cursor is not None)))

    def _on_pong(self, pong: m.Pong) -> None:
        self.round_trip_s = max(0.0, self._now - pong.t / 1e9)

    def _on_close(self, close: m.Close) -> None:
        meant = close.code in (CloseCode.DONE, CloseCode.MOVED, CloseCode.DRAINING)
        error = None if meant else RemoteProtocolError(f"the server closed: {close.code}: {close.message}")
        self._end(error, close.code, close.message)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _stream(self, topic_id: int, frame_type: FrameType) -> TopicStream:
        stream = self._by_id.get(topic_id)
        if stream is None:
            raise UnexpectedFrameError(frame_type, f"topic id {topic_id} is not in Welcome")
        return stream

    def _committed(self, stream: TopicStream, changes: list[Change] | None, mode: Mode | None) -> None:
        if changes is None:
            return
        replica = stream.replica
        if mode is Mode.SNAPSHOT:
            self.replicas.cluster = replica.cluster
        if replica.cursor is None:
            raise LocalProtocolError(f"a commit of {replica.name} left no cursor")
        self._events.append(e.Committed(replica.name, changes, replica.cursor, mode))

    def _verify(self, replica: Replica) -> None:
        if replica.rolling_digest is not None and replica.rolling_digest != replica.recomputed_digest():
            raise LocalProtocolError(f"TYPHA_VERIFY: {replica.name} differs from the sum of its changes")

    def _send(self, message: m.Message) -> None:
        name = type(message).__name__
        self.frames_sent[name] = self.frames_sent.get(name, 0) + 1
        self._out.append(encode_message(message))

    def _close(self, code: str, message: str, error: WireError | None) -> None:
        self._send(m.Close(str(code), message[:1000]))
        self._end(error, str(code), message)

    def _end(self, error: WireError | None, code: str, message: str) -> None:
        if not self.is_closed:
            self.state = SessionState.CLOSED
            self.error = error
            self._events.append(e.Closed(error, code, message))

    def _take_events(self) -> list[e.Event]:
        events, self._events = self._events, []
        return events


def _upper(name: str) -> str:
    """``KeyIndex`` -> ``KEY_INDEX``: messages and frame types have the same names."""
    return "".join(f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(name)).upper()


_ALLOWED: Final[dict[SessionState, frozenset[type]]] = {
    SessionState.HELLO_SENT: frozenset({m.Welcome, m.Refused, m.Close}),
    SessionState.ACTIVE: frozenset(
        {m.Entries, m.KeyDigest, m.KeyIndex, m.Bookmark, m.Status, m.Reset, m.Gap, m.Dictionary}
        | {m.Ping, m.Pong, m.GoAway, m.Close}
    ),
    SessionState.CLOSED: frozenset(),
}
