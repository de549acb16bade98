"""calicoctl's columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from typha.columns.calico import legacy_table, tables_of

V3 = "/calico/resources/v3/projectcalico.org"


class Row(NamedTuple):
    key: str
    value: Any
    rv: int = 1


def table(*rows: Row, wide: bool = False, every: bool = False) -> list[list[str]]:
    [made], others = tables_of(rows, wide=wide, every=every)
    assert not others
    assert set(made.keys) <= {row.key for row in rows}
    assert len(made.keys) == len(made.rows)
    return [made.columns, *made.rows]


WEB = Row(
    "/calico/v1/host/n-1/workload/k8s/prod%2fweb/endpoint/eth0",
    {
        "name": "cali1",
        "ipv4_nets": ["10.0.0.1/32"],
        "ipv6_nets": ["fd00::1/128"],
        "profile_ids": ["kns.prod", "ksa.prod.api"],
        "ipv4_nat": [{"int_ip": "10.0.0.1", "ext_ip": "203.0.113.1"}],
    },
)
BARE = Row(
    "/calico/v1/host/a/workload/k8s/dev%2fbare/endpoint/eth0", {"name": "cali2", "ipv4_nets": None, "ipv6_nets": None}
)


def test_workload_endpoints() -> None:
    assert table(WEB) == [
        ["WORKLOAD", "NODE", "NETWORKS", "INTERFACE"],
        ["web", "n-1", "10.0.0.1/32,fd00::1/128", "cali1"],
    ]
    assert table(WEB, BARE, every=True) == [
        ["NAMESPACE", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE"],
        ["dev", "bare", "a", "", "cali2"],
        ["prod", "web", "n-1", "10.0.0.1/32,fd00::1/128", "cali1"],
    ]
    assert table(WEB, wide=True) == [
        ["NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"],
        [
            "n--1-k8s-web-eth0",
            "web",
            "n-1",
            "10.0.0.1/32,fd00::1/128",
            "cali1",
            "kns.prod,ksa.prod.api",
            "203.0.113.1->10.0.0.1",
        ],
    ]


def test_workload_endpoints_as_old_calicoctl_showed_them() -> None:
    assert legacy_table([WEB, BARE]) == (
        ["HOSTNAME", "ORCHESTRATOR", "WORKLOAD", "NAME"],
        [["a", "k8s", "dev.bare", "eth0"], ["n-1", "k8s", "prod.web", "eth0"]],
        [BARE.key, WEB.key],
    )
    assert legacy_table([Row("/calico/v1/policy/tier/a/metadata", {})]) is None
    assert legacy_table([Row("prod/web", {})]) is None


POLICY = {"order": 10, "selector": "all()", "tier": "default"}
POOL = {
    "cidr": "10.0.0.0/16",
    "masquerade": True,
    "ipip_mode": "cross-subnet",
    "vxlan_mode": "",
    "disabled": False,
    "disableBGPExport": False,
}
NODE = {"spec": {"bgp": {"asNumber": 64513, "ipv4Address": "10.1.0.1/24"}}}
PEER = {"spec": {"peerIP": "192.0.2.1", "asNumber": 65001}}


@pytest.mark.parametrize(
    ("key", "value", "narrow", "wide"),
    [
        (
            "/calico/v1/policy/NetworkPolicy/prod/default.web",
            POLICY,
            {"NAME": "default.web", "TIER": "default"},
            {"NAME": "default.web", "TIER": "default", "ORDER": "10", "SELECTOR": "all()"},
        ),
        (
            "/calico/v1/policy/GlobalNetworkPolicy//deny",
            {"selector": "all()", "tier": "default"},
            {"NAME": "deny", "TIER": "default"},
            {"NAME": "deny", "TIER": "default", "ORDER": "", "SELECTOR": "all()"},
        ),
        (
            "/calico/v1/policy/tier/ops/metadata",
            {"order": 100, "defaultAction": "Deny"},
            {"NAME": "ops", "ORDER": "100"},
            {"NAME": "ops", "ORDER": "100", "DEFAULTACTION": "Deny"},
        ),
        (
            "/calico/v1/host/n1/endpoint/hep",
            {"name": "eth0", "expected_ipv4_addrs": ["10.0.0.1"], "profile_ids": ["p"], "labels": None},
            {"NAME": "hep", "NODE": "n1"},
            {"NAME": "hep", "NODE": "n1", "INTERFACE": "eth0", "IPS": "10.0.0.1", "PROFILES": "p"},
        ),
        (
            "/calico/v1/netset/prod%2foffice",
            {"nets": ["10.0.0.0/8", "192.168.0.0/16"]},
            {"NAME": "office"},
            {"NAME": "office", "NETS": "10.0.0.0/8,192.168.0.0/16"},
        ),
        (
            "/calico/v1/ipam/v4/pool/10.0.0.0-16",
            POOL,
            {"NAME": "10.0.0.0-16", "CIDR": "10.0.0.0/16"},
            {
                "NAME": "10.0.0.0-16",
                "CIDR": "10.0.0.0/16",
                "NAT": "true",
                "IPIPMODE": "CrossSubnet",
                "VXLANMODE": "Never",
                "DISABLED": "false",
                "DISABLEBGPEXPORT": "false",
            },
        ),
        (
            f"{V3}/nodes/n1",
            NODE,
            {"NAME": "n1"},
            {"NAME": "n1", "ASN": "64513", "IPV4": "10.1.0.1/24", "IPV6": ""},
        ),
        (
            f"{V3}/bgppeers/all",
            PEER,
            {"NAME": "all", "PEERIP": "192.0.2.1", "NODE": "(global)", "ASN": "65001"},
            {"NAME": "all", "PEERIP": "192.0.2.1", "NODE": "(global)", "ASN": "65001"},
        ),
        (
            f"{V3}/bgppeers/racks",
            {"spec": {"nodeSelector": "rack == 'a'"}},
            {"NAME": "racks", "PEERIP": "", "NODE": "rack == 'a'", "ASN": ""},
            {"NAME": "racks", "PEERIP": "", "NODE": "rack == 'a'", "ASN": ""},
        ),
        (
            f"{V3}/bgpconfigurations/default",
            {"spec": {"nodeToNodeMeshEnabled": False}},
            {"NAME": "default", "LOGSEVERITY": "", "MESHENABLED": "false", "ASNUMBER": "-"},
            {"NAME": "default", "LOGSEVERITY": "", "MESHENABLED": "false", "ASNUMBER": "-"},
        ),
        (
            f"{V3}/caliconodestatuses/s",
            {"spec": {"node": "n1", "classes": ["BGP", "Agent"]}, "status": {"lastUpdated": "t"}},
            {"NAME": "s", "NODE": "n1"},
            {"NAME": "s", "NODE": "n1", "CLASSES": "BGP,Agent", "LASTUPDATED": "t"},
        ),
        (
            "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30",
            {"affinity": "host:n1", "allocations": [0, None, None, 1], "unallocated": [1, 2]},
            {"NAME": "10.0.0.0-30", "AFFINITY": "host:n1"},
            {"NAME": "10.0.0.0-30", "AFFINITY": "host:n1", "USED": "2", "FREE": "2"},
        ),
        (
            "/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30",
            {"state": "confirmed"},
            {"NAME": "10.0.0.0-30", "NODE": "n1"},
            {"NAME": "10.0.0.0-30", "NODE": "n1", "STATE": "confirmed"},
        ),
    ],
)
def test_columns(key: str, value: Any, narrow: dict[str, str], wide: dict[str, str]) -> None:
    assert table(Row(key, value)) == [list(narrow), list(narrow.values())]
    assert table(Row(key, value), wide=True) == [list(wide), list(wide.values())]


def test_configuration_has_a_row_for_each_field() -> None:
    rows = [
        Row("/calico/v1/host/n1/config/IpInIpMtu", "1440"),
        Row("/calico/v1/host/n1/wireguard", {"publicKey": "k", "interfaceIPv4Addr": "10.0.0.1"}),
        Row("/calico/v1/config/VXLANVNI", "4096"),
        Row("/calico/v1/Ready", "true"),
        Row(f"{V3}/felixconfigurations/gpu", {"spec": {"nodeSelector": "gpu == 'yes'", "bpfLogLevel": ""}}),
        Row(f"{V3}/felixconfigurations/unused", {"spec": {}}),
    ]
    assert table(*rows, every=True) == [
        ["NAME", "FIELD", "VALUE"],
        ["default", "DatastoreReady", "true"],
        ["default", "VXLANVNI", "4096"],
        ["gpu", "(whole object)", "nodes: gpu == 'yes'"],
        ["node.n1", "IpInIpMtu", "1440"],
        ["node.n1", "wireguard", "publicKey=k,interfaceIPv4Addr=10.0.0.1"],
        ["unused", "(whole object)", ""],
    ]


def test_a_profiles_three_keys_are_one_row() -> None:
    rules = Row("/calico/v1/policy/profile/kns.a/rules", {})
    labels = Row("/calico/v1/policy/profile/kns.a/labels", {"pcns.x": "y"})
    whole = Row(f"{V3}/profiles/kns.a", {"spec": {"labelsToApply": {"pcns.x": "y", "pcns.z": ""}}})
    assert table(rules, labels, whole) == [["NAME"], ["kns.a"]]
    assert table(whole, labels, rules, wide=True) == [["NAME", "LABELS"], ["kns.a", "pcns.x=y,pcns.z="]]
    assert table(rules, labels, wide=True) == [["NAME", "LABELS"], ["kns.a", "pcns.x=y"]]


def test_many_networks_are_cut_as_calicoctl_cuts_them() -> None:
    [_, [_, nets]] = table(Row("/calico/v1/netset/all", {"nets": [f"10.{n}.0.0/16" for n in range(20)]}), wide=True)
    assert (len(nets), nets[-3:]) == (80, "...")


def test_kinds_without_columns_of_their_own_show_what_their_values_say() -> None:
    service = Row(f"{V3}/kubernetesservice/prod/web", {"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1"}}, 7)
    assert table(service) == [
        ["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP"],
        ["prod", "web", "ClusterIP", "10.96.0.1"],
    ]


def test_several_kinds_are_several_tables_and_other_keys_are_left_over() -> None:
    other = Row("prod/web", {})
    tables, others = tables_of([WEB, other, Row(f"{V3}/nodes/n1", NODE)], wide=False, every=False)
    assert [made.columns for made in tables] == [["WORKLOAD", "NODE", "NETWORKS", "INTERFACE"], ["NAME"]]
    assert others == [other]


@pytest.mark.parametrize("value", ["text", None, 3, [1], {"spec": 3}, {"ipv4_nets": "x", "nets": 1, "labels": 2}])
def test_values_of_another_shape_leave_cells_empty(value: Any) -> None:
    keys = (
        WEB.key,
        "/calico/v1/host/n1/endpoint/hep",
        "/calico/v1/netset/a",
        "/calico/v1/ipam/v4/pool/10.0.0.0-16",
        f"{V3}/profiles/p",
        f"{V3}/bgppeers/p",
        "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30",
    )
    for key in keys:
        assert len(table(Row(key, value), wide=True)) == 2
