"""The built-in feeds against Calico's syncers: rules 4.1 (what each watches) and the one-watch promise."""

from __future__ import annotations

import pytest

from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.calico import CalicoTopic, calico_feeds
from typha.upstream.resources import Resource, ResourceName

# Rule 4.1: syncer -> what it watches, by plural.
WATCHED = {
    "felix": {
        "bgpconfigurations",
        "bgppeers",
        "clusterinformations",
        "clusternetworkpolicies",
        "endpointslices",
        "felixconfigurations",
        "globalnetworkpolicies",
        "globalnetworksets",
        "hostendpoints",
        "ipamblocks",
        "ippools",
        "namespaces",
        "networkpolicies",
        "networksets",
        "nodes",
        "pods",
        "serviceaccounts",
        "services",
        "stagedglobalnetworkpolicies",
        "stagedkubernetesnetworkpolicies",
        "stagednetworkpolicies",
        "tiers",
        "virtualmachineinstancemigrations",
    },
    "bgp": {"bgpconfigurations", "bgpfilters", "bgppeers", "blockaffinities", "ippools", "nodes"},
    "tunnel-ip-allocation": {"ippools", "nodes"},
    "node-status": {"caliconodestatuses"},
}
IPAM = {"ipamblocks", "blockaffinities"}


def resources(feed: str, *, use_pod_cidr: bool = False) -> set[str]:
    feeds = calico_feeds((feed,), use_pod_cidr=use_pod_cidr)
    return {feeds.topics[name].source.resource.plural for name in feeds.feeds[feed]}


@pytest.mark.parametrize("feed", BUILT_IN_FEEDS)
def test_each_feed_watches_what_calicos_syncer_does(feed: str) -> None:
    assert resources(feed) == WATCHED[feed]
    assert resources(feed, use_pod_cidr=True) == WATCHED[feed] - IPAM


def test_one_watch_for_each_resource_whatever_uses_it() -> None:
    """27 instead of the 33 of a Calico Typha (rule 4.1): nodes and pools three times, BGP kinds twice there."""
    sources = calico_feeds().sources()
    watched = [(source.resource.group, source.resource.plural) for source in sources]
    assert len(watched) == len(set(watched)) == 27
    (nodes,) = (specs for source, specs in sources.items() if source.resource.plural == "nodes")
    assert [spec.name for spec in nodes] == ["nodes", "hostconfigs"]


def test_only_what_is_served_is_watched() -> None:
    feeds = calico_feeds(("tunnel-ip-allocation",))
    assert feeds.feeds == {"tunnel-ip-allocation": ("nodes", "ippools")}
    assert list(feeds.topics) == ["nodes", "ippools"]


def test_host_local_ipam_takes_blocks_from_nodes() -> None:
    feeds = calico_feeds(use_pod_cidr=True)
    assert "podcidrblocks" in feeds.feeds["felix"]
    assert not {"ipamblocks", "blockaffinities"} & feeds.topics.keys()
    forms = {name: spec.form for name, spec in calico_feeds().topics.items()}
    assert feeds.topics["nodes"].form != forms["nodes"]
    assert feeds.topics["ippools"].form == forms["ippools"]


def test_settings_are_in_the_form() -> None:
    default = calico_feeds().topics["workloadendpoints"].form
    assert calico_feeds(interface_prefix="azv").topics["workloadendpoints"].form != default


@pytest.mark.parametrize("name", list(calico_feeds().topics))
def test_converter_of_a_topic_has_its_form_and_attributes(name: str) -> None:
    spec = calico_feeds().topics[name]
    assert isinstance(spec, CalicoTopic)
    wanted = spec.source.resource
    converter = spec.make_converter(Resource(wanted.group, wanted.version or "v1", wanted.plural, "Kind", True))
    assert (converter.form, converter.attributes) == (spec.form, spec.attributes)


def test_calicos_own_resources_may_be_served_natively() -> None:
    """Rule 4.8 (CRDs): another group is another form, because UIDs and metadata differ."""
    for spec in calico_feeds().topics.values():
        resource = spec.source.resource
        if resource.group == "crd.projectcalico.org":
            natively = ResourceName("projectcalico.org", "v3", resource.plural)
            assert resource.otherwise == natively
            assert resource.version == "v1"
            converter = spec.make_converter(Resource(natively.group, "v3", natively.plural, "Kind", True))
            assert converter.form != spec.form
        else:
            assert resource.otherwise is None
