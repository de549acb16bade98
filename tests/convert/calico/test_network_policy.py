from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from typha.cache.topic import Topic
from typha.convert.calico.network_policy import (
    GlobalNetworkPolicies,
    NetworkPolicies,
    StagedGlobalNetworkPolicies,
    StagedKubernetesNetworkPolicies,
    StagedNetworkPolicies,
    may_be_contested,
    staged_kubernetes_keys_of,
)
from typha.convert.calico.text import selector
from typha.convert.converter import ConversionError, Converter

CRD = "crd.projectcalico.org"
NAMESPACED = (NetworkPolicies, StagedNetworkPolicies)
GLOBAL = (GlobalNetworkPolicies, StagedGlobalNetworkPolicies)

# Fragments that make texts which nearly parse.
FRAGMENTS = st.sampled_from(
    [
        "a",
        "b",
        "==",
        "!=",
        "'x'",
        '"y"',
        "(",
        ")",
        "&&",
        "||",
        "!",
        "has(a)",
        "all()",
        "global()",
        "in",
        "{",
        "}",
        ",",
        " ",
    ]
)
TEXTS = st.lists(FRAGMENTS, max_size=9).map("".join) | st.lists(FRAGMENTS, max_size=9).map(" ".join)


def convert(converter: Converter, name: str, spec: Any) -> Any:
    [entry] = converter.convert(name, json.dumps({"spec": spec}).encode())
    return msgspec.msgpack.decode(entry.value)


def test_attributes_and_forms() -> None:
    kinds = (*NAMESPACED, *GLOBAL, StagedKubernetesNetworkPolicies)
    assert len({made(group).form for made in kinds for group in (CRD, "projectcalico.org")}) == 2 * len(kinds)
    for namespaced in (*NAMESPACED, StagedKubernetesNetworkPolicies):
        [entry] = namespaced(CRD).convert("ns/p", b"{}")
        assert namespaced(CRD).attributes == ("namespace",)
        assert entry.attributes == ("ns",)
    for made in GLOBAL:
        [entry] = made(CRD).convert("p", b"{}")
        assert made(CRD).attributes == entry.attributes == ()


def test_keys_of_a_staged_kubernetes_policy_follow_from_its_name() -> None:
    [entry] = StagedKubernetesNetworkPolicies(CRD).convert("ns/p.q", b"{}")
    assert staged_kubernetes_keys_of("ns/p.q") == (entry.key,)


@pytest.mark.parametrize(
    ("object_name", "claimed", "contested"),
    [
        ("ns/web", "web", True),  # default.web may say that it is called so
        ("ns/default.web", "web", True),
        ("ns/default.web", "default.web", False),
        ("ns/tier.web", "tier.web", False),
        ("ns/tier.web", "other.web", True),  # an annotation of nobody knows whose making
        ("tier.web", "tier.web", False),
    ],
)
def test_which_keys_may_be_contested(object_name: str, claimed: str, *, contested: bool) -> None:
    assert may_be_contested(object_name, f"/calico/v1/policy/NetworkPolicy/ns/{claimed}") is contested


@pytest.mark.parametrize("made", [NetworkPolicies, StagedNetworkPolicies])
@given(text=TEXTS, accounts=TEXTS)
def test_no_text_reaches_beyond_the_namespace(made: type[NetworkPolicies], text: str, accounts: str) -> None:
    try:
        value = convert(made(CRD), "ns/p", {"selector": text, "serviceAccountSelector": accounts})
    except ConversionError:
        return
    assert holds_namespace(selector.parse(value["selector"]))


def holds_namespace(node: selector.Node) -> bool:
    """Whether nothing outside of namespace `ns` can match."""
    if isinstance(node, selector.Joined):
        return node.operator == "&&" and any(map(holds_namespace, node.operands))
    return node == selector.Comparison("projectcalico.org/namespace", "==", "ns")


@pytest.mark.parametrize("made", [GlobalNetworkPolicies, StagedGlobalNetworkPolicies])
@given(own=TEXTS, namespaces=TEXTS, accounts=TEXTS)
def test_a_global_policy_is_the_conjunction_of_its_selectors(
    made: type[GlobalNetworkPolicies], own: str, namespaces: str, accounts: str
) -> None:
    spec = {"selector": own, "namespaceSelector": namespaces, "serviceAccountSelector": accounts}
    try:
        value = convert(made(CRD), "p", spec)
    except ConversionError:
        return
    written = [selector.parse(each) for each in (own, namespaces, accounts)]
    final = selector.parse(value["selector"])
    for labels in ({}, {"a": "x"}, {"a": "y", "b": "x"}):
        # An endpoint with a namespace and a service account that carry the same labels as itself.
        endpoint = {**labels, **{f"pcns.{name}": each for name, each in labels.items()}}
        endpoint |= {f"pcsa.{name}": each for name, each in labels.items()}
        endpoint |= {"projectcalico.org/namespace": "ns", "projectcalico.org/serviceaccount": "sa"}
        assert matches(final, endpoint) == all(matches(each, labels) for each in written)


def matches(node: selector.Node, labels: dict[str, str]) -> bool:
    if isinstance(node, selector.Joined):
        joined = all if node.operator == "&&" else any
        return joined(matches(each, labels) for each in node.operands)
    if isinstance(node, selector.Not):
        return not matches(node.operand, labels)
    if isinstance(node, selector.Has):
        return node.label in labels
    if isinstance(node, selector.Membership):
        return (labels.get(node.label) in node.values) == (node.operator == "in")
    if isinstance(node, selector.Comparison):
        equal = labels.get(node.label) == node.value
        return equal if node.operator == "==" else not equal
    return True


@pytest.mark.parametrize("made", [*NAMESPACED, *GLOBAL])
@given(
    spec=st.dictionaries(
        st.sampled_from(
            ["tier", "order", "ingress", "egress", "selector", "types", "stagedAction", "performanceHints"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(TEXTS | st.none(), max_size=2),
    )
)
def test_any_spec_converts_or_is_refused_twice_alike(made: type[NetworkPolicies], spec: Any) -> None:
    raw = json.dumps({"spec": spec}).encode()
    outcomes: list[Any] = []
    for _ in range(2):
        try:
            outcomes.append(tuple(made(CRD).convert("ns/p", raw)))
        except ConversionError as error:
            outcomes.append(error.reason)
    assert outcomes[0] == outcomes[1]


def test_two_custom_resources_of_one_name_are_settled_by_claims() -> None:
    converter = NetworkPolicies(CRD)
    topic = Topic(
        "networkpolicies",
        0,
        form=converter.form,
        attributes=converter.attributes,
        keys_of=None,
        may_be_contested=may_be_contested,
    )
    stored = {"metadata": {"annotations": {"projectcalico.org/metadata": '{"name":"web"}'}}, "spec": {"order": 1}}
    topic.put("ns/web", 1, converter.convert("ns/web", b'{"spec":{"order":2}}'), 0.0)
    topic.put("ns/default.web", 2, converter.convert("ns/default.web", json.dumps(stored).encode()), 0.0)
    [(key, entry)] = topic.log.entries.items()
    assert key == "/calico/v1/policy/NetworkPolicy/ns/web"
    assert msgspec.msgpack.decode(entry.value)["order"] == 1
    assert list(topic.quarantined) == ["ns/web"]
