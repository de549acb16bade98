from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico.host_endpoint import HostEndpoints
from typha.convert.calico.values import labels_of
from typha.convert.converter import ConversionError, Converted

CRD = "crd.projectcalico.org"


def entry(spec: Any, metadata: Any = None, name: str = "h") -> Converted:
    raw = json.dumps({"metadata": metadata or {}, "spec": spec}).encode()
    [found] = HostEndpoints(CRD).convert(name, raw)
    return found


def test_the_key_follows_the_node() -> None:
    assert entry({"node": "n1"}).key == "/calico/v1/host/n1/endpoint/h"
    assert entry({"node": "n2"}, name="a%b").key == "/calico/v1/host/n2/endpoint/a%25b"


def test_filter_attributes() -> None:
    found = entry({"node": "n1"}, {"labels": {"b": "2", "a": "1"}})
    assert found.attributes == ("n1", labels_of)
    assert list(labels_of(found.value).items()) == [("a", "1"), ("b", "2")]
    assert labels_of(entry({"node": "n1"}).value) == {}
    assert HostEndpoints(CRD).attributes == ("node", "labels")
    assert HostEndpoints(CRD).form != HostEndpoints("projectcalico.org").form


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.node"),
        ({"node": "n", "interfaceName": "a b"}, "spec.interfaceName"),
        ({"node": "n", "profiles": ["a", "b c"]}, r"spec.profiles\[1\]"),
        ({"node": "n", "ports": [{"name": "a", "protocol": "TCP", "port": 0}]}, r"spec.ports\[0\].port"),
        ({"node": "n", "ports": [{"name": "a", "protocol": 300, "port": 1}]}, r"spec.ports\[0\].protocol"),
        ({"node": "n", "ports": [{"name": "a", "protocol": "TCP", "port": 1.5}]}, r"spec.ports\[0\].port"),
        ({"node": "n", "ports": [{"name": "a", "protocol": "TCP", "port": -1}]}, r"spec.ports\[0\].port"),
        ({"node": "n", "expectedIPs": [1]}, r"spec.expectedIPs\[0\]"),
    ],
)
def test_a_bad_field_is_named(spec: Any, field: str) -> None:
    with pytest.raises(ConversionError, match=field):
        entry(spec)


def test_expected_ips_by_family() -> None:
    value = msgspec.msgpack.decode(
        entry({"node": "n", "expectedIPs": ["::1", "10.0.0.1", "x", "::ffff:10.0.0.2"]}).value
    )
    assert value["expected_ipv4_addrs"] == ["10.0.0.1", "10.0.0.2"]
    assert value["expected_ipv6_addrs"] == ["::1"]
