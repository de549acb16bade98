"""What tests/corpus/cluster-policies cannot say."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from typha.convert.calico.cluster_network_policy import ClusterNetworkPolicies, keys_of
from typha.convert.converter import ConversionError

GROUP = "policy.networking.k8s.io"
converter = ClusterNetworkPolicies(GROUP)
SUBJECT: Any = {"namespaces": {}}


def value(**spec: Any) -> Any:
    raw = json.dumps({"spec": {"tier": "Admin", "subject": SUBJECT, **spec}}).encode()
    ((_, encoded, _),) = converter.convert("web", raw)
    return msgspec.msgpack.decode(encoded)


def test_what_it_declares() -> None:
    assert converter.attributes == ()
    assert converter.standing == ()
    assert converter.form == ClusterNetworkPolicies(GROUP).form
    assert converter.form != ClusterNetworkPolicies("example.com").form


def test_the_key_follows_from_the_name() -> None:
    ((key, _, attributes),) = converter.convert("web", b'{"spec":{"tier":"Admin","subject":{"namespaces":{}}}}')
    assert key == "/calico/v1/policy/KubernetesClusterNetworkPolicy//web"
    assert (key,) == tuple(keys_of("web"))
    assert attributes == ()


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'{"spec":[]}', b'{"spec":{"ingress":{}}}', b'{"spec":' * 3000])
def test_what_is_no_policy_is_quarantined(raw: bytes) -> None:
    with pytest.raises(ConversionError, match=r"^does not decode: "):
        converter.convert("web", raw)


def test_a_rule_too_deep_to_read_fails_closed() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    deny = {"action": "Deny", "from": deep}
    assert value(ingress=[deny])["inbound_rules"] == [{"action": "deny"}]


GOOD = {"action": "Accept", "from": [{"namespaces": {"matchLabels": {"app": "good"}}}]}
_leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "10.0.0.0/8", "Accept", "In", "it's"])
_names = st.sampled_from(
    [
        "action",
        "name",
        "from",
        "to",
        "protocols",
        "tcp",
        "udp",
        "sctp",
        "destinationPort",
        "number",
        "range",
        "start",
        "end",
        "namespaces",
        "pods",
        "networks",
        "podSelector",
        "namespaceSelector",
        "matchLabels",
        "matchExpressions",
        "key",
        "operator",
        "values",
    ]
)
_json = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner), max_leaves=9)
_rules = st.fixed_dictionaries(
    {"action": st.sampled_from(["Accept", "Deny", "Pass", "Drop"])},
    optional={
        "name": st.text(max_size=3),
        "from": st.lists(st.fixed_dictionaries({}, optional={"namespaces": _json, "pods": _json}), max_size=2),
        "protocols": st.lists(st.fixed_dictionaries({}, optional={"tcp": _json, "udp": _json}), max_size=2),
    },
)
DENY_ALL = [{"action": "deny"}]


@given(_json)
def test_any_rule_converts_or_denies_or_goes(rule: Any) -> None:
    found = value(ingress=[rule, GOOD], egress=[rule])
    assert found == value(ingress=[rule, GOOD], egress=[rule])
    assert found["inbound_rules"][-1:] == value(ingress=[GOOD])["inbound_rules"]


@given(_rules)
def test_a_rule_says_what_it_was_asked_or_fails_closed(rule: Any) -> None:
    added = value(ingress=[rule, GOOD])["inbound_rules"][:-1]
    if rule["action"] == "Drop":
        assert added == DENY_ALL
        return
    if added in ([], DENY_ALL):
        assert (added == []) == (rule["action"] == "Accept")
        return
    assert {each["action"] for each in added} == {
        {"Accept": "allow", "Deny": "deny", "Pass": "next-tier"}[rule["action"]]
    }
    assert all(each["src_selector"] for each in added)
    assert all(("protocol" in each) == bool(rule.get("protocols")) for each in added)


@given(_json)
def test_any_subject_converts_or_quarantines(subject: Any) -> None:
    try:
        found = value(subject=subject)
    except ConversionError:
        return
    assert found["selector"].startswith("(projectcalico.org/orchestrator == 'k8s'")
