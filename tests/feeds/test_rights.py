"""Which rights follow from a configuration."""

from __future__ import annotations

from typing import Any

from typha.config.model import CalicoConfig, Config
from typha.feeds.rights import Right, rights_of

IDENTITY = Right("", "namespaces", "get", name="kube-system")


def rights(**topics: dict[str, Any]) -> set[Right]:
    """Beside that to the cluster's identity."""
    found = rights_of(Config(topics={name.replace("_", "-"): topic for name, topic in topics.items()}))
    assert IDENTITY in found
    return set(found) - {IDENTITY}


def reads(group: str, plural: str, namespace: str = "") -> set[Right]:
    return {Right(group, plural, verb, namespace) for verb in ("list", "watch")}


def test_a_topic_needs_list_and_watch() -> None:
    assert rights(pods={"resource": "v1/pods"}) == reads("", "pods")
    assert rights(certs={"resource": "example.com/certs"}) == reads("example.com", "certs")


def test_topics_of_one_resource_need_it_once() -> None:
    selected = {"resource": "pods", "labelSelector": "app=web"}
    assert rights(pods={"resource": "v1/pods"}, web=selected) == reads("", "pods")


def test_a_topic_of_one_namespace_needs_nothing_beyond_it() -> None:
    one, other = {"resource": "v1/pods", "namespace": "a"}, {"resource": "v1/pods", "namespace": "b"}
    assert rights(a=one, b=other) == reads("", "pods", "a") | reads("", "pods", "b")
    assert rights(a=one, everywhere={"resource": "v1/pods"}) == reads("", "pods")


def test_calicos_resources_under_both_groups() -> None:
    found = rights_of(Config(calico=CalicoConfig(feeds=("node-status",))))
    assert found == {
        IDENTITY,
        *reads("crd.projectcalico.org", "caliconodestatuses"),
        *reads("projectcalico.org", "caliconodestatuses"),
    }


def test_pod_cidrs_need_no_ipam() -> None:
    feeds = CalicoConfig().feeds
    ipam = rights_of(Config(calico=CalicoConfig(feeds=feeds)))
    pod_cidrs = rights_of(Config(calico=CalicoConfig(feeds=feeds, use_pod_cidr=True)))
    assert {right.plural for right in ipam - pod_cidrs} == {"ipamblocks", "blockaffinities"}
    assert pod_cidrs < ipam
