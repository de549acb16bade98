"""Recorded sessions of real Typha and real agents: our readers understand them, our writer makes the same bytes."""

from __future__ import annotations

import pytest

from tests.calico_wire import recordings
from typha.calico_wire import agent
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.gob import encode_text
from typha.calico_wire.messages import AgentMessage, ClientHello, KVs, Ping, Pong, SerializedUpdate, Status, UpdateType
from typha.calico_wire.reader import agent_messages
from typha.calico_wire.times import encode_time
from typha.calico_wire.writer import encode_element

PIECES = [None, 1, 2, 7, 1460]


@pytest.mark.parametrize("session", [1, 3])
def test_a_session_is_what_was_written_down(session: int) -> None:
    agent = recordings.read_all(agent_messages(), recordings.from_agent(session))
    server = recordings.read_all(ServerStream(), recordings.from_server(session))
    found = [{"from": "agent"} | recordings.as_json(message) for message in agent]
    found += [{"from": "server"} | recordings.as_json(message) for message in server]
    assert found == recordings.expected(session)


@pytest.mark.parametrize(("session", "feed"), [(1, "bgp"), (2, "felix"), (3, "felix")])
def test_the_snapshot_is_what_the_server_held(session: int, feed: str) -> None:
    messages = recordings.read_all(ServerStream(), recordings.from_server(session))
    snapshot = next(message for message in messages if isinstance(message, KVs))
    found = [(one.key, one.value, one.revision, one.v3_resource_version) for one in snapshot.updates]
    assert found == recordings.held_by_server(feed)
    assert {one.update_type for one in snapshot.updates} == {UpdateType.NEW}
    assert {one.ttl_ns for one in snapshot.updates} == {0}


def test_session_2_beyond_its_snapshot() -> None:
    hello, _, *rest = recordings.read_all(ServerStream(), recordings.from_server(2))
    assert recordings.as_json(hello) == {
        "is": "ServerHello",
        "version": "",
        "syncer_type": "felix",
        "supports_node_resource_updates": True,
        "connection_id": 18134140947858980866,
    }
    status, changed, deleted, ping = rest
    assert status == Status(2)
    assert isinstance(changed, KVs)
    [update] = changed.updates
    assert update.key == "/calico/v1/host/node-a/workload/k8s/app%2fweb-0/endpoint/eth0"
    assert (update.revision, update.v3_resource_version, update.update_type) == ("385", "", UpdateType.UPDATED)
    assert deleted == KVs((SerializedUpdate("/calico/v1/netset/gns1", None, "", "", 0, UpdateType.DELETED),))
    assert ping == Ping(1795389264083549216)


def test_the_real_agents_hello_and_pong() -> None:
    hello, pong = recordings.read_all(agent_messages(), recordings.from_agent(2))
    assert hello == ClientHello(
        "host", "info", "vtest", "felix", supports_modern_policy_keys=True, connection_id=1971796267000397825
    )
    assert pong == Pong(1795389264083549216)


@pytest.mark.parametrize("piece_bytes", PIECES)
@pytest.mark.parametrize("session", recordings.SESSIONS)
def test_pieces_of_any_size_are_the_same_messages(session: int, piece_bytes: int | None) -> None:
    for reader, again, data in (
        (ServerStream(), ServerStream(), recordings.from_server(session)),
        (agent_messages(), agent_messages(), recordings.from_agent(session)),
    ):
        assert recordings.read_all(again, data, piece_bytes) == recordings.read_all(reader, data)


@pytest.mark.parametrize(("session", "feed"), [(1, "bgp"), (2, "felix")])
def test_our_elements_are_real_typhas_bytes(session: int, feed: str) -> None:
    held = recordings.held_by_server(feed)
    elements = [encode_element(*kv, UpdateType.NEW) for kv in held]
    assert bytes((len(held),)) + b"".join(elements) + b"\x00" in recordings.from_server(session)


def test_our_deltas_are_real_typhas_bytes() -> None:
    messages = recordings.read_all(ServerStream(), recordings.from_server(2))
    deltas = [message.updates[0] for message in messages if isinstance(message, KVs)][1:]
    assert len(deltas) == 2
    for key, value, revision, v3, _, update_type in deltas:
        element = encode_element(key, value, revision or "", v3, UpdateType(update_type))
        assert b"\x01\x01" + element + b"\x00" in recordings.from_server(2)


def test_our_time_is_gos_but_for_the_zone() -> None:
    # The recorded clock was in a zone of offset 0, ours says UTC.
    assert encode_text(encode_time(1795389264083549216))[:-2] + b"\x00\x00" in recordings.from_server(2)


@pytest.mark.parametrize("session", recordings.SESSIONS)
def test_our_agent_writes_the_real_agents_bytes(session: int) -> None:
    """But for ids and for when definitions are sent: each message from its length on, behind the id of its type."""
    recorded = recordings.from_agent(session)
    for message in recordings.read_all(agent_messages(), recorded):
        assert isinstance(message, AgentMessage)
        ours = agent.encode_agent_message(message)
        value = ours[ours.index(b"syncproto.") :].split(b"\xfe\x01", 1)[1][1:]
        if isinstance(message, Pong):  # its zone: recorded as offset 0, ours is UTC
            value = value.replace(b"\xff\xff", b"\x00\x00")
        assert value in recorded
        assert len(value) > 2
