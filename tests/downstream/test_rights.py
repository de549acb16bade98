"""Rules by identity: what they allow together, and what a refusal says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from typha.downstream.identity import NOBODY, Peer
from typha.downstream.rights import Rights, Rule
from typha.wire.errors import RefusedError
from typha.wire.identity import CERTIFICATE_KINDS, SERVICE_ACCOUNT, parse_wanted

FEEDS = {"inventory": ("pods", "nodes"), "felix": ("nodes",), "keys": ("nodes", "secrets")}
KINDS = (*CERTIFICATE_KINDS, SERVICE_ACCOUNT)
AGENT = Peer(("serviceaccount:agents/agent",), "n1")
FELIX = Peer(("cn:felix", "uri:spiffe://c/felix"))
HOMELESS = Peer(("serviceaccount:agents/agent",))


def rights(**rules: dict[str, Any]) -> Rights:
    made = [
        Rule(name, tuple(parse_wanted(text, KINDS) for text in rule.pop("identities")), **rule)
        for name, rule in copy.deepcopy(rules).items()
    ]
    return Rights(made, FEEDS, secrets=["secrets"])


def refusal(of: Rights, peer: Peer, *topics: str, **where: dict[str, str]) -> str:
    try:
        of.check(peer, topics, where)
    except RefusedError as error:
        return error.message if error.code == "forbidden" and error.retry_after_s is None else repr(error)
    return ""


AGENTS = {
    "identities": ["serviceaccount:agents/*"],
    "feeds": ["inventory"],
    "where": {"pods": {"node": "%node"}},
}
FELIXES = {"identities": ["cn:felix"], "feeds": ["felix"]}


def test_without_rules_everybody_reads_everything_but_secrets() -> None:
    assert not refusal(rights(), NOBODY, "pods", "nodes")
    assert "holds Secrets" in refusal(rights(), NOBODY, "secrets")


def test_with_the_first_rule_nobody_else_reads_anything() -> None:
    said = refusal(rights(felixes=FELIXES), AGENT, "pods")
    assert said == "topic 'pods' for serviceaccount:agents/agent: no rule of `rights` is for it"
    assert "for nobody known" in refusal(rights(felixes=FELIXES), NOBODY, "pods")


def page_refusal(of: Rights, peer: Peer) -> str:
    try:
        of.check_page(peer)
    except RefusedError as error:
        return str(error)
    return ""


def test_the_page_is_allowed_by_a_rule_that_says_so() -> None:
    operators = {"identities": ["cn:felix"], "admin": True}
    assert not page_refusal(rights(), NOBODY)
    assert not page_refusal(rights(agents=AGENTS, operators=operators), FELIX)
    assert page_refusal(rights(agents=AGENTS, operators=operators), AGENT) == (
        "forbidden: the status page for serviceaccount:agents/agent: no rule of `rights` with `admin: true` is for it"
    )
    # It allows nothing else.
    assert refusal(rights(operators=operators), FELIX, "pods").endswith(
        "no rule of `rights` allows it; allowed: the status page"
    )


def test_what_a_rule_does_not_allow_is_refused_with_what_it_does() -> None:
    said = refusal(rights(felixes=FELIXES), FELIX, "nodes", "pods")
    assert said == (
        "topic 'pods' for cn:felix, uri:spiffe://c/felix: no rule of `rights` allows it; allowed: feeds felix"
    )


def test_the_own_node_is_the_only_one() -> None:
    agents = rights(agents=AGENTS)
    assert not refusal(agents, AGENT, "pods", "nodes", pods={"node": "n1"})
    assert not refusal(agents, AGENT, "pods", pods={"node": "n1", "namespace": "a"})
    assert refusal(agents, AGENT, "pods", pods={"node": "n2"}) == (
        "topic 'pods' for serviceaccount:agents/agent: rule 'agents' allows it only where node=n1; asked was node=n2"
    )
    assert refusal(agents, AGENT, "pods").endswith("asked was no filter")


def test_who_has_no_node_reads_none() -> None:
    for where in ({}, {"node": ""}, {"node": "%node"}):
        assert "this identity has no node" in refusal(rights(agents=AGENTS), HOMELESS, "pods", pods=where)


def test_rules_allow_together() -> None:
    both = rights(agents=AGENTS, all={"identities": ["serviceaccount:agents/agent"], "topics": ["pods"]})
    assert not refusal(both, AGENT, "pods")
    assert "only where" in refusal(both, Peer(("serviceaccount:agents/other",), "n1"), "pods")


def test_a_feed_does_not_allow_its_secrets() -> None:
    keys = {"identities": ["cn:felix"], "feeds": ["keys"]}
    assert "names it in `topics`" in refusal(rights(keys=keys), FELIX, "nodes", "secrets")
    assert not refusal(rights(keys={**keys, "topics": ["secrets"]}), FELIX, "nodes", "secrets")


def test_a_feed_of_a_language_without_filters() -> None:
    both = rights(agents={**AGENTS, "identities": ["cn:felix"]}, felixes=FELIXES)
    both.check_feed(FELIX, "felix")
    with pytest.raises(RefusedError, match=r"topic 'pods'.* only where node=%node"):
        both.check_feed(FELIX, "inventory")
    with pytest.raises(RefusedError, match="nobody known"):
        both.check_feed(NOBODY, "felix")
    rights().check_feed(NOBODY, "felix")


def test_names_that_a_peer_may_be_told_of() -> None:
    agents = rights(agents=AGENTS, felixes=FELIXES)
    assert agents.shown(AGENT, ["felix", "inventory"]) == ["inventory"]
    assert agents.shown(NOBODY, ["felix", "inventory"]) == []
    assert rights().shown(NOBODY, ["felix"]) == ["felix"]
