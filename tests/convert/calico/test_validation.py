"""What Calico's validation filter drops: the tables that YAML would only repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from typha.convert.calico import v1, validation
from typha.convert.converter import ConversionError


def refused(check: Callable[..., None], *arguments: Any) -> str:
    with pytest.raises(ConversionError) as caught:
        check(*arguments)
    return caught.value.reason


@pytest.mark.parametrize("name", ["", "*", "e", "eth0", "bond0.100", "A_b-c.d12345678", "-", "."])
def test_interfaces(name: str) -> None:
    validation.interface_name(name, "f")


@pytest.mark.parametrize("name", ["**", "eth*", "eth+", "a b", "a/b", "é", "a\n", "a23456789012345x"])
def test_what_is_no_interface(name: str) -> None:
    assert refused(validation.interface_name, name, "spec.interfaceName").startswith("spec.interfaceName: ")


@pytest.mark.parametrize("name", ["a", "kns.ns", "KSA_x-1", "x" * 128])
def test_profile_names(name: str) -> None:
    validation.profile_names([name], "f")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "a\n", "ü"])
def test_what_is_no_profile_name(name: str) -> None:
    assert refused(validation.profile_names, ["good", name], "spec.profiles").startswith("spec.profiles[1]: ")


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
@pytest.mark.parametrize("name", ["http", "HTTP", "a.b_c-d", "x" * 128])
def test_endpoint_ports(name: str, protocol: str) -> None:
    validation.endpoint_port(name, protocol, 1, "f")


@pytest.mark.parametrize(
    ("name", "protocol", "port", "field"),
    [
        ("", "tcp", 80, "name"),
        ("a/b", "tcp", 80, "name"),
        ("x" * 129, "tcp", 80, "name"),
        ("x", "TCP", 80, "protocol"),
        ("x", "icmp", 80, "protocol"),
        ("x", "udplite", 80, "protocol"),
        ("x", 6, 80, "protocol"),
        ("x", 17, 80, "protocol"),
        ("x", 132, 80, "protocol"),
        ("x", "tcp", 0, "port"),
    ],
)
def test_what_is_no_endpoint_port(name: str, protocol: int | str, port: int, field: str) -> None:
    reason = refused(validation.endpoint_port, name, protocol, port, "spec.ports[2]")
    assert reason.startswith(f"spec.ports[2].{field}: ")


def test_node_names() -> None:
    validation.node_name("ip-10-0-1-5.eu-west-1", "f")
    assert "is missing" in refused(validation.node_name, "", "spec.node")
    assert "'a/b' has a /" in refused(validation.node_name, "a/b", "spec.node")


@pytest.mark.parametrize("name", ["a", "default.web", "a-b.c--d.e9", "x" * 63, ".".join(["x" * 62] * 4)])
def test_policy_names(name: str) -> None:
    validation.policy_name(name, "f")


@pytest.mark.parametrize("name", ["A", "a/b", "a..b", ".a", "a.", "-a", "a-", "a_b", "a\n", "x" * 254])
def test_what_is_no_policy_name(name: str) -> None:
    assert refused(validation.policy_name, name, "f").startswith("f: ")


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp", "icmpv6", "sctp", "udplite", 1, 255, None])
def test_protocols(protocol: int | str | None) -> None:
    validation.rule(v1.Rule(protocol=protocol, not_protocol=protocol), "f")


@pytest.mark.parametrize("protocol", [0, "", "TCP", "any", "igmp", "256"])
def test_what_is_no_protocol(protocol: int | str) -> None:
    assert refused(validation.rule, v1.Rule(protocol=protocol), "r").startswith("r.protocol: ")
    assert refused(validation.rule, v1.Rule(not_protocol=protocol), "r").startswith("r.notProtocol: ")


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp", 6, 17, 132])
def test_protocols_with_ports(protocol: int | str) -> None:
    ports: list[int | str] = [80, "80:90", "http"]
    validation.rule(
        v1.Rule(protocol=protocol, src_ports=ports, not_src_ports=ports, dst_ports=ports, not_dst_ports=ports), "f"
    )


@pytest.mark.parametrize("protocol", [None, "icmp", "icmpv6", "udplite", 1, 7])
@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("src_ports", "source.ports"),
        ("not_src_ports", "source.notPorts"),
        ("dst_ports", "destination.ports"),
        ("not_dst_ports", "destination.notPorts"),
    ],
)
def test_ports_need_a_protocol_that_has_some(field: str, written: str, protocol: int | str | None) -> None:
    ports: Any = {field: [80]}
    rule = v1.Rule(protocol=protocol, not_protocol="tcp", **ports)
    assert refused(validation.rule, rule, "r").startswith(f"r.{written}: a rule with ports needs")


@pytest.mark.parametrize("name", ["a", "http", "8a", "a-b", "a8", "1-a-2", "a12345678901234"])
def test_port_names(name: str) -> None:
    validation.rule(v1.Rule(protocol="tcp", dst_ports=[name]), "f")


@pytest.mark.parametrize("name", ["HTTP", "a--b", "-a", "a-", "a_b", "a.b", "8-8", "a123456789012345", "http\n"])
def test_what_is_no_port_name(name: str) -> None:
    assert refused(validation.rule, v1.Rule(protocol="tcp", dst_ports=[80, name]), "r").startswith(
        "r.destination.ports: "
    )


@pytest.mark.parametrize(
    "text", ["", "all()", "x == 'global()'", "all() && x == 'global()'", "has(global)", "global == 'a'"]
)
def test_selectors_without_global(text: str) -> None:
    validation.no_global(text, "f")


@pytest.mark.parametrize("text", ["global()", "global( )", "!global()", "has(a) || (has(b) && !global())"])
def test_selectors_with_global(text: str) -> None:
    assert refused(validation.no_global, text, "f") == "f: global() is for the namespaceSelector of a rule only"


def test_a_selector_that_does_not_parse_is_named() -> None:
    assert refused(validation.no_global, "global() &&", "spec.selector").startswith("spec.selector: ")


def test_global_in_a_namespace_selector_of_a_rule_is_good() -> None:
    validation.rule(v1.Rule(orig_src_namespace_selector="global()", src_selector="!has(x)"), "f")


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("orig_src_selector", "source.selector"),
        ("not_orig_src_selector", "source.notSelector"),
        ("orig_src_service_acct_selector", "source.serviceAccounts.selector"),
        ("orig_dst_selector", "destination.selector"),
        ("not_orig_dst_selector", "destination.notSelector"),
        ("orig_dst_service_acct_selector", "destination.serviceAccounts.selector"),
    ],
)
def test_global_in_the_other_selectors_of_a_rule(field: str, written: str) -> None:
    selectors: Any = {field: "global()"}
    assert refused(validation.rule, v1.Rule(**selectors), "r").startswith(f"r.{written}: global()")


def test_a_policy_names_the_rule() -> None:
    bad = v1.Rule(protocol="x")
    for policy, where in (
        (v1.Policy(selector="", inbound_rules=[v1.Rule(), bad]), "spec.ingress[1].protocol: "),
        (v1.Policy(selector="", outbound_rules=[bad]), "spec.egress[0].protocol: "),
    ):
        assert refused(validation.policy, policy).startswith(where)


def test_a_policy_needs_a_selector_that_parses_and_known_hints() -> None:
    validation.policy(v1.Policy(selector="a == 'b'", performance_hints=["AssumeNeededOnEveryNode"]))
    assert refused(validation.policy, v1.Policy(selector="(  ) && has(a)")).startswith("spec.selector ")
    assert "twice" in refused(validation.policy, v1.Policy(selector="", performance_hints=["x", "x"]))
    assert refused(validation.policy, v1.Policy(selector="", performance_hints=["Faster"])) == (
        "spec.performanceHints: 'Faster' is none; known: AssumeNeededOnEveryNode"
    )


def test_reasons_quote_short_identifiers_only() -> None:
    reason = refused(validation.interface_name, "x" * 500, "f")
    assert "x" * 40 + "..." in reason
    assert "x" * 41 not in reason
    assert f"'{'x' * 40}'" in refused(validation.interface_name, "x" * 40, "f")
