"""Entries of Calico's topics as KVs: held against what Calico's Typha sent, byte by byte, and rule by rule."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calico_wire import recordings
from typha.cache.log import Entry
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.messages import KVs, SerializedUpdate, UpdateType
from typha.calico_wire.preamble import PREAMBLE
from typha.calico_wire.writer import encode_element, encode_kvs
from typha.downstream.calico_values import CONFIG_KEYS, Revisions, as_new, element_of, value_end, value_of

V3 = "/calico/resources/v3/projectcalico.org/"
POD = "/calico/v1/host/n1/workload/k8s/ns%2fpod/endpoint/eth0"


def entry(key: str, value: Any, rv: int = 7) -> Entry:
    return Entry(rv, key, msgpack.packb(value), ())


def update_of(element: bytes) -> SerializedUpdate:
    stream = ServerStream()
    stream.receive_data(PREAMBLE + encode_kvs([element]))
    message = stream.next_message()
    assert isinstance(message, KVs)
    return message.updates[0]


def sent(key: str, value: Any, rv: int = 7, topic: str = "nodes", *, is_new: bool = True) -> SerializedUpdate:
    made = entry(key, value, rv)
    return update_of(element_of(made, value_of(made), Revisions(topic), is_new=is_new))


def topic_of(key: str, revision: str) -> str:
    """Only the two topics of profiles write revisions in a way of their own."""
    if "/profiles/" in key or "/policy/profile/" in key:
        return "profiles.serviceaccounts" if "ksa." in key else "profiles.namespaces"
    assert "/" not in revision
    return "another"


@pytest.mark.parametrize("feed", ["felix", "bgp", "tunnel-ip-allocation"])
def test_every_kv_that_typha_held_comes_out_of_an_entry_byte_by_byte(feed: str) -> None:
    held = recordings.held_by_server(feed)
    assert held
    for key, value, revision, v3 in held:
        decoded = value.decode() if CONFIG_KEYS in key else json.loads(value)
        made = entry(key, decoded, int(revision.strip("/")))
        assert value_of(made) == value
        element = element_of(made, value_of(made), Revisions(topic_of(key, revision)), is_new=True)
        assert element == encode_element(key, value, revision, v3, UpdateType.NEW)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": "<b>&"}, rb'{"a":"\u003cb\u003e\u0026"}'),
        ({"a<b": [">", {"&": "&&"}]}, rb'{"a\u003cb":["\u003e",{"\u0026":"\u0026\u0026"}]}'),
        ({"a": "x\u2028y\u2029"}, rb'{"a":"x\u2028y\u2029"}'),
        ({"a": "ü\u2027\u202a\U0001f40d"}, '{"a":"ü\u2027\u202a\U0001f40d"}'.encode()),
        ({"a": '"\\\n\t'}, rb'{"a":"\"\\\n\t"}'),
        ({"a": None, "b": [], "c": {}, "d": False}, b'{"a":null,"b":[],"c":{},"d":false}'),
        ({"a": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1]}, None),
        ({"a": [0.5, -1.25, 1e-9, 1.7e300]}, None),
        (True, b"true"),
        (12, b"12"),
    ],
)
def test_json_as_gos_encoder_writes_it(value: Any, written: bytes | None) -> None:
    found = value_of(entry("/calico/v1/Ready", value))
    assert json.loads(found) == value
    if written is not None:
        assert found == written


ATOMS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()


@given(st.recursive(ATOMS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_value_has_a_character_that_go_escapes_and_all_mean_the_same(value: Any) -> None:
    if isinstance(value, str):
        value = [value]  # text stands for itself
    found = value_of(entry("k", value))
    assert json.loads(found) == value
    assert not set("<>&\u2028\u2029") & set(found.decode())


@pytest.mark.parametrize("text", ["Info", "", "true", "a<b>&\u2028c", "ünïcode", '{"json": 1}'])
def test_configuration_is_text_as_it_is(text: str) -> None:
    assert value_of(entry("/calico/v1/config/LogSeverityScreen", text)) == text.encode()


@pytest.mark.parametrize(
    ("topic", "rv", "revision"),
    [
        ("nodes", 319, "319"),
        ("nodes", 1, "1"),
        ("profiles.namespaces", 319, "319/"),
        ("profiles.namespaces", 1, "1"),  # projectcalico-default-allow, which is no object
        ("profiles.serviceaccounts", 319, "/319"),
        ("profiles.serviceaccounts", 1, "/1"),
    ],
)
def test_revisions(topic: str, rv: int, revision: str) -> None:
    assert sent(POD, {}, rv, topic).revision == revision


@pytest.mark.parametrize(
    ("key", "v3"),
    [
        (f"{V3}nodes/n1", "7"),
        (f"{V3}kubernetesservice/ns/name", "7"),
        (f"{V3}caliconodestatuses/n1", "7"),
        (f"{V3}livemigrations/ns/m", "7"),
        (f"{V3}profiles/kns.default", ""),
        (f"{V3}profiles/projectcalico-default-allow", ""),
        ("/calico/v1/policy/GlobalNetworkPolicy//name", ""),
        ("/calico/v1/policy/profile/kns.default/rules", ""),
        ("/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26", ""),
        (POD, ""),
    ],
)
def test_version_beside_the_value_is_that_of_v3_objects_but_profiles(key: str, v3: str) -> None:
    assert sent(key, {"a": 1}).v3_resource_version == v3


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("key", [POD, f"{V3}nodes/n1"])
def test_update_types_and_an_element_as_a_snapshot_has_it(key: str, is_new: bool) -> None:
    made = entry(key, {"a": 1})
    value, revisions = value_of(made), Revisions("nodes")
    element = element_of(made, value, revisions, is_new=is_new)
    assert update_of(element).update_type == (UpdateType.NEW if is_new else UpdateType.UPDATED)
    assert as_new(element) == element_of(made, value, revisions, is_new=True)


@pytest.mark.parametrize("key_size", [1, 127, 128, 255, 256, 300])
@pytest.mark.parametrize("value_size", [1, 127, 128, 255, 256, 65_535, 65_536, 70_000])
def test_value_end_is_where_the_revision_begins(key_size: int, value_size: int) -> None:
    key, value = "ü" + "k" * (key_size - 1), b"v" * value_size
    one, other = (encode_element(key, value, revision, "", UpdateType.NEW) for revision in ("7", "12345/"))
    end = value_end(key, value)
    assert one[:end] == other[:end]
    assert one[:end].endswith(value)
    # The delta and type name of the revision are next.
    assert one[end:].startswith(b"\x01\x06string")
