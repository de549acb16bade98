"""One Calico agent's conversation, as Calico's Typha holds it, without I/O.

    ClientHello -> ServerHello [-> DecoderRestart -> ACK] -> snapshot -> status -> deltas, pings

Invariants
1. Between a DecoderRestart and its ACK nothing is sent: the agent's old decoder would swallow it.
2. In-sync is said once the whole view was handed over, and first only while every topic of the feed is heard of: an
   agent deletes what a snapshot did not bring.
3. Its language has no words for a refusal, a reset, a reconcile or a farewell: each is a close, and ``closed_by`` and
   ``error`` say why in our log and metrics.

Source: Calico's syncproto and syncserver; which agents are refused: docs/migrating-from-typha.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from typha.calico_wire import messages as c
from typha.calico_wire.errors import PeerError, TooManyError
from typha.calico_wire.reader import agent_messages
from typha.calico_wire.writer import encode_decoder_restart, encode_ping, encode_server_hello, encode_status
from typha.downstream import calico_encodings
from typha.downstream.dialect import Load, Session, SessionState
from typha.downstream.feed_view import FeedView, FeedViews
from typha.downstream.settings import DownstreamSettings
from typha.downstream.subscription import Subscription
from typha.version import __version__
from typha.wire.errors import RefusedError
from typha.wire.states import GoAwayReason, Mode, RefusalCode

_SNAPPY_REASON: Final = "snappy from here on"
# An agent says hello, at most one ACK, and a Pong for each ping; one that was busy answers those of minutes at once.
MESSAGES_AT_ONCE: Final = 64
MESSAGES_PER_S: Final = 2.0


class OutOfTurnError(PeerError):
    """A message of the language that has no place where the conversation stands."""

    code = "unexpected_message"


class CalicoSession(Session):
    """See the module. ``admit`` may raise RefusedError for reasons of the whole server; ``wall_clock`` gives ns."""

    __slots__ = (
        "_admit",
        "_awaits_ack",
        "_counted_at",
        "_encoding",
        "_encodings",
        "_hello_at",
        "_messages_left",
        "_number",
        "_pinged_at",
        "_reader",
        "_settings",
        "_told",
        "_view",
        "_views",
        "_wall_clock",
    )

    def __init__(
        self,
        session_id: str,
        number: int,
        views: FeedViews,
        settings: DownstreamSettings,
        *,
        now: float,
        admit: Callable[[], Load],
        wall_clock: Callable[[], int],
    ) -> None:
        self._encodings = calico_encodings.encodings_of(settings.calico_max_message_kvs)
        super().__init__(session_id, self._encodings.plain, now=now, handshake_timeout_s=settings.handshake_timeout_s)
        self._encoding = self._encodings.plain
        self._number = number
        self._views = views
        self._settings = settings
        self._admit = admit
        self._wall_clock = wall_clock
        self._reader = agent_messages()
        self._view: FeedView | None = None
        self._awaits_ack = False
        self._told: c.SyncStatus | None = None
        self._messages_left = float(MESSAGES_AT_ONCE)
        self._counted_at = self._hello_at = self._pinged_at = now

    resumes = False

    @property
    def ping_interval_s(self) -> float:
        """See Session."""
        return self._settings.calico_ping_interval_s

    @property
    def silence_timeout_s(self) -> float:
        """See Session."""
        return self._settings.calico_pong_timeout_s

    # --- in

    def receive_data(self, data: bytes, now: float) -> None:
        """See Session."""
        if self.is_closed:
            return
        try:
            self._reader.receive_data(data)
            while not self.is_closed and (message := self._reader.next_message()) is not None:
                self._count_message(now)
                self._receive(message, now)
        except PeerError as error:
            self.close(error.code, error)

    def _count_message(self, now: float) -> None:
        """A token bucket, as native sessions have: a flood of Pongs costs the loop. Raises TooManyError."""
        refill = max(0.0, now - self._counted_at) * MESSAGES_PER_S
        self._messages_left = min(MESSAGES_AT_ONCE, self._messages_left + refill) - 1
        self._counted_at = now
        if self._messages_left < 0:
            raise TooManyError("messages at once", MESSAGES_AT_ONCE + 1, MESSAGES_AT_ONCE)

    def _receive(self, message: c.AgentMessage, now: float) -> None:
        match message:
            case c.ClientHello() if self._view is None:
                self._receive_hello(message, now)
            case c.Ack() if self._awaits_ack:
                self._awaits_ack = False
                self._open(self._encodings.snappy, now)
            case c.Pong() if self.state is SessionState.OPEN and self._view is not None:
                self.heard_at = now
                self._view.counters.ping_latency.observe(max(0.0, now - self._pinged_at))
            case _:
                state = "before its ACK" if self._awaits_ack else f"in state {self.state.name}"
                raise OutOfTurnError(f"{type(message).__name__} is not expected {state}")

    def _receive_hello(self, hello: c.ClientHello, now: float) -> None:
        self.node, self.agent = hello.hostname[:253], f"calico/{hello.version[:64]} {hello.info[:64]}".strip()
        feed = hello.syncer_type or c.DEFAULT_SYNCER_TYPE
        try:
            self._check(hello, feed)
        except RefusedError as refusal:
            self.refuse(refusal)
            return
        self._view = self._views.open(feed)
        self._hello_at = self._pinged_at = now
        hello_back = encode_server_hello(f"typha/{__version__}", feed, self._number)
        if hello.supports_decoder_restart and c.SNAPPY in hello.compression_algorithms:
            self._awaits_ack = True
            restart = encode_decoder_restart(_SNAPPY_REASON, c.SNAPPY)
            self.say(self._encodings.plain.preamble + hello_back + restart)
        else:
            self.say(self._encodings.plain.preamble + hello_back)
            self._open(self._encodings.plain, now)

    def _check(self, hello: c.ClientHello, feed: str) -> None:
        """Raises RefusedError."""
        self.caller.check()
        self._admit().check_joins(1)
        if feed not in self._views.feeds:
            served = ", ".join(self.caller.shown(list(self._views.feeds))) or "none for this identity"
            raise RefusedError(RefusalCode.UNKNOWN_TOPIC, f"no feed {feed[:64]!r} here; there are: {served}")
        self.caller.check_feed(feed)
        if not hello.supports_modern_policy_keys:
            raise RefusedError(
                RefusalCode.PROTOCOL_VERSION,
                "the agent knows no modern policy keys, as those of Calico v3.28; upgrade calico-node first",
            )

    def _open(self, encoding: calico_encodings.CalicoEncoding, now: float) -> None:
        if self._view is None:
            return
        if encoding is not self._encoding:
            self.encoding = self._encoding = encoding
            self.say(encoding.preamble)
        self.subscriptions = (Subscription(self._view.topic, None, Mode.SNAPSHOT, None, 0),)
        self.state = SessionState.OPEN
        self.deadline_at = inf
        self.heard_at = now

    # --- the end

    def refuse(self, refusal: RefusedError) -> None:
        """See Session."""
        self.close(f"refused_{refusal.code}", refusal)

    def say_close(self, code: str, message: str, error: Exception | None = None) -> None:
        """See Session."""
        self.close(code, error)

    # --- out

    def say_ping(self, now: float) -> None:
        """See Session."""
        self._pinged_at = now
        self.say(self._encoding.encode_stream(encode_ping(self._wall_clock())))

    def say_go_away(self, reason: GoAwayReason, after_s: float) -> None:
        """See Session: an agent connects anew, where its Service still has servers."""
        self.close(reason, None)

    def say_state(self, subscription: Subscription, now: float) -> bool:
        """See Session: worse is told at once, better once everything was handed over."""
        if self._view is None:
            return False
        status = self._view.status
        if status is c.SyncStatus.IN_SYNC:
            return self._told is not status
        if self._told is not None:
            self._tell(status)
        return False

    def say_bookmark(self, subscriptions: Sequence[Subscription], now: float) -> None:
        """See Session: it holds the whole view."""
        view = self._view
        if view is None:
            return
        if self._told is None:
            view.counters.snapshot_send.observe(max(0.0, now - self._hello_at))
        if self._told is not None or view.is_fresh:
            self._tell(view.status)
        else:
            subscriptions[0].owes_bookmark = True

    def _tell(self, status: c.SyncStatus) -> None:
        if status is not self._told:
            self._told = status
            self.say(self._encoding.encode_stream(encode_status(status)))

    def say_reset(self, subscription: Subscription) -> None:
        """See Session. A view never starts anew."""
        self.close("reset", None)

    def say_digest(self, subscription: Subscription) -> None:
        """See Session: the agent fell behind all deletions that are remembered; connecting anew mends it."""
        self.close("fell_behind", None)

    def say_index(self, subscription: Subscription) -> None:
        """See Session. It is never asked for."""
