"""What an agent says and what the server answers, without sockets and rounds. ``Talk`` plays the agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.calico_wire import recordings
from tests.calico_wire.gob_bytes import ENVELOPE_TYPE
from tests.downstream.talk import synced_server
from tests.kit.server import Server
from typha.calico_wire import messages as c
from typha.calico_wire.agent import PREAMBLE, ServerStream, encode_agent_message
from typha.calico_wire.errors import PeerError, TooManyError
from typha.downstream import calico_encodings
from typha.downstream.calico_session import MESSAGES_AT_ONCE, MESSAGES_PER_S, CalicoSession, OutOfTurnError
from typha.downstream.dialect import Load, SessionState
from typha.downstream.settings import DownstreamSettings
from typha.version import __version__
from typha.wire.errors import RefusedError
from typha.wire.states import GoAwayReason, RefusalCode, TopicState

HELLO = c.ClientHello("node-1", "felix", "v3.31", "felix", True, ("snappy",), True, 4)
PLAIN_HELLO = replace(HELLO, compression_algorithms=())


class Talk:
    """One session at ``server``; ``heard`` decodes what the session has said since."""

    def __init__(self, server: Server, *, refusal: RefusedError | None = None) -> None:
        self.server = server
        self.refusal = refusal
        self.session = CalicoSession(
            "s1", 7, server.views, DownstreamSettings(), now=5.0, admit=self._admit, wall_clock=lambda: 42
        )
        self.stream = ServerStream()
        self._is_first = True

    def _admit(self) -> Load:
        if self.refusal is not None:
            raise self.refusal
        return Load(3, 10)

    def say(self, *messages: c.AgentMessage, now: float = 5.0) -> None:
        data = b"".join(map(encode_agent_message, messages))
        self.say_bytes(PREAMBLE + data if self._is_first else data, now)

    def say_bytes(self, data: bytes, now: float = 5.0) -> None:
        self._is_first = False
        self.session.receive_data(data, now)

    def heard(self) -> list[c.ServerMessage]:
        self.stream.receive_data(self.session.take_frames())
        found = []
        while (message := self.stream.next_message()) is not None:
            found.append(message)
        return found

    def opened(self, hello: c.ClientHello = PLAIN_HELLO) -> Talk:
        self.say(hello)
        if hello.compression_algorithms:
            self.heard()
            self.say(c.Ack())
        self.heard()
        assert self.session.state is SessionState.OPEN
        return self

    @property
    def end(self) -> tuple[str, str]:
        """Code, and text of the error."""
        assert self.session.is_closed
        assert self.session.subscriptions == ()
        return self.session.closed_by, str(self.session.error or "")


@pytest.fixture
def talk() -> Talk:
    return Talk(synced_server())


# --- hello


def test_plain_agent_is_served_at_once(talk: Talk) -> None:
    talk.say(PLAIN_HELLO)
    assert talk.heard() == [c.ServerHello(f"typha/{__version__}", "felix", True, 7)]
    session = talk.session
    assert (session.state, session.node, session.agent) == (SessionState.OPEN, "node-1", "calico/v3.31 felix")
    assert session.encoding is calico_encodings.PLAIN
    assert [s.topic.name for s in session.subscriptions] == ["felix (calico)"]
    assert not session.resumes


def test_snappy_agent_hears_nothing_between_restart_and_ack(talk: Talk) -> None:
    talk.say(HELLO)
    assert talk.heard() == [
        c.ServerHello(f"typha/{__version__}", "felix", True, 7),
        c.DecoderRestart("snappy from here on", "snappy"),
    ]
    assert talk.session.state.name == "HELLO"  # so no round, ping or status reaches it
    assert talk.session.subscriptions == ()
    talk.say(c.Ack())
    assert talk.session.state is SessionState.OPEN
    assert talk.session.encoding is calico_encodings.SNAPPY
    said = talk.session.take_frames()
    assert said == calico_encodings.SNAPPY.preamble
    talk.stream.receive_data(said)
    talk.session.say_ping(6.0)
    assert talk.heard() == [c.Ping(42)]


@pytest.mark.parametrize(
    "changes",
    [{"supports_decoder_restart": False}, {"compression_algorithms": ()}, {"compression_algorithms": ("zstd", "lz4")}],
)
def test_snappy_only_where_the_agent_can(talk: Talk, changes: dict[str, object]) -> None:
    talk.say(replace(HELLO, **changes))  # type: ignore[arg-type]
    assert [type(message) for message in talk.heard()] == [c.ServerHello]
    assert talk.session.encoding is calico_encodings.PLAIN


@pytest.mark.parametrize("recorded", recordings.SESSIONS)
def test_recorded_agents_are_served(talk: Talk, recorded: int) -> None:
    """Whole recorded streams: hello, ACKs and Pongs of real agents, whose real server restarted more often."""
    for byte in recordings.from_agent(recorded):
        talk.say_bytes(bytes((byte,)))
        if talk.session.state is SessionState.OPEN:
            break
    assert isinstance(talk.heard()[0], c.ServerHello)


def test_no_feed_is_felix(talk: Talk) -> None:
    talk.say(replace(PLAIN_HELLO, syncer_type=""))
    (hello,) = talk.heard()
    assert isinstance(hello, c.ServerHello)
    assert hello.syncer_type == "felix"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"syncer_type": "nope"}, RefusalCode.UNKNOWN_TOPIC, "no feed 'nope' here; there are: felix, bgp"),
        ({"syncer_type": "x" * 4000}, RefusalCode.UNKNOWN_TOPIC, "no feed '" + "x" * 64 + "' here"),
        ({"supports_modern_policy_keys": False}, RefusalCode.PROTOCOL_VERSION, "upgrade calico-node first"),
    ],
)
def test_refusals_are_kept_for_the_log_and_close_without_a_hello(
    talk: Talk, changes: dict[str, object], code: RefusalCode, text: str
) -> None:
    talk.say(replace(HELLO, **changes))  # type: ignore[arg-type]
    assert talk.session.take_frames() == b""
    assert talk.end[0] == f"refused_{code}"
    assert text in talk.end[1]
    assert talk.server.views.views == {}  # nobody pays for a feed that is not served
    talk.say(c.Ack())
    assert talk.end[0] == f"refused_{code}"


def test_server_that_drains_refuses() -> None:
    talk = Talk(synced_server(), refusal=RefusedError(RefusalCode.DRAINING, "this server stops", 2.0))
    talk.say(HELLO)
    assert talk.end[0] == "refused_draining"
    assert talk.session.take_frames() == b""


def test_names_are_bounded(talk: Talk) -> None:
    talk.say(c.ClientHello("h" * 4000, "i" * 4000, "v" * 4000, supports_modern_policy_keys=True))
    assert (len(talk.session.node), len(talk.session.agent)) == (253, len("calico/ ") + 128)


# --- out of turn


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([c.Ack()], "Ack is not expected in state HELLO"),
        ([c.Pong(1)], "Pong is not expected in state HELLO"),
        ([PLAIN_HELLO, PLAIN_HELLO], "ClientHello is not expected in state OPEN"),
        ([PLAIN_HELLO, c.Ack()], "Ack is not expected in state OPEN"),
        ([HELLO, HELLO], "ClientHello is not expected before its ACK"),
        ([HELLO, c.Pong(1)], "Pong is not expected before its ACK"),
        ([HELLO, c.Ack(), c.Ack()], "Ack is not expected in state OPEN"),
    ],
)
def test_message_out_of_turn_closes(talk: Talk, said: list[c.AgentMessage], text: str) -> None:
    talk.say(*said)
    assert talk.end == ("unexpected_message", text)
    assert isinstance(talk.session.error, OutOfTurnError)
    assert talk.session.error.code == "unexpected_message"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xf7" + b"\xff" * 9, "bad_gob"),
        (b"\xfc\x00\x10\x00\x01", "too_large"),  # 1 MiB and a byte
        (b"GET / HTTP/1.1\r\nHost: typha\r\n\r\n" + b"x" * 100, "bad_gob"),
        (b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 600, "bad_gob"),
        (ENVELOPE_TYPE + b"\x03\xff\x8c\x00", "unexpected_message"),
    ],
)
def test_what_is_no_agent_is_closed_with_the_readers_code(talk: Talk, data: bytes, code: str) -> None:
    talk.say_bytes(data)
    assert talk.end[0] == code
    assert isinstance(talk.session.error, PeerError)
    assert talk.session.error.code == code
    assert talk.session.take_frames() == b""
    talk.say_bytes(data)
    assert talk.end[0] == code


def test_largest_message_that_is_taken(talk: Talk) -> None:
    talk.say_bytes(b"\xfd\x10\x00\x00")  # its length: 1 MiB
    assert talk.session.state is SessionState.HELLO


# --- a flood


def test_flood_of_pongs_is_closed(talk: Talk) -> None:
    talk.opened().say(*[c.Pong(1)] * 1000)
    assert talk.end[0] == "too_many"
    assert isinstance(talk.session.error, TooManyError)


def test_agent_that_was_busy_may_answer_many_pings_at_once(talk: Talk) -> None:
    talk.opened().say(*[c.Pong(1)] * (MESSAGES_AT_ONCE - 1))
    assert not talk.session.is_closed


def test_talkative_agent_within_the_rate_goes_on(talk: Talk) -> None:
    talk.opened()
    for number in range(1000):
        talk.say(c.Pong(number), now=5.0 + number / MESSAGES_PER_S)
    assert not talk.session.is_closed


# --- signs of life, status, ends


def test_pong_is_the_sign_of_life(talk: Talk) -> None:
    talk.opened(HELLO)
    assert (talk.session.heard_at, talk.session.silence_timeout_s, talk.session.ping_interval_s) == (5.0, 60.0, 10.0)
    talk.say(c.Pong(42), now=17.0)
    assert talk.session.heard_at == 17.0
    assert talk.heard() == []


def test_status_is_said_when_everything_was_handed_over_and_once(talk: Talk) -> None:
    talk.opened()
    talk.server.round()
    (subscription,) = talk.session.subscriptions
    assert talk.session.say_state(subscription, 5.0)  # settle first
    assert talk.heard() == []
    talk.session.say_bookmark([subscription], 5.0)
    talk.session.say_bookmark([subscription], 6.0)
    assert talk.heard() == [c.Status(c.SyncStatus.IN_SYNC)]
    assert not talk.session.say_state(subscription, 7.0)


def test_first_in_sync_waits_for_a_cache_that_is_heard_of(talk: Talk) -> None:
    for topic in talk.server.topics:
        topic.set_state(TopicState.STALE, talk.server.clock.now, "no contact")
    talk.opened()
    talk.server.round()
    (subscription,) = talk.session.subscriptions
    subscription.owes_bookmark = False
    talk.session.say_bookmark([subscription], 5.0)
    assert talk.heard() == []
    assert subscription.owes_bookmark


def test_worse_is_said_at_once_and_better_after_the_data(talk: Talk) -> None:
    talk.opened()
    talk.server.round()
    (subscription,) = talk.session.subscriptions
    talk.session.say_bookmark([subscription], 5.0)
    talk.heard()
    talk.server.pods.restart(6.0)
    talk.server.views.tick()
    assert not talk.session.say_state(subscription, 6.0)
    assert talk.heard() == [c.Status(c.SyncStatus.RESYNC)]
    talk.server.relist()
    talk.server.round()
    assert talk.session.say_state(subscription, 7.0)
    assert talk.heard() == []
    talk.session.say_bookmark([subscription], 7.0)
    assert talk.heard() == [c.Status(c.SyncStatus.IN_SYNC)]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda session, subscription: session.say_go_away(GoAwayReason.DRAINING, 5.0), "draining"),
        (lambda session, subscription: session.say_close("ping_timeout", "nothing heard"), "ping_timeout"),
        (lambda session, subscription: session.say_digest(subscription), "fell_behind"),
        (lambda session, subscription: session.say_reset(subscription), "reset"),
    ],
)
def test_what_has_no_word_is_a_close_with_its_code(talk: Talk, end: object, code: str) -> None:
    talk.opened()
    log = talk.session.subscriptions[0].log
    assert callable(end)
    end(talk.session, talk.session.subscriptions[0])
    assert talk.end[0] == code
    assert (log.readers, talk.session.take_frames()) == (0, b"")
    talk.session.close("again", None)
    assert talk.end[0] == code
