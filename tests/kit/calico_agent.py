"""One Calico agent in memory, which checks on the spot what its kind relies on.

1. Nothing comes between a decoder restart and its ACK, and no stream is defined twice (its reader breaks).
2. In-sync is said of nothing partial: every key that lived unchanged since the agent connected is held, with its value.
3. At in-sync it forgets what was not sent again, as Calico's dedupe buffer does.
"""

from __future__ import annotations

from tests.kit.client import Outlet
from tests.kit.server import Server
from typha.calico_wire import messages as c
from typha.calico_wire.agent import PREAMBLE, ServerStream, encode_agent_message
from typha.downstream.calico_session import CalicoSession
from typha.downstream.calico_values import value_of
from typha.downstream.dialect import Load, SessionState
from typha.downstream.streams import Subscriber

Held = dict[str, bytes]


def truth_of(server: Server, feed: str = "") -> Held:
    """What an agent of that feed holds that is up to date with the server."""
    topics = server.views.feeds[feed or c.DEFAULT_SYNCER_TYPE]
    return {key: value_of(entry) for topic in topics for key, entry in topic.log.entries.items()}


class CalicoAgent:
    """See the module. ``statuses`` are those of this connection, ``held`` outlives it."""

    def __init__(self, name: str, *, is_snappy: bool = True, feed: str = "") -> None:
        self.name = name
        self.is_snappy = is_snappy
        self.feed = feed
        self.held: Held = {}
        self.statuses: list[int] = []
        self.updates: list[c.SerializedUpdate] = []
        self.pings = 0
        self.server: Server | None = None
        self.start = 0
        self.session: CalicoSession | None = None
        self.outlet = Outlet()
        self.subscriber: Subscriber | None = None
        self._stream = ServerStream()
        self._sent_again: set[str] = set()
        self._at_connect: Held = {}

    # --- the connection

    def connect(self, server: Server, **changes: object) -> None:
        """Dial and say hello; ``changes`` are fields of the ClientHello."""
        self.disconnect()
        self.server, self.start = server, server.starts
        self.outlet = Outlet(is_slow=self.outlet.is_slow)
        self.session = CalicoSession(
            f"{server.name}-{self.name}",
            7,
            server.views,
            server.settings,
            now=server.clock.now,
            admit=lambda: Load(1, 1),
            wall_clock=lambda: int(server.clock.now * 1e9),
        )
        self.subscriber = Subscriber(self.session, self.outlet, server.fan_out.traffic)
        self.outlet.paused = self.subscriber.pause
        self._stream = ServerStream()
        self.statuses = []
        self._sent_again = set()
        self._at_connect = truth_of(server, self.feed)
        fields = {
            "hostname": self.name,
            "syncer_type": self.feed,
            "supports_decoder_restart": True,
            "compression_algorithms": ("snappy",) if self.is_snappy else (),
            "supports_modern_policy_keys": True,
        }
        self.say(c.ClientHello(**{**fields, **changes}), preamble=True)  # type: ignore[arg-type]

    @property
    def is_connected(self) -> bool:
        return self.session is not None and self.server is not None and self.server.starts == self.start

    def disconnect(self) -> None:
        if self.session is None or self.server is None or self.subscriber is None:
            return
        self.session.close("lost", None)
        self.server.fan_out.remove(self.subscriber)
        self.session = self.subscriber = None

    def say(self, message: c.AgentMessage, *, preamble: bool = False) -> None:
        assert self.session is not None
        assert self.server is not None
        data = encode_agent_message(message)
        self.session.receive_data(PREAMBLE + data if preamble else data, self.server.clock.now)
        self._follow()

    def _follow(self) -> None:
        """What the server's shell does after a session moved."""
        if self.session is None or self.subscriber is None or self.server is None:
            return
        if self.session.state is SessionState.OPEN and self.subscriber not in self.server.fan_out.subscribers:
            self.server.fan_out.add(self.subscriber)
        else:
            self.subscriber.flush()

    def pace(self, *, is_slow: bool) -> None:
        """A slow agent's socket counts as full until everything is delivered."""
        was_drained = self.outlet.is_drained
        self.outlet.pace(is_slow=is_slow)
        if not was_drained and self.outlet.is_drained and self.is_connected and self.server and self.subscriber:
            self.server.fan_out.drained(self.subscriber)

    def deliver(self, count: int | None = None) -> None:
        """The next ``count`` bytes (None: all) reach the agent. One whose session was closed connects no more."""
        if not self.is_connected or self.session is None or self.subscriber is None or self.server is None:
            return
        if self.session.is_closed and not self.outlet.buffer:
            self.disconnect()
            return
        was_drained = self.outlet.is_drained
        data = bytes(self.outlet.buffer[:count])
        del self.outlet.buffer[: len(data)]
        self._stream.receive_data(data)
        while (message := self._stream.next_message()) is not None:
            self._receive(message)
        if not was_drained and self.outlet.is_drained:
            self.server.fan_out.drained(self.subscriber)

    def _receive(self, message: c.ServerMessage) -> None:
        match message:
            case c.DecoderRestart():
                assert not self.outlet.buffer, "bytes behind a decoder restart"
                self.say(c.Ack())
            case c.KVs():
                for update in message.updates:
                    self._update(update)
            case c.Status():
                self.statuses.append(message.status)
                if message.status == c.SyncStatus.IN_SYNC:
                    self._in_sync()
            case c.Ping():
                self.pings += 1
                self.say(c.Pong(message.timestamp_ns))

    def _update(self, update: c.SerializedUpdate) -> None:
        self.updates.append(update)
        self._sent_again.add(update.key)
        if update.value is None:
            assert (update.update_type, update.revision) == (c.UpdateType.DELETED, "")
            self.held.pop(update.key, None)
            return
        assert update.update_type in (c.UpdateType.NEW, c.UpdateType.UPDATED)
        if not self.statuses:
            assert update.update_type == c.UpdateType.NEW or update.key in self.held
        self.held[update.key] = update.value

    def _in_sync(self) -> None:
        assert self.server is not None
        if self.statuses.count(c.SyncStatus.IN_SYNC) == 1:
            for key in self.held.keys() - self._sent_again:
                del self.held[key]
        now = truth_of(self.server, self.feed)
        for key, value in self._at_connect.items():
            if now.get(key) == value:
                assert self.held.get(key) == value, f"in-sync without {key}"

    @property
    def is_in_sync(self) -> bool:
        return bool(self.statuses) and self.statuses[-1] == c.SyncStatus.IN_SYNC
