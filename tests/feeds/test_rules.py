"""What a rule of the configuration may say, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from typha.feeds.parse import parse
from typha.feeds.rules import RightsError, parse_rules, secret_topics
from typha.wire.identity import WantedName

SERVED = parse(
    {
        "pods": {"resource": "v1/pods", "filters": {"node": "spec.nodeName"}},
        "nodes": {"resource": "v1/nodes"},
        "keys": {"resource": "secrets", "fields": ["metadata.name"]},
        "odd": {"resource": "example.com/v1/secrets"},
    },
    {"felix": ["nodes"], "inventory": ["pods", "nodes"]},
)


def test_a_rule() -> None:
    rule = {
        "identities": ["cn:system:node:*", "serviceaccount:agents/agent"],
        "feeds": ["inventory"],
        "where": {"pods": {"node": "%node"}},
    }
    (found,) = parse_rules({"agents": rule}, SERVED)
    assert found.name == "agents"
    assert found.identities == (WantedName("cn:system:node:", True), WantedName("serviceaccount:agents/agent"))
    assert found.feeds == ("inventory",)
    assert found.where == {"pods": {"node": "%node"}}


def test_a_rule_for_the_page_alone() -> None:
    (found,) = parse_rules({"operators": {"identities": ["cn:operator"], "admin": True}}, SERVED)
    assert (found.admin, found.feeds, found.topics) == (True, (), ())
    (found,) = parse_rules({"agents": {"identities": ["cn:agent"], "feeds": ["felix"]}}, SERVED)
    assert not found.admin


def test_secrets_are_kubernetes_own_whatever_of_them_is_held() -> None:
    assert secret_topics(SERVED) == ("keys",)


@pytest.mark.parametrize(
    ("rule", "key", "reason"),
    [
        ({"feeds": ["felix"]}, "identities", "is missing"),
        ({"identities": [], "feeds": ["felix"]}, "identities", "is missing"),
        ({"identities": ["felix"], "feeds": ["felix"]}, "identities[0]", "no kind"),
        ({"identities": "cn:felix", "feeds": ["felix"]}, "identities", "not a list"),
        ({"identities": ["cn:x"], "feeds": ["other"]}, "feeds[0]", "no feed that is served"),
        ({"identities": ["cn:x"], "topics": ["other"]}, "topics[0]", "no topic that is served"),
        ({"identities": ["cn:x"]}, "", "allows nothing"),
        ({"identities": ["cn:x"], "admin": False}, "", "allows nothing"),
        ({"identities": ["cn:x"], "admin": "yes"}, "admin", "neither true nor false"),
        ({"identities": ["cn:x"], "topics": ["pods"], "node": "n1"}, "node", "is not a setting"),
        ({"identities": ["cn:x"], "topics": ["pods"], "where": {"nodes": {"a": "b"}}}, "where.nodes", "no topic that"),
        ({"identities": ["cn:x"], "topics": ["pods"], "where": {"pods": {"a": "b"}}}, "where.pods.a", "no filter"),
        ({"identities": ["cn:x"], "topics": ["pods"], "where": {"pods": {"node": 1}}}, "where.pods.node", "not text"),
        ({"identities": ["cn:x"], "topics": ["pods"], "where": {"pods": {}}}, "where.pods", "not a map"),
        ({"identities": ["cn:x"], "topics": ["pods"], "where": "node"}, "where", "not a map"),
    ],
)
def test_what_is_wrong_with_a_rule(rule: dict[str, Any], key: str, reason: str) -> None:
    with pytest.raises(RightsError) as caught:
        parse_rules({"one": rule}, SERVED)
    assert caught.value.key == f"rights.one.{key}".rstrip(".")
    assert reason in caught.value.reason
    assert caught.value.allowed
