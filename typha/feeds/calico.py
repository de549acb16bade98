"""The built-in feeds: what Calico's agents watch, as topics.

Place: `app` serves these where the configuration says so (by default where it declares no topics of its own).

Invariants
1. One upstream resource has one source here, whatever topics and feeds use it: one watch.
2. Calico's own resources are taken from group crd.projectcalico.org, and from projectcalico.org where only that serves
   them (a cluster without the older CRDs).
3. With `use_pod_cidr` (host-local IPAM) blocks come from the nodes' pod CIDRs, and Calico's IPAM is not watched.

Source of the feeds: libcalico-go `backend/syncersv1` (felixsyncer, bgpsyncer, tunnelipsyncer, nodestatussyncer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from typha.cache.topic import in_items
from typha.config.calico_kinds import BGP, BUILT_IN_FEEDS, FELIX, NODE_STATUS, TUNNEL_IP_ALLOCATION
from typha.convert.calico import (
    bgp,
    cluster_network_policy,
    endpoint_slice,
    host_config,
    ipam_names,
    kubernetes_network_policy,
    live_migration,
    network_policy,
    network_set,
    node,
    node_status,
    profile,
    service,
    tier,
)
from typha.convert.calico.bgp import BgpConfigurations, BgpFilters, BgpPeers
from typha.convert.calico.block_affinity import BlockAffinities
from typha.convert.calico.cluster_information import ClusterInformations
from typha.convert.calico.cluster_network_policy import ClusterNetworkPolicies
from typha.convert.calico.endpoint_slice import EndpointSlices
from typha.convert.calico.felix_configuration import FelixConfigurations
from typha.convert.calico.host_config import HostConfigs
from typha.convert.calico.host_endpoint import HostEndpoints
from typha.convert.calico.ip_pool import IpPools
from typha.convert.calico.ipam_block import IpamBlocks
from typha.convert.calico.kubernetes_network_policy import KubernetesNetworkPolicies
from typha.convert.calico.live_migration import LiveMigrations
from typha.convert.calico.network_policy import (
    GlobalNetworkPolicies,
    NetworkPolicies,
    StagedGlobalNetworkPolicies,
    StagedKubernetesNetworkPolicies,
    StagedNetworkPolicies,
)
from typha.convert.calico.network_set import GlobalNetworkSets, NetworkSets
from typha.convert.calico.node import Nodes
from typha.convert.calico.node_status import CalicoNodeStatuses
from typha.convert.calico.pod_cidr_block import PodCidrBlocks
from typha.convert.calico.profile import NamespaceProfiles, ServiceAccountProfiles
from typha.convert.calico.service import Services
from typha.convert.calico.tier import Tiers
from typha.convert.calico.workload_endpoint import WorkloadEndpoints
from typha.convert.converter import Converter
from typha.feeds.topics import Feeds, KeyRule, TopicSpec
from typha.upstream.resources import Resource, ResourceName, Source, parse_resource_name

__all__ = ["CalicoTopic", "calico_feeds"]

# Keys do not follow from names, but hold them (or what only one object can have).
_CLAIMED: Final = KeyRule(None)


@dataclass(frozen=True, slots=True)
class CalicoTopic(TopicSpec):
    """A built-in topic; `make` gives its converter for the API group that serves the resource."""

    name: str
    source: Source
    make: Callable[[str], Converter]
    keys: KeyRule = field(compare=False)

    @property
    def attributes(self) -> tuple[str, ...]:
        """See TopicSpec."""
        return self.make(self.source.resource.group).attributes

    @property
    def form(self) -> str:
        """See TopicSpec."""
        return self.make(self.source.resource.group).form

    def make_converter(self, resource: Resource) -> Converter:
        """See TopicSpec."""
        return self.make(resource.group)


def calico_feeds(
    feeds: Sequence[str] = BUILT_IN_FEEDS, *, use_pod_cidr: bool = False, interface_prefix: str = "cali"
) -> Feeds:
    """The named ones of the built-in feeds, and the topics that they need."""
    blocks = [] if use_pod_cidr else ["ipamblocks"]
    affinities = [] if use_pod_cidr else ["blockaffinities"]
    pod_cidr_blocks = ["podcidrblocks"] if use_pod_cidr else []
    members = {
        FELIX: (
            *("clusterinformations", "felixconfigurations", "tiers"),
            *("globalnetworkpolicies", "networkpolicies", "kubernetesnetworkpolicies", "clusternetworkpolicies"),
            *("stagedglobalnetworkpolicies", "stagednetworkpolicies", "stagedkubernetesnetworkpolicies"),
            *("globalnetworksets", "networksets", "hostendpoints", "workloadendpoints"),
            *("profiles.namespaces", "profiles.serviceaccounts"),
            *("nodes", "hostconfigs", "ippools", *blocks, *pod_cidr_blocks),
            *("bgpconfigurations", "bgppeers", "services", "endpointslices", "livemigrations"),
        ),
        BGP: ("bgpconfigurations", "bgppeers", "bgpfilters", "nodes", "ippools", *affinities),
        TUNNEL_IP_ALLOCATION: ("nodes", "ippools"),
        NODE_STATUS: ("caliconodestatuses",),
    }
    topics = _topics(use_pod_cidr=use_pod_cidr, interface_prefix=interface_prefix)
    served = {name: members[name] for name in feeds}
    wanted = dict.fromkeys(topic for names in served.values() for topic in names)
    return Feeds({name: topics[name] for name in wanted}, served)


def _topics(*, use_pod_cidr: bool, interface_prefix: str) -> dict[str, CalicoTopic]:
    nodes = _kubernetes("v1/nodes")
    topics = [
        CalicoTopic(
            "workloadendpoints",
            _kubernetes("v1/pods"),
            partial(WorkloadEndpoints, interface_prefix=interface_prefix),
            KeyRule(in_items),
        ),
        CalicoTopic("profiles.namespaces", _kubernetes("v1/namespaces"), NamespaceProfiles, KeyRule(profile.keys_of)),
        CalicoTopic(
            "profiles.serviceaccounts",
            _kubernetes("v1/serviceaccounts"),
            ServiceAccountProfiles,
            KeyRule(profile.keys_of),
        ),
        CalicoTopic(
            "kubernetesnetworkpolicies",
            _kubernetes("networking.k8s.io/v1/networkpolicies"),
            KubernetesNetworkPolicies,
            KeyRule(kubernetes_network_policy.keys_of),
        ),
        CalicoTopic(
            "clusternetworkpolicies",
            _kubernetes("policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"),
            ClusterNetworkPolicies,
            KeyRule(cluster_network_policy.keys_of),
        ),
        CalicoTopic("services", _kubernetes("v1/services"), Services, KeyRule(service.keys_of)),
        CalicoTopic(
            "endpointslices",
            _kubernetes("discovery.k8s.io/v1/endpointslices"),
            EndpointSlices,
            KeyRule(endpoint_slice.keys_of),
        ),
        CalicoTopic(
            "livemigrations",
            _kubernetes("kubevirt.io/virtualmachineinstancemigrations"),
            LiveMigrations,
            KeyRule(live_migration.keys_of),
        ),
        CalicoTopic("nodes", nodes, partial(Nodes, use_pod_cidr=use_pod_cidr), KeyRule(node.keys_of)),
        CalicoTopic(
            "hostconfigs", nodes, partial(HostConfigs, use_pod_cidr=use_pod_cidr), KeyRule(host_config.keys_of)
        ),
        CalicoTopic("podcidrblocks", nodes, PodCidrBlocks, KeyRule(None, _always)),
        _calico("networkpolicies", NetworkPolicies, KeyRule(None, network_policy.may_be_contested)),
        _calico("globalnetworkpolicies", GlobalNetworkPolicies, KeyRule(None, network_policy.may_be_contested)),
        _calico("stagednetworkpolicies", StagedNetworkPolicies, KeyRule(None, network_policy.may_be_contested)),
        _calico(
            "stagedglobalnetworkpolicies",
            StagedGlobalNetworkPolicies,
            KeyRule(None, network_policy.may_be_contested),
        ),
        _calico(
            "stagedkubernetesnetworkpolicies",
            StagedKubernetesNetworkPolicies,
            KeyRule(network_policy.staged_kubernetes_keys_of),
        ),
        _calico("tiers", Tiers, KeyRule(tier.keys_of)),
        _calico("networksets", NetworkSets, KeyRule(network_set.keys_of)),
        _calico("globalnetworksets", GlobalNetworkSets, KeyRule(network_set.keys_of)),
        _calico("hostendpoints", HostEndpoints, _CLAIMED),
        _calico("ippools", IpPools, KeyRule(None, _always)),
        _calico("ipamblocks", IpamBlocks, KeyRule(None, ipam_names.block_may_be_contested)),
        _calico("blockaffinities", BlockAffinities, KeyRule(None, ipam_names.affinity_may_be_contested)),
        _calico("felixconfigurations", FelixConfigurations, _CLAIMED),
        _calico("clusterinformations", ClusterInformations, _CLAIMED),
        _calico("bgpconfigurations", BgpConfigurations, KeyRule(bgp.configuration_keys_of)),
        _calico("bgppeers", BgpPeers, KeyRule(bgp.peer_keys_of)),
        _calico("bgpfilters", BgpFilters, KeyRule(bgp.filter_keys_of)),
        _calico("caliconodestatuses", CalicoNodeStatuses, KeyRule(node_status.keys_of)),
    ]
    return {topic.name: topic for topic in topics}


def _always(object_name: str, key: str) -> bool:
    """Pools and nodes may name a CIDR that another has."""
    return True


def _kubernetes(name: str) -> Source:
    return Source(parse_resource_name(name))


def _calico(plural: str, make: Callable[[str], Converter], keys: KeyRule) -> CalicoTopic:
    natively = ResourceName("projectcalico.org", "v3", plural)
    return CalicoTopic(plural, Source(ResourceName("crd.projectcalico.org", "v1", plural, natively)), make, keys)
