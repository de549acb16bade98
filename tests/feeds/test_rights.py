"""Which rights follow from a configuration."""

from __future__ import annotations

from typing import Any

from typha.config.model import CalicoConfig, Config
from typha.config.replicas import ReplicasConfig
from typha.feeds.rights import Right, rights_of

IDENTITY = Right("", "namespaces", "get", name="kube-system")


def rights(**topics: dict[str, Any]) -> set[Right]:
    """Beside that to the cluster's identity."""
    found = rights_of(Config(topics={name.replace("_", "-"): topic for name, topic in topics.items()}), "own")
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
    found = rights_of(Config(calico=CalicoConfig(feeds=("node-status",))), "own")
    assert found == {
        IDENTITY,
        *reads("crd.projectcalico.org", "caliconodestatuses"),
        *reads("projectcalico.org", "caliconodestatuses"),
    }


def test_pod_cidrs_need_no_ipam() -> None:
    feeds = CalicoConfig().feeds
    ipam = rights_of(Config(calico=CalicoConfig(feeds=feeds)), "own")
    pod_cidrs = rights_of(Config(calico=CalicoConfig(feeds=feeds, use_pod_cidr=True)), "own")
    assert {right.plural for right in ipam - pod_cidrs} == {"ipamblocks", "blockaffinities"}
    assert pod_cidrs < ipam


def test_the_other_servers_are_listed_in_their_services_namespace() -> None:
    def servers(service: str = "", namespace: str = "") -> set[Right]:
        replicas = ReplicasConfig(service=service, namespace=namespace)
        config = Config(calico=CalicoConfig(feeds=("node-status",)), replicas=replicas)
        return {right for right in rights_of(config, "own") if right.plural == "endpointslices"}

    assert servers() == set()
    assert servers("typha") == {Right("discovery.k8s.io", "endpointslices", "list", "own")}
    elsewhere = {Right("discovery.k8s.io", "endpointslices", "list", "there")}
    assert servers("typha", "there") == elsewhere


def test_who_lists_all_endpointslices_needs_no_right_for_some() -> None:
    felix = CalicoConfig(feeds=("felix",))
    alone = rights_of(Config(calico=felix), "own")
    assert rights_of(Config(calico=felix, replicas=ReplicasConfig(service="typha")), "own") == alone
