from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico import host_config, node
from typha.convert.calico.host_config import HostConfigs
from typha.convert.calico.node import Nodes
from typha.convert.calico.node_facts import as_number, is_mac, is_wireguard_key
from typha.convert.calico.pod_cidr_block import PodCidrBlocks
from typha.convert.converter import Converter

KEY = "jlkVyQYooZYzI2wFfNhSZez5eWh44yfq1wKVjLvSXgY="
CONVERTERS: tuple[Converter, ...] = (Nodes(), Nodes(use_pod_cidr=True), HostConfigs(), PodCidrBlocks())


def raw(annotations: dict[str, str] | None = None, **fields: Any) -> bytes:
    named = {f"projectcalico.org/{name}": text for name, text in (annotations or {}).items()}
    metadata = {"name": "n1", "uid": "u", "creationTimestamp": "2024-01-02T03:04:05Z", "annotations": named}
    return json.dumps({"metadata": metadata, **fields}).encode()


def value(annotations: dict[str, str]) -> Any:
    [entry] = Nodes().convert("n1", raw(annotations))
    return msgspec.msgpack.decode(entry.value)


def test_keys() -> None:
    assert node.keys_of("n1") == ("/calico/resources/v3/projectcalico.org/nodes/n1",)
    assert host_config.keys_of("n1") == (
        "/calico/v1/host/n1/config/IpInIpTunnelAddr",
        "/calico/v1/host/n1/config/IPv4VXLANTunnelAddr",
        "/calico/v1/host/n1/config/VXLANTunnelMACAddr",
        "/calico/v1/host/n1/config/IPv6VXLANTunnelAddr",
        "/calico/v1/host/n1/config/VXLANTunnelMACAddrV6",
        "/calico/v1/host/n1/wireguard",
    )


def test_host_configuration_keeps_to_its_keys() -> None:
    full = {
        "IPv4IPIPTunnelAddr": "10.0.0.1",
        "IPv4VXLANTunnelAddr": "10.0.0.2",
        "IPv6VXLANTunnelAddr": "fd00::2",
        "VXLANTunnelMACAddr": "66:11:22:33:44:55",
        "VXLANTunnelMACAddrV6": "66:11:22:33:44:56",
        "WireguardPublicKey": KEY,
    }
    entries = HostConfigs().convert("n1", raw(full))
    assert [entry.key for entry in entries] == list(host_config.keys_of("n1"))
    assert {entry.attributes for entry in entries} == {("n1",)}


def test_forms_tell_settings_apart() -> None:
    forms = [each(use_pod_cidr=flag).form for each in (Nodes, HostConfigs, PodCidrBlocks) for flag in (False, True)]
    assert len(set(forms)) == len(forms)


def test_fields_stand_in_calicos_order() -> None:
    full = value(
        {
            "ASNumber": "1",
            "IPv4Address": "10.0.0.1",
            "IPv6Address": "fd00::1",
            "IPv4IPIPTunnelAddr": "10.1.0.1",
            "RouteReflectorClusterID": "1.2.3.4",
            "IPv4VXLANTunnelAddr": "10.1.0.2",
            "WireguardPublicKey": KEY,
            "VXLANTunnelMACAddr": "66:11:22:33:44:55",
            "IPv6VXLANTunnelAddr": "fd00::2",
            "Interfaces": '[{"name":"e"}]',
            "VXLANTunnelMACAddrV6": "66:11:22:33:44:56",
            "IPv4WireguardInterfaceAddr": "10.1.0.3",
        }
    )
    assert list(full) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert list(full["spec"]) == [
        *("bgp", "ipv4VXLANTunnelAddr", "vxlanTunnelMACAddr", "ipv6VXLANTunnelAddr", "vxlanTunnelMACAddrV6"),
        *("orchRefs", "wireguard", "addresses", "interfaces"),
    ]
    assert list(full["spec"]["bgp"]) == [
        *("asNumber", "ipv4Address", "ipv6Address", "ipv4IPIPTunnelAddr", "routeReflectorClusterID"),
    ]


