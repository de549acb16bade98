from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico import bgp
from typha.convert.calico.bgp import BgpConfigurations, BgpFilters, BgpPeers
from typha.convert.calico.bgp_peer import peer_address
from typha.convert.calico.text import communities
from typha.convert.converter import ConversionError

CRD = "crd.projectcalico.org"
MADE = (BgpConfigurations, BgpPeers, BgpFilters)


def spec_of(made: Any, **spec: Any) -> Any:
    [entry] = made(CRD).convert("x", json.dumps({"metadata": {"name": "x"}, "spec": spec}).encode())
    value = msgspec.msgpack.decode(entry.value)
    assert list(value) == ["kind", "apiVersion", "metadata", "spec"]
    return value["spec"]


def test_keys_forms_and_attributes() -> None:
    prefix = "/calico/resources/v3/projectcalico.org"
    assert bgp.configuration_keys_of("x") == (f"{prefix}/bgpconfigurations/x",)
    assert bgp.peer_keys_of("x") == (f"{prefix}/bgppeers/x",)
    assert bgp.filter_keys_of("x") == (f"{prefix}/bgpfilters/x",)
    assert len({made(group).form for made in MADE for group in (CRD, "projectcalico.org")}) == 6
    assert [made(CRD).attributes for made in MADE] == [(), ("node",), ()]


def test_fields_stand_in_calicos_order() -> None:
    peer = spec_of(BgpPeers, asNumber=1, peerIP="10.0.0.1", node="n", filters=["f"], maxRestartTime="1s", ttlSecurity=2)
    assert list(peer) == ["node", "peerIP", "asNumber", "maxRestartTime", "ttlSecurity", "filters"]
    rule = spec_of(BgpFilters, exportV4=[{"action": "Accept", "priority": 1, "source": "RemotePeers"}])["exportV4"][0]
    assert list(rule) == ["source", "priority", "action"]
    configuration = spec_of(BgpConfigurations, listenPort=1, asNumber=1, logSeverityScreen="Info", bindMode="NodeIP")
    assert list(configuration) == ["logSeverityScreen", "asNumber", "listenPort", "bindMode"]


def test_nulls_are_as_good_as_not_given() -> None:
    assert spec_of(BgpPeers, asNumber=None, peerIP=None, filters=None, password={"secretKeyRef": None}) == {
        "password": {}
    }
    assert spec_of(BgpConfigurations, communities=None, listenPort=None) == {}
    assert spec_of(BgpFilters, exportV4=[{"action": "Accept", "prefixLength": None, "operations": None}]) == {
        "exportV4": [{"action": "Accept"}]
    }


def test_a_null_in_a_list_has_no_meaning() -> None:
    with pytest.raises(ConversionError):
        spec_of(BgpPeers, filters=["a", None])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:1", "192.0.2.1"),
        ("192.0.2.1:65535", "192.0.2.1"),
        ("192.0.2.1:00179", "192.0.2.1"),
        ("[2001:db8::1]:179", "2001:db8::1"),
        ("[192.0.2.1]:179", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::1:179", "2001:db8::1:179"),
    ],
)
def test_peers(text: str, address: str) -> None:
    assert peer_address(text).text == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2.1:-1", "192.0.2.1:1:1"),
        *("[2001:db8::1]", "[2001:db8::1]:", "[2001:db8::1", "2001:db8::1]:1", "1:2:3:4:5", "[]:1", "peer:179"),
        "192.0.2.1:" + "1" * 30,
    ],
)
def test_what_is_no_peer(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        peer_address(text)


@pytest.mark.parametrize("text", ["0:0", "65535:65535", "4294967295:0:1", "00000000000001:2"])
def test_communities(text: str) -> None:
    assert communities.is_community(text)
    assert communities.is_in_range(text)


@pytest.mark.parametrize("text", ["65536:0", "0:65536", "4294967296:0:0", "0:0:99999999999", "1" * 9999 + ":1"])
def test_communities_out_of_range(text: str) -> None:
    assert communities.is_community(text)
    assert not communities.is_in_range(text)


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "1:2:3:4", "a:b", "1:-2", " 1:2", "\u0661:\u0662"])
def test_what_is_no_community(text: str) -> None:
    assert not communities.is_community(text)


def test_attributes_of_a_peer() -> None:
    [entry] = BgpPeers(CRD).convert("x", b'{"metadata":{"name":"x"},"spec":{"node":"n1"}}')
    assert entry.attributes == ("n1",)
    [entry] = BgpPeers(CRD).convert("x", b'{"metadata":{"name":"x"},"spec":{"nodeSelector":"all()"}}')
    assert entry.attributes == (None,)
