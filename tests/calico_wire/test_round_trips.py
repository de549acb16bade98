"""What one side writes the other reads, whatever the fields, plain and snappy, in pieces of any size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.calico_wire.recordings import read_all
from typha.calico_wire import agent
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.messages import (
    Ack,
    AgentMessage,
    ClientHello,
    DecoderRestart,
    KVs,
    Ping,
    Pong,
    SerializedUpdate,
    ServerHello,
    ServerMessage,
    Status,
    SyncStatus,
    UpdateType,
)
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.reader import agent_messages
from typha.calico_wire.snappy import SnappyWriter
from typha.calico_wire.times import decode_time, encode_time
from typha.calico_wire.writer import (
    encode_decoder_restart,
    encode_element,
    encode_kvs,
    encode_ping,
    encode_server_hello,
    encode_status,
)

NUMBERS = st.integers(0, 2**64 - 1)
# Go's zero time is far from any of these.
TIMES = st.integers(-(2**62), 2**63)
HELLOS: st.SearchStrategy[AgentMessage] = st.builds(
    ClientHello,
    hostname=st.text(max_size=300),
    info=st.text(),
    version=st.text(),
    syncer_type=st.text(),
    supports_decoder_restart=st.booleans(),
    compression_algorithms=st.lists(st.text(), max_size=64).map(tuple),
    supports_modern_policy_keys=st.booleans(),
    connection_id=NUMBERS,
)
AGENT_MESSAGES = st.lists(HELLOS | st.just(Ack()) | st.builds(Pong, st.none() | TIMES, st.none() | TIMES), max_size=6)

UPDATES = st.one_of(
    st.builds(
        SerializedUpdate,
        key=st.text(min_size=1),
        value=st.binary(min_size=1),
        revision=st.text(max_size=200),
        v3_resource_version=st.text(max_size=200),
        ttl_ns=st.just(0),
        update_type=st.sampled_from((UpdateType.UNKNOWN, UpdateType.NEW, UpdateType.UPDATED)),
    ),
    st.builds(
        SerializedUpdate,
        key=st.text(min_size=1),
        value=st.none(),
        revision=st.text(max_size=200),
        v3_resource_version=st.text(max_size=200),
        ttl_ns=st.just(0),
        update_type=st.just(UpdateType.DELETED),
    ),
)
SERVER_MESSAGES: st.SearchStrategy[list[ServerMessage]] = st.lists(
    st.one_of(
        st.builds(KVs, st.lists(UPDATES, max_size=8).map(tuple)),
        st.builds(Status, st.sampled_from(SyncStatus)),
        st.builds(Ping, TIMES),
        st.builds(ServerHello, st.text(), st.text(min_size=1), st.just(value=True), st.integers(1, 2**64 - 1)),
    ),
    max_size=6,
)
WRITER = SnappyWriter()


def written(message: ServerMessage) -> bytes:
    match message:
        case KVs(updates):
            return encode_kvs(
                [
                    encode_element(one.key, one.value, one.revision or "", one.v3_resource_version, UpdateType(one[5]))
                    for one in updates
                ]
            )
        case Status(status):
            return encode_status(SyncStatus(status))
        case Ping(timestamp_ns):
            return encode_ping(timestamp_ns or 0)
        case ServerHello(version, feed, _, connection_id):
            return encode_server_hello(version, feed, connection_id)
        case DecoderRestart(text, algorithm):
            return encode_decoder_restart(text, algorithm)


@given(AGENT_MESSAGES, st.integers(1, 500))
def test_agent_to_server(messages: list[AgentMessage], piece_bytes: int) -> None:
    data = agent.PREAMBLE + b"".join(map(agent.encode_agent_message, messages))
    assert read_all(agent_messages(), data, piece_bytes) == messages


@given(SERVER_MESSAGES, st.integers(1, 500))
def test_server_to_agent(messages: list[ServerMessage], piece_bytes: int) -> None:
    data = PREAMBLE + b"".join(map(written, messages))
    assert read_all(ServerStream(), data, piece_bytes) == messages


@given(SERVER_MESSAGES, st.text(), st.sampled_from(("", "snappy")), SERVER_MESSAGES, st.integers(1, 500))
def test_across_a_decoder_restart(
    before: list[ServerMessage], why: str, algorithm: str, after: list[ServerMessage], piece_bytes: int
) -> None:
    restart = DecoderRestart(why, algorithm)
    data = PREAMBLE + b"".join(map(written, [*before, restart]))
    if algorithm:
        data += SNAPPY_PREAMBLE + b"".join(WRITER.compress(written(message)) for message in after)
    else:
        data += PREAMBLE + b"".join(map(written, after))
    assert read_all(ServerStream(), data, piece_bytes) == [*before, restart, *after]


@given(TIMES)
def test_times(unix_ns: int) -> None:
    assert decode_time(encode_time(unix_ns)) == unix_ns
