from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico import rules
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import ConversionError

decode = decoder_of(rules.Rule)


def convert(namespace: str | None = "shop", /, **written: Any) -> dict[str, Any]:
    """The v1 rule as its agents read it, without the action and the texts it was made from."""
    rule = decode(json.dumps({"action": "Allow", **written}).encode())
    converted = msgspec.msgpack.decode(encode(rules.to_backend(rule, namespace, "spec.ingress[0]")))
    assert isinstance(converted, dict)
    assert converted.pop("action") == "allow"
    return {name: value for name, value in converted.items() if "orig_" not in name}


@pytest.mark.parametrize(
    ("action", "converted"), [("Allow", "allow"), ("Deny", "deny"), ("Log", "log"), ("Pass", "next-tier")]
)
def test_actions(action: str, converted: str) -> None:
    assert msgspec.to_builtins(rules.to_backend(rules.Rule(action=action), None, "r")) == {"action": converted}


@pytest.mark.parametrize("action", ["", "allow", "Drop", "next-tier"])
def test_another_action_is_refused(action: str) -> None:
    with pytest.raises(ConversionError, match=r"^r\.action: expected one of Allow, Deny, Log, Pass$"):
        rules.to_backend(rules.Rule(action=action), None, "r")


def test_no_rules_are_none() -> None:
    assert rules.to_backend_rules(None, None, "f") is None
    assert rules.to_backend_rules([], None, "f") is None


def test_rules_keep_their_order_and_name_their_place() -> None:
    found = rules.to_backend_rules([rules.Rule(action="Deny"), rules.Rule(action="Allow")], None, "f")
    assert found is not None
    assert [rule.action for rule in found] == ["deny", "allow"]
    with pytest.raises(ConversionError, match=r"^f\[1\]\.action"):
        rules.to_backend_rules([rules.Rule(action="Deny"), rules.Rule()], None, "f")


OWN = "projectcalico.org/namespace == 'shop'"


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize(
    ("written", "namespaced", "everywhere"),
    [
        ({}, None, None),
        ({"nets": ["10.0.0.0/8"]}, None, None),
        ({"selector": "a=='b'"}, f"({OWN}) && (a=='b')", "a=='b'"),
        ({"notSelector": "has(a)"}, OWN, None),
        ({"selector": "all()", "notSelector": "has(a)"}, f"({OWN}) && (all())", "all()"),
        ({"namespaceSelector": "x=='y'"}, 'pcns.x == "y"', 'pcns.x == "y"'),
        ({"namespaceSelector": "all()"}, "has(projectcalico.org/namespace)", "has(projectcalico.org/namespace)"),
        ({"namespaceSelector": "global()"}, "!has(projectcalico.org/namespace)", "!has(projectcalico.org/namespace)"),
        (
            {"namespaceSelector": "all() || global()"},
            "(has(projectcalico.org/namespace) || !has(projectcalico.org/namespace))",
            "(has(projectcalico.org/namespace) || !has(projectcalico.org/namespace))",
        ),
        (
            {"namespaceSelector": "x=='y'", "selector": "a=='b'"},
            "(pcns.x == \"y\") && (a=='b')",
            "(pcns.x == \"y\") && (a=='b')",
        ),
        ({"namespaceSelector": "x=='y'", "notSelector": "has(a)"}, 'pcns.x == "y"', 'pcns.x == "y"'),
        (
            {"serviceAccounts": {"names": ["b", "a", "b"]}},
            f'({OWN}) && (projectcalico.org/serviceaccount in {{"a", "b"}})',
            'projectcalico.org/serviceaccount in {"a", "b"}',
        ),
        ({"serviceAccounts": {"selector": "r=='s'"}}, f'({OWN}) && (pcsa.r == "s")', 'pcsa.r == "s"'),
        ({"serviceAccounts": {"selector": "all()"}}, f"({OWN}) && (all())", "all()"),
        (
            {"serviceAccounts": {"names": ["a"], "selector": "r=='s' && t=='u'"}},
            f'({OWN}) && (((pcsa.r == "s" && pcsa.t == "u")) && (projectcalico.org/serviceaccount in {{"a"}}))',
            '((pcsa.r == "s" && pcsa.t == "u")) && (projectcalico.org/serviceaccount in {"a"})',
        ),
        (
            {"serviceAccounts": {"names": ["a"]}, "selector": "a=='b'"},
            f"({OWN}) && ((projectcalico.org/serviceaccount in {{\"a\"}}) && (a=='b'))",
            "(projectcalico.org/serviceaccount in {\"a\"}) && (a=='b')",
        ),
        (
            {"serviceAccounts": {"names": ["a"]}, "namespaceSelector": "x=='y'"},
            '(pcns.x == "y") && (projectcalico.org/serviceaccount in {"a"})',
            '(pcns.x == "y") && (projectcalico.org/serviceaccount in {"a"})',
        ),
        ({"serviceAccounts": {}}, None, None),
        ({"services": {"name": "s", "namespace": "n"}}, None, None),
    ],
)
def test_selectors_of_a_side(
    side: str, written: dict[str, Any], namespaced: str | None, everywhere: str | None
) -> None:
    field = f"{side[:3].replace('sou', 'src').replace('des', 'dst')}_selector"
    other = {"src_selector": "dst_selector", "dst_selector": "src_selector"}[field]
    for namespace, expected in (("shop", namespaced), (None, everywhere)):
        converted = convert(namespace, **{side: written})
        assert converted.get(field) == expected
        assert other not in converted


