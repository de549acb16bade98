"""The kinds of the corpus: where the API server serves them, and whether status has an address of its own.

Road not taken: asking discovery. The pure tests need the same table without a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

CALICO_CRD: Final = "crd.projectcalico.org"
CALICO_V3: Final = "projectcalico.org"


class Kind(NamedTuple):
    """One kind of one API group. `status` says that status is written through its subresource."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    status: bool = False

    @property
    def api_version(self) -> str:
        """As in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`[group/]version/plural`."""
        return f"{self.api_version}/{self.plural}"


_KUBERNETES: Final = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, status=True),
    Kind("", "v1", "nodes", "Node", namespaced=False, status=True),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", namespaced=True),
    Kind("", "v1", "pods", "Pod", namespaced=True, status=True),
    Kind("", "v1", "services", "Service", namespaced=True, status=True),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True),
    Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", namespaced=True),
    Kind("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", False, True),
    Kind("kubevirt.io", "v1", "virtualmachineinstancemigrations", "VirtualMachineInstanceMigration", True, status=True),
)

# plural, kind, namespaced, status subresource
_CALICO: Final = (
    ("bgpconfigurations", "BGPConfiguration", False, False),
    ("bgpfilters", "BGPFilter", False, False),
    ("bgppeers", "BGPPeer", False, False),
    ("blockaffinities", "BlockAffinity", False, False),
    ("caliconodestatuses", "CalicoNodeStatus", False, True),
    ("clusterinformations", "ClusterInformation", False, False),
    ("felixconfigurations", "FelixConfiguration", False, False),
    ("globalnetworkpolicies", "GlobalNetworkPolicy", False, False),
    ("globalnetworksets", "GlobalNetworkSet", False, False),
    ("hostendpoints", "HostEndpoint", False, False),
    ("ipamblocks", "IPAMBlock", False, False),
    ("ippools", "IPPool", False, False),
    ("ipreservations", "IPReservation", False, False),
    ("kubecontrollersconfigurations", "KubeControllersConfiguration", False, False),
    ("networkpolicies", "NetworkPolicy", True, False),
    ("networksets", "NetworkSet", True, False),
    ("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", False, False),
    ("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", True, False),
    ("stagednetworkpolicies", "StagedNetworkPolicy", True, False),
    ("tiers", "Tier", False, False),
)

KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (kind.api_version, kind.kind): kind
    for kind in (
        *_KUBERNETES,
        *(Kind(CALICO_CRD, "v1", *row) for row in _CALICO),
        *(Kind(CALICO_V3, "v3", *row) for row in _CALICO),
    )
}
"""By (apiVersion, kind)."""


def kind_of(served: Mapping[str, Any]) -> Kind:
    """The kind of an object that has `apiVersion` and `kind`. KeyError where the table lacks it."""
    return KINDS[served["apiVersion"], served["kind"]]


def name_of(served: Mapping[str, Any]) -> str:
    """`namespace/name` or `name`."""
    metadata = served["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])
