from __future__ import annotations

import ipaddress
import json
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from typha.convert.calico.network_set import GlobalNetworkSets, NetworkSets, keys_of
from typha.convert.calico.values import labels_of

CRD = "crd.projectcalico.org"


def global_value(nets: list[str]) -> Any:
    [entry] = GlobalNetworkSets(CRD).convert("s", json.dumps({"spec": {"nets": nets}}).encode())
    return msgspec.msgpack.decode(entry.value)


def test_keys() -> None:
    assert keys_of("a") == ("/calico/v1/netset/a",)
    assert keys_of("ns/a.b") == ("/calico/v1/netset/ns%2fa.b",)


def test_labels_are_read_from_the_value() -> None:
    raw = json.dumps({"metadata": {"labels": {"b": "2", "a": "1"}}}).encode()
    [entry] = GlobalNetworkSets(CRD).convert("s", raw)
    assert entry.attributes == (labels_of,)
    assert list(labels_of(entry.value).items()) == [("a", "1"), ("b", "2")]
    [entry] = NetworkSets(CRD).convert("ns/s", raw)
    assert entry.attributes == ("ns", labels_of)
    assert labels_of(entry.value) == {"a": "1", "b": "2", "projectcalico.org/namespace": "ns"}
    [entry] = GlobalNetworkSets(CRD).convert("s", b"{}")
    assert labels_of(entry.value) == {}


def test_attributes_and_forms() -> None:
    forms = {made(group).form for made in (NetworkSets, GlobalNetworkSets) for group in (CRD, "projectcalico.org")}
    assert len(forms) == 4
    assert NetworkSets(CRD).attributes == ("namespace", "labels")
    assert GlobalNetworkSets(CRD).attributes == ("labels",)


@given(st.lists(st.ip_addresses(), max_size=4), st.integers(0, 32))
def test_host_bits_are_cleared(addresses: list[Any], length: int) -> None:
    addresses = [each for each in addresses if getattr(each, "ipv4_mapped", None) is None]
    nets = global_value([f"{each}/{length}" for each in addresses]).get("nets", [])
    assert nets == [str(ipaddress.ip_network((each, length), strict=False)) for each in addresses]


@given(st.lists(st.text(alphabet="0123456789abf.:/ %-", max_size=20), max_size=4))
def test_what_does_not_parse_never_hides_what_does(texts: list[str]) -> None:
    kept = global_value(["192.0.2.0/24", *texts, "fd00::1"])["nets"]
    assert kept[0] == "192.0.2.0/24"
    assert kept[-1] == "fd00::1/128"
    for each in kept:
        ipaddress.ip_network(each)