@pytest.mark.parametrize("converter", CONVERTERS, ids=["nodes", "nodes-pod-cidr", "hostconfigs", "podcidrblocks"])
def test_a_heartbeat_changes_nothing(converter: Converter) -> None:
    before = json.loads(
        raw({"IPv4IPIPTunnelAddr": "10.0.0.1"}, spec={"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]})
    )
    after = json.loads(json.dumps(before))
    after["kind"], after["apiVersion"] = "Node", "v1"
    after["metadata"] |= {"resourceVersion": "9", "generation": 4, "managedFields": [{"manager": "kubelet"}]}
    after["metadata"]["annotations"]["volumes.kubernetes.io/x"] = "true"
    after["spec"] |= {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]}
    after["status"] = {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2024-01-02T03:04:05Z"}], "images": []}
    outcomes = [converter.convert("n1", json.dumps(each).encode()) for each in (before, after)]
    assert list(outcomes[0]) == list(outcomes[1])
    assert outcomes[0]


def test_two_pod_cidrs_that_are_one_block() -> None:
    spec = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "10.1.0.7/24"]}
    assert len(PodCidrBlocks().convert("n1", raw(spec=spec))) == 1
    assert PodCidrBlocks(use_pod_cidr=False).convert("n1", raw(spec=spec)) == ()


def test_a_pod_cidr_that_is_none_hides_no_other() -> None:
    spec = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["x", "10.1.0.0/24"]}
    [entry] = PodCidrBlocks().convert("n1", raw(spec=spec))
    assert entry.key == "/calico/ipam/v2/assignment/ipv4/block/10.1.0.0-24"


def test_pod_cidrs_count_only_when_asked_for() -> None:
    assert Nodes().form == Nodes(use_pod_cidr=False).form
    assert HostConfigs().form == HostConfigs(use_pod_cidr=False).form
    assert HostConfigs().convert("n1", raw(spec={"podCIDR": "10.1.0.0/24"})) == []


def test_labels_are_read_from_the_value() -> None:
    [entry] = Nodes().convert("n1", raw({"labels": '{"b":"2","a":"1"}'}))
    assert entry.attributes == (node.labels_of,)
    assert list(node.labels_of(entry.value).items()) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("4294967295", 4294967295), ("0.1", 1), ("1.0", 65536), ("65535.65535", 4294967295)],
)
def test_as_numbers(text: str, number: int) -> None:
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".1", "-1", "+1", "1_0", " 1", "1.2.3", "4294967296", "65536.0", "0.65536", "٣", "1" * 5000, "0x1"],
)
def test_what_is_no_as_number(text: str) -> None:
    with pytest.raises(ValueError, match="not an AS number"):
        as_number(text)


@pytest.mark.parametrize(
    "text",
    [
        *("66:11:22:33:44:55", "66-aa-BB-33-44-55", "6611.2233.4455", "02:00:5e:10:00:00:00:01", "0200.5e10.0000.0001"),
        ":".join(["00"] * 20),
        ".".join(["0000"] * 10),
    ],
)
def test_macs(text: str) -> None:
    assert is_mac(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "66:11:22:33:44", "66:11:22:33:44:55:66", "66:11:22:33:44:5", "66:11:22:33:44:5g", "661122334455"),
        *(
            "66:11:22-33:44:55",
            "6611:2233:4455",
            "66.11.22.33.44.55",
            "6611.2233.445",
            "66:11:22:33:44:55 ",
            "6611.2233",
        ),
    ],
)
def test_what_is_no_mac(text: str) -> None:
    assert not is_mac(text)


def test_addresses_that_are_none_are_left_out() -> None:
    bad = dict.fromkeys(("IPv4Address", "IPv6Address", "RouteReflectorClusterID", "IPv4VXLANTunnelAddr"), "x")
    assert value(bad)["spec"] == value({})["spec"]
    assert "bgp" not in value({"IPv4Address": "fd00::1", "IPv6Address": "10.0.0.1"})["spec"]


def test_wireguard_keys() -> None:
    assert is_wireguard_key(KEY)
    assert is_wireguard_key(KEY[:10] + "\r\n" + KEY[10:])
    for text in ("", "short", KEY[:-1], KEY + "=", KEY[1:], KEY.replace("Q", "-"), " " + KEY, "A" * 44):
        assert not is_wireguard_key(text)