def test_every_field_has_its_place() -> None:
    side = {
        "nets": ["10.1.2.3", "fd00::1/8"],
        "notNets": ["10.1.0.0/16"],
        "ports": [80, "81:82", "http"],
        "notPorts": ["90"],
        "notSelector": "has(n)",
        "selector": "has(s)",
        "namespaceSelector": "has(m)",
        "serviceAccounts": {"names": ["y", "x"], "selector": "has(a)"},
        "services": {"name": "svc", "namespace": "ns"},
    }
    rule = decode(
        json.dumps(
            {
                "action": "Log",
                "ipVersion": 6,
                "protocol": "ICMPv6",
                "notProtocol": "17",
                "icmp": {"type": 0, "code": 1},
                "notICMP": {"type": 254, "code": 255},
                "source": side,
                "destination": {**side, "selector": "has(d)", "services": {"name": "other"}},
                "http": {"methods": ["GET"], "paths": [{"exact": "/a"}, {"prefix": "/b"}]},
                "metadata": {"annotations": {"b": "2", "a": "1"}},
            }
        ).encode()
    )
    converted = msgspec.msgpack.decode(encode(rules.to_backend(rule, "shop", "r")))
    both = '(has(pcns.m)) && (((has(pcsa.a)) && (projectcalico.org/serviceaccount in {"x", "y"})) && (has(%s)))'
    assert converted == {
        "action": "log",
        "ip_version": 6,
        "protocol": "icmpv6",
        "!protocol": 17,
        "icmp_type": 0,
        "icmp_code": 1,
        "!icmp_type": 254,
        "!icmp_code": 255,
        "src_nets": ["10.1.2.3/32", "fd00::/8"],
        "src_selector": both % "s",
        "src_ports": [80, "81:82", "http"],
        "src_service": "svc",
        "src_service_ns": "ns",
        "dst_nets": ["10.1.2.3/32", "fd00::/8"],
        "dst_selector": both % "d",
        "dst_ports": [80, "81:82", "http"],
        "dst_service": "other",
        "!src_nets": ["10.1.0.0/16"],
        "!src_selector": "has(n)",
        "!src_ports": [90],
        "!dst_nets": ["10.1.0.0/16"],
        "!dst_selector": "has(n)",
        "!dst_ports": [90],
        "orig_src_selector": "has(s)",
        "orig_src_namespace_selector": "has(m)",
        "orig_dst_selector": "has(d)",
        "orig_dst_namespace_selector": "has(m)",
        "!orig_src_selector": "has(n)",
        "!orig_dst_selector": "has(n)",
        "orig_src_service_acct_names": ["y", "x"],
        "orig_src_service_acct_selector": "has(a)",
        "orig_dst_service_acct_names": ["y", "x"],
        "orig_dst_service_acct_selector": "has(a)",
        "http": {"methods": ["GET"], "paths": [{"exact": "/a"}, {"prefix": "/b"}]},
        "metadata": {"annotations": {"a": "1", "b": "2"}},
    }
    assert rule.metadata is not None
    assert list(converted["metadata"]["annotations"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "converted"),
    [
        ({"http": {}}, {"http": {}}),
        ({"http": {"methods": [], "paths": None}}, {"http": {}}),
        ({"http": None}, {}),
        ({"metadata": {}}, {}),
        ({"metadata": {"annotations": None}}, {}),
        ({"metadata": {"annotations": {}}}, {"metadata": {}}),
        ({"icmp": {}}, {}),
        ({"protocol": 6}, {"protocol": 6}),
        ({"source": {"nets": [], "ports": [], "serviceAccounts": {"names": []}}}, {}),
        ({"destination": {"nets": None, "ports": None, "services": None}}, {}),
    ],
)
def test_what_is_left_out(written: dict[str, Any], converted: dict[str, Any]) -> None:
    assert convert(**written) == converted


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"selector": "a =="}, "selector: expected a text in quotes at character 5"),
        ({"selector": "a == 'x') || (all()"}, "selector: expected && or || or the end at character 9"),
        ({"selector": " "}, "selector: holds blanks only; leave it out or write all()"),
        ({"notSelector": "a =="}, "notSelector: expected a text in quotes at character 5"),
        ({"namespaceSelector": "a =="}, "namespaceSelector: expected a text in quotes at character 5"),
        ({"serviceAccounts": {"selector": "a =="}}, "serviceAccounts.selector: expected a text in quotes"),
        ({"serviceAccounts": {"names": ["a", "it's"]}}, "serviceAccounts.names: a name has a quote in it"),
        ({"nets": ["10.0.0.0/8", "10.0.0.0/33"]}, "nets: "),
        ({"notNets": ["x"]}, "notNets: "),
        ({"ports": [0]}, "ports: a port is out of 1..65535"),
        ({"ports": ["90:80"]}, "ports: a range of ports ends before it starts"),
        ({"notPorts": [65536]}, "notPorts: a port is out of 1..65535"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_field(side: str, written: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(**{side: written})
    assert caught.value.reason.startswith(f"spec.ingress[0].{side}.{reason}")


@pytest.mark.parametrize("field", ["protocol", "notProtocol"])
def test_a_protocol_that_is_none_is_refused_with_its_field(field: str) -> None:
    with pytest.raises(ConversionError, match=rf"^spec\.ingress\[0\]\.{field}: a protocol number is out of 0\.\.255$"):
        convert(**{field: 256})


@pytest.mark.parametrize(
    "written",
    [
        {"ipVersion": 5},
        {"icmp": {"type": 255}},
        {"icmp": {"type": -1}},
        {"icmp": {"type": 8, "code": 256}},
        {"notICMP": {"code": -1}},
        {"protocol": 256},
        {"protocol": -1},
        {"notProtocol": 300},
        {"protocol": True},
        {"protocol": 1.5},
        {"source": {"ports": [True]}},
        {"source": []},
    ],
)
def test_values_out_of_range_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ConversionError):
        convert(**written)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a", "b", "(a) && b")],
)
def test_joined(first: str, second: str, both: str) -> None:
    assert rules.joined(first, second) == both
