"""The kinds that Calico's agents are fed from and that a bare cluster does not serve.

Place: `Store(resources=(*BUILT_IN, *CALICO))`; `installation` fills them.

Invariants:
1. Each of the four feeds finds all its resources in `BUILT_IN` and here, the optional ones too: a demo need not wait
   until an absent one counts as absent. Who wants one absent unregisters it.

Not taken: `projectcalico.org/v3` beside them; a cluster serves Calico's kinds in one of the two groups.
"""

from __future__ import annotations

from typing import Final

from typha.simulation.discovery import Resource

GROUP: Final = "crd.projectcalico.org"


def _calico(plural: str, kind: str, *, namespaced: bool = False) -> Resource:
    return Resource(GROUP, "v1", plural, kind, namespaced=namespaced)


CALICO: Final = (
    _calico("bgpconfigurations", "BGPConfiguration"),
    _calico("bgpfilters", "BGPFilter"),
    _calico("bgppeers", "BGPPeer"),
    _calico("blockaffinities", "BlockAffinity"),
    _calico("caliconodestatuses", "CalicoNodeStatus"),
    _calico("clusterinformations", "ClusterInformation"),
    _calico("felixconfigurations", "FelixConfiguration"),
    _calico("globalnetworkpolicies", "GlobalNetworkPolicy"),
    _calico("globalnetworksets", "GlobalNetworkSet"),
    _calico("hostendpoints", "HostEndpoint"),
    _calico("ipamblocks", "IPAMBlock"),
    _calico("ippools", "IPPool"),
    _calico("networkpolicies", "NetworkPolicy", namespaced=True),
    _calico("networksets", "NetworkSet", namespaced=True),
    _calico("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy"),
    _calico("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", namespaced=True),
    _calico("stagednetworkpolicies", "StagedNetworkPolicy", namespaced=True),
    _calico("tiers", "Tier"),
    Resource(
        "policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", namespaced=False
    ),
    Resource("kubevirt.io", "v1", "virtualmachineinstancemigrations", "VirtualMachineInstanceMigration"),
)
