"""One native subscriber's conversation (docs/protocol.md), without I/O.

Invariants
1. A breach closes with Refused (before the Welcome) or Close (after it).
2. What the peer controls is bounded: one frame of 64 KiB, frames per second, one open request per topic, filters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from typha.cache.catalog import Catalog
from typha.downstream import native
from typha.downstream.dialect import Dialect, Load, Session, SessionState
from typha.downstream.dictionaries import Dictionaries, Handed
from typha.downstream.encodings import PLAIN, NativeEncoding
from typha.downstream.handshake import PlannedTopic, check_protocol, plan, unready
from typha.downstream.settings import DownstreamSettings
from typha.downstream.subscription import Subscription
from typha.version import __version__
from typha.wire import compression
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.dictionaries import MAX_DICTIONARIES
from typha.wire.errors import RefusedError, RemoteProtocolError, TooManyFramesError, UnexpectedFrameError
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameDecoder, FrameType
from typha.wire.question import is_question
from typha.wire.states import PROTOCOL_MAX, ZSTD, ZSTD_DICT, GoAwayReason, Mode, RefusalCode

# A client sends two frames per ping interval, and a KeyRequest for each topic that is reconciled (added to this).
FRAMES_AT_ONCE: Final = 256
FRAMES_PER_S: Final = 20.0
_UNDECIDED: Final = (SessionState.HELLO, SessionState.REVIEW, SessionState.SEEN)
_NO_WHERE: Final[Mapping[str, m.Where]] = {}


class NativeSession(Session):
    """See the module. ``admit`` may raise RefusedError for reasons of the whole server (draining, overloaded);
    ``dictionaries`` are the server's; ``elsewhere`` names other servers (default: those of the settings).
    """

    __slots__ = (
        "_admit",
        "_catalog",
        "_decoder",
        "_dictionaries",
        "_elsewhere",
        "_feeds",
        "_frames_left",
        "_handed",
        "_hello",
        "_packing",
        "_settings",
        "_where",
    )

    def __init__(
        self,
        session_id: str,
        catalog: Catalog,
        feeds: Mapping[str, Sequence[str]],
        settings: DownstreamSettings,
        *,
        dictionaries: Dictionaries,
        now: float,
        admit: Callable[[], Load],
        elsewhere: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(session_id, PLAIN, now=now, handshake_timeout_s=settings.handshake_timeout_s)
        self._hello: m.Hello | None = None  # until the Welcome
        self._where: Mapping[str, m.Where] = _NO_WHERE
        self._catalog = catalog
        self._feeds = feeds
        self._settings = settings
        self._admit = admit
        self._elsewhere = elsewhere or (lambda: settings.advertise)
        self._dictionaries = dictionaries
        self._packing: NativeEncoding = PLAIN
        self._handed: Handed | None = None
        self._decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)
        self._frames_left = float(FRAMES_AT_ONCE)

    @property
    def ping_interval_s(self) -> float:
        """See Session."""
        return self._settings.ping_interval_s

    @property
    def silence_timeout_s(self) -> float:
        """See Session."""
        return self._settings.silence_timeout_s

    def where_of(self, topic: str) -> Mapping[str, str]:
        """See Session."""
        return self._where.get(topic, {})

    def encoding_of(self, subscription: Subscription) -> Dialect:
        """See Session."""
        return self.encoding if self._handed is None else self._handed.of(subscription.topic)

    def choose_encoding(self, subscription: Subscription, now: float) -> Dialect:
        """See Session."""
        if self._handed is not None:
            for frame in self._handed.choose(subscription.topic, subscription.log, now, MAX_DICTIONARIES):
                self.say(frame)
        return self.encoding_of(subscription)

    # --- in

    def receive_data(self, data: bytes, now: float) -> None:
        """What the socket gave. Look at ``state`` and ``take_frames`` afterwards."""
        if self.is_closed:
            return
        try:
            self._decoder.receive_data(data)
            while not self.is_closed and (frame := self._decoder.next_frame()) is not None:
                self._count_frame(now)
                message = decode_message(frame)
                if message is not None:
                    self._receive(message, frame.type, now)
        except RemoteProtocolError as error:
            self._breach(error)

    def _count_frame(self, now: float) -> None:
        """A token bucket: a flood of pings would cost 10 us of the loop each. Raises TooManyFramesError."""
        refill = max(0.0, now - self.heard_at) * FRAMES_PER_S
        burst = FRAMES_AT_ONCE + len(self.subscriptions)
        self._frames_left = min(burst, self._frames_left + refill) - 1
        self.heard_at = now
        if self._frames_left < 0:
            raise TooManyFramesError(burst, FRAMES_PER_S)

    def _receive(self, message: m.Message, frame_type: int, now: float) -> None:
        match message:
            case m.Hello() if self.state is SessionState.HELLO:
                self._hello = message
                # Thousands of agents are of one version.
                self.node, self.agent = message.node, sys.intern(message.agent)
                self.decide(now)
            case m.Close():
                self.close("by_client", None)
            case m.Ping() if self.state is SessionState.OPEN:
                self.say(encode_message(m.Pong(message.t)))
            case m.Pong() if self.state is SessionState.OPEN:
                applied = dict(message.applied)
                for subscription in self.subscriptions:
                    subscription.applied = applied.get(subscription.topic.id, subscription.applied)
            case m.KeyRequest() if self.state is SessionState.OPEN:
                self._key_request(message)
            case _:
                raise UnexpectedFrameError(frame_type, f"not from a client in state {self.state.name}")

    def _key_request(self, message: m.KeyRequest) -> None:
        for subscription in self.subscriptions:
            if subscription.topic.id == message.topic_id:
                if subscription.digest_at == message.at:
                    size = len(subscription.log.digests(self._catalog.salt).members)
                    wanted = range(size) if message.buckets is None else sorted(set(message.buckets))
                    subscription.requested = tuple(wanted)
                return
        raise UnexpectedFrameError(FrameType.KEY_REQUEST, f"topic id {message.topic_id} is not subscribed")

    # --- the answer to Hello

    @property
    def token(self) -> str:
        """See Session."""
        return (self._hello.token if self._hello is not None else None) or ""

    def decide(self, now: float) -> list[PlannedTopic]:
        """Welcome or refuse the Hello; gives the topics for which it must still wait (and is asked again)."""
        if self._hello is None or self.state not in _UNDECIDED:
            return []
        try:
            load = self._admit()
            if self.caller.needs_review(self._hello.token):
                self.state = SessionState.REVIEW
                return []
            if self.state is SessionState.REVIEW:
                self.state = SessionState.HELLO
            self.caller.check()
            if is_question(self._hello):
                self._answer(self._hello, load, now)
                return []
            if self._catalog.cluster is None:
                self._await_seen(now)
                return []
            planned = plan(self._hello, self._feeds, self._catalog, self._settings, self.caller)
            load.check_joins(sum(p.mode is Mode.SNAPSHOT for p in planned))
        except RefusedError as refusal:
            self.refuse(refusal)
            return []
        behind = [topic for topic in planned if topic.is_behind]
        if behind:
            self._await_seen(now)
            return behind
        self._welcome(self._hello, planned, load, now)
        return []

    def _await_seen(self, now: float) -> None:
        if self.state is SessionState.HELLO:
            self.state = SessionState.SEEN
            self.deadline_at = now + self._settings.seen_timeout_s

    def _answer(self, hello: m.Hello, load: Load, now: float) -> None:
        """To who asks how loaded this server is; another Hello may follow. Raises RefusedError."""
        check_protocol(hello)
        if missing := unready(self._feeds, self._catalog):
            names = ", ".join(self.caller.shown(missing)[:5])
            raise RefusedError(RefusalCode.NOT_READY, f"not complete yet: {names or 'a topic'}")
        self._hello = None
        self.deadline_at = now + self._settings.handshake_timeout_s
        self.say(encode_message(self._welcome_of(hello, (), None, load)))

    def _welcome_of(
        self, hello: m.Hello, topics: tuple[m.WelcomeTopic, ...], spoken: str | None, load: Load
    ) -> m.Welcome:
        return m.Welcome(
            server=f"typha/{__version__}",
            session=self.id,
            cluster=self._catalog.cluster or "",
            topics=topics,
            protocol=min(hello.protocol[1], PROTOCOL_MAX),
            compression=spoken,
            ping_interval_s=self._settings.ping_interval_s,
            connections=load.connections,
            target=load.target,
        )

    def _welcome(self, hello: m.Hello, planned: list[PlannedTopic], load: Load, now: float) -> None:
        spoken = None
        if ZSTD in hello.compression and compression.is_available():
            spoken = ZSTD
            self.encoding = self._packing = self._dictionaries.zstd
            if ZSTD_DICT in hello.compression:
                spoken = ZSTD_DICT
                self._handed = Handed(self._dictionaries)
        self.subscriptions = tuple(Subscription(p.topic, p.filter, p.mode, p.cursor, p.seen) for p in planned)
        self.state = SessionState.OPEN
        self._where, self._hello = hello.where or _NO_WHERE, None
        self._frames_left += len(self.subscriptions)
        self.deadline_at = inf
        self.heard_at = now  # it was we who were silent while the Welcome waited
        topics = tuple(m.WelcomeTopic(p.topic.name, p.topic.id, p.mode, p.topic.form) for p in planned)
        self.say(encode_message(self._welcome_of(hello, topics, spoken, load)))
        self.say(native.status_frame((p.topic for p in planned), now))

    def behind(self) -> list[PlannedTopic]:
        """For a session in SEEN whose time is up: which topics are behind what the client has seen."""
        if self._hello is None or self._catalog.cluster is None:
            return []
        try:
            planned = plan(self._hello, self._feeds, self._catalog, self._settings, self.caller)
        except RefusedError:
            return []
        return [topic for topic in planned if topic.is_behind]

    # --- the end

    def refuse(self, refusal: RefusedError) -> None:
        """Answer with Refused and close; before the Welcome only."""
        refused = m.Refused(refusal.code, refusal.message[:500], refusal.retry_after_s, self._elsewhere())
        self.say(encode_message(refused))
        self.close(f"refused_{refusal.code}", refusal)

    def _breach(self, error: RemoteProtocolError) -> None:
        if self.state in _UNDECIDED:
            self.refuse(RefusedError(RefusalCode.BAD_HELLO, str(error)))
            self.error = error
        else:
            self.say_close(error.code, str(error)[:500], error)

    def say_close(self, code: str, message: str, error: Exception | None = None) -> None:
        """Send Close as the last frame."""
        if self.state is not SessionState.CLOSED:
            self.say(encode_message(m.Close(code, message)))
            self.close(code, error)

    def close(self, code: str, error: Exception | None) -> None:
        """The conversation is over; what is in the outbox may still go out."""
        if not self.is_closed:
            self._decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)  # what it sent beyond this is let go
        super().close(code, error)

    # --- out

    def say_ping(self, now: float) -> None:
        """See Session."""
        self.say(encode_message(m.Ping(int(now * 1e9))))

    def say_go_away(self, reason: GoAwayReason, after_s: float) -> None:
        """See Session."""
        self.say(encode_message(m.GoAway(reason, after_s, self._elsewhere())))

    def say_state(self, subscription: Subscription, now: float) -> bool:
        """See Session."""
        self.say(native.status_frame((subscription.topic,), now))
        return False

    def say_bookmark(self, subscriptions: Sequence[Subscription], now: float) -> None:
        """These subscriptions hold everything up to their position."""
        self.say(native.bookmark_frame([(s.topic, s.position or 0) for s in subscriptions], now))

    def say_reset(self, subscription: Subscription) -> None:
        """The subscription starts anew with a snapshot."""
        self.say(native.reset_frame(subscription.topic, self._catalog.cluster or ""))

    def say_digest(self, subscription: Subscription) -> None:
        """Open a reconcile at the subscription's position."""
        at = subscription.position or 0
        subscription.digest_at, subscription.requested = at, None
        subscription.digest_bits = subscription.log.digests(self._catalog.salt).bits
        self.say(native.digest_frame(subscription.topic, subscription.log, at, self._catalog.salt))

    def say_index(self, subscription: Subscription) -> None:
        """Answer the open request at the subscription's position, which is the head."""
        if subscription.log.digests(self._catalog.salt).bits != subscription.digest_bits:
            self.say_digest(subscription)  # the topic grew eightfold meanwhile: these bucket numbers mean nothing
            return
        at, requested = subscription.position or 0, subscription.requested
        subscription.digest_at = subscription.requested = None
        subscription.is_staged = False
        for frame in native.index_frames(subscription.topic, subscription.log, at, self._catalog.salt, requested):
            self.say(self._packing.pack(frame))
