"""What tests/corpus/kubernetes-policies cannot say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from typha.convert.calico.kubernetes_network_policy import (
    KubernetesNetworkPolicies,
    NetworkPolicySpec,
    keys_of,
    to_policy,
)
from typha.convert.calico.text.label_selector import LabelSelector
from typha.convert.converter import ConversionError, Converted

GROUP = "networking.k8s.io"
converter = KubernetesNetworkPolicies(GROUP)


def convert(spec: Any, name: str = "shop/web") -> Sequence[Converted]:
    return converter.convert(name, json.dumps({"metadata": {"name": "web"}, "spec": spec}).encode())


def value(spec: Any) -> Any:
    ((_, encoded, _),) = convert(spec)
    return msgspec.msgpack.decode(encoded)


def test_what_it_declares() -> None:
    assert converter.attributes == ("namespace",)
    assert converter.standing == ()
    assert converter.form == KubernetesNetworkPolicies(GROUP).form
    assert converter.form != KubernetesNetworkPolicies("example.com").form


def test_key_and_attributes_follow_from_the_name() -> None:
    ((key, _, attributes),) = convert({}, "shop/a.b-c")
    assert key == "/calico/v1/policy/KubernetesNetworkPolicy/shop/a.b-c"
    assert (key,) == tuple(keys_of("shop/a.b-c"))
    assert attributes == ("shop",)


def test_metadata_is_not_in_the_value() -> None:
    first = converter.convert("a/b", b'{"metadata":{"labels":{"x":"y"},"uid":"no UID"},"spec":{}}')
    assert first == converter.convert("a/b", b'{"kind":"NetworkPolicy","metadata":{"resourceVersion":"7"},"spec":{}}')


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'{"spec":[]}', b'{"spec":{"ingress":{}}}', b'{"spec":' * 3000])
def test_what_is_no_policy_is_quarantined(raw: bytes) -> None:
    with pytest.raises(ConversionError, match=r"^does not decode: "):
        converter.convert("a/b", raw)


def test_the_spec_alone_converts_too() -> None:
    policy = to_policy(NetworkPolicySpec(pod_selector=LabelSelector({"app": "web"}), policy_types=["Egress"]), "shop")
    assert msgspec.to_builtins(policy) == {
        "namespace": "shop",
        "tier": "default",
        "order": 1000,
        "selector": "(projectcalico.org/orchestrator == 'k8s' && app == 'web')"
        " && projectcalico.org/namespace == 'shop'",
        "types": ["egress"],
    }


GOOD = {"from": [{"podSelector": {"matchLabels": {"app": "good"}}}], "ports": [{"protocol": "TCP", "port": 80}]}
_leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "10.0.0.0/8", "TCP", "In", "it's", "0"])
_names = st.sampled_from(
    [
        "from",
        "ports",
        "port",
        "endPort",
        "protocol",
        "podSelector",
        "namespaceSelector",
        "ipBlock",
        "cidr",
        "except",
        "matchLabels",
        "matchExpressions",
        "key",
        "operator",
        "values",
    ]
)
_json = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner), max_leaves=9)
_peers = st.fixed_dictionaries(
    {},
    optional={
        "podSelector": st.fixed_dictionaries({}, optional={"matchLabels": st.dictionaries(st.text(), st.text())}),
        "namespaceSelector": st.fixed_dictionaries({}, optional={"matchLabels": st.dictionaries(st.text(), st.text())}),
        "ipBlock": st.fixed_dictionaries(
            {"cidr": st.text("01.:/", max_size=12)}, optional={"except": st.lists(st.text(max_size=9), max_size=2)}
        ),
    },
)
_ports = st.fixed_dictionaries(
    {},
    optional={
        "protocol": st.sampled_from(["TCP", "UDP", "SCTP", "ICMP", ""]),
        "port": st.integers(-1, 70000) | st.text(max_size=5),
        "endPort": st.integers(-1, 70000),
    },
)
_rules = st.fixed_dictionaries(
    {}, optional={"from": st.lists(_peers, max_size=2), "ports": st.lists(_ports, max_size=3)}
)


@given(_json)
def test_any_rule_converts_or_quarantines(rule: Any) -> None:
    try:
        assert convert({"ingress": [rule]}) == convert({"ingress": [rule]})
    except ConversionError:
        return


@given(_rules)
def test_a_rule_never_changes_another_or_the_isolation(rule: Any) -> None:
    alone = value({"ingress": [GOOD]})
    beside = value({"ingress": [rule, GOOD]})
    assert beside["inbound_rules"][-1:] == alone.pop("inbound_rules")
    added = beside.pop("inbound_rules")[:-1]
    assert beside == alone
    # What peers are asked for is in every rule that comes of them, or no rule does.
    if rule.get("from"):
        assert all(each.get("src_selector") or each.get("src_nets") for each in added)
    if rule.get("ports"):
        assert all("protocol" in each for each in added)
