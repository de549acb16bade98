"""What a Calico key says: of which kind its object is, where it is, and by which names people ask for it. Pure.

1. Only the key's path is looked at, so that any topic that holds such keys is understood.
2. A part of a path is shown as it was before Calico escaped it (`%2f` is `/`, `%25` is `%`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_V3: Final = "/calico/resources/v3/projectcalico.org"
_HOST: Final = "/calico/v1/host/(?P<node>[^/]+)"

# From the most frequent to the rarest; the first that fits decides.
_SHAPES: Final = tuple(
    (re.compile(pattern), layout)
    for pattern, layout in (
        (
            rf"{_HOST}/workload/(?P<orchestrator>[^/]+)/(?P<workload>[^/]+)/endpoint/(?P<endpoint>[^/]+)",
            "workloadendpoint",
        ),
        (r"/calico/v1/policy/profile/(?P<name>[^/]+)/(?P<part>rules|labels)", "profile"),
        (rf"{_V3}/(?P<plural>[^/]+)/(?:(?P<namespace>[^/]+)/)?(?P<name>[^/]+)", "v3"),
        (r"/calico/v1/policy/tier/(?P<name>[^/]+)/metadata", "tier"),
        (r"/calico/v1/policy/(?P<kind>[^/]+)/(?P<namespace>[^/]*)/(?P<name>[^/]+)", "policy"),
        (rf"{_HOST}/config/(?P<field>[^/]+)", "configuration"),
        (r"/calico/v1/config/(?P<field>[^/]+)", "configuration"),
        (r"/calico/v1/(?P<field>Ready)", "configuration"),
        (rf"{_HOST}/(?P<field>wireguard)", "configuration"),
        (rf"{_HOST}/endpoint/(?P<name>[^/]+)", "hostendpoint"),
        (r"/calico/v1/netset/(?P<name>[^/]+)", "networkset"),
        (r"/calico/v1/ipam/v[46]/pool/(?P<name>[^/]+)", "ippool"),
        (r"/calico/ipam/v2/assignment/ipv[46]/block/(?P<name>[^/]+)", "ipamblock"),
        (r"/calico/ipam/v2/(?P<affinity>host|virtual)/(?P<node>[^/]+)/ipv[46]/block/(?P<name>[^/]+)", "blockaffinity"),
    )
)

# The plurals of whole v3 objects that have a layout of their own.
_V3_LAYOUTS: Final = {
    "nodes": "node",
    "profiles": "profile",
    "bgppeers": "bgppeer",
    "bgpconfigurations": "bgpconfiguration",
    "caliconodestatuses": "caliconodestatus",
    "felixconfigurations": "configuration",
    "clusterinformations": "configuration",
}

# What `DatastoreReady` of ClusterInformation has for a key.
_READY: Final = {"Ready": "DatastoreReady"}

_NAMESPACED: Final = frozenset({"workloadendpoint", "policy", "networkset", "object"})


class Place(NamedTuple):
    """Where a key is. `layout` names the columns that suit it (`object` where only the value can say)."""

    layout: str
    namespace: str = ""
    name: str = ""
    node: str = ""
    orchestrator: str = ""
    endpoint: str = ""
    field: str = ""
    is_v3: bool = False
    names: tuple[str, ...] = ()

    def is_named(self, name: str) -> bool:
        """Whether `name`, `NAMESPACE/name` or another way to say it means this object."""
        return name in self.names or any(name == f"{self.namespace}/{each}" for each in self.names)


def place_of(key: str) -> Place | None:
    """The place of a Calico key; None where it is none."""
    if not key.startswith("/calico/"):
        return None
    for pattern, layout in _SHAPES:
        if found := pattern.fullmatch(key):
            parts = {name: _unescaped(text) for name, text in found.groupdict().items() if text}
            return _place(layout, parts)
    return None


def _place(layout: str, parts: dict[str, str]) -> Place:
    name, namespace, node = (parts.get(each, "") for each in ("name", "namespace", "node"))
    field = parts.get("field", "")
    if layout == "workloadendpoint":
        namespace, _, name = parts["workload"].rpartition("/")
        endpoint, orchestrator = parts["endpoint"], parts["orchestrator"]
        whole = v3_name(node, orchestrator, name, endpoint)
        return Place(layout, namespace, name, node, orchestrator, endpoint, names=(name, whole))
    if layout == "v3":
        layout = _V3_LAYOUTS.get(parts["plural"], "object")
        field = "(whole object)" if layout == "configuration" else ""
        return Place(layout, namespace, name, field=field, is_v3=True, names=(name,))
    if layout == "configuration":
        name = f"node.{node}" if node else "default"
        return Place(layout, "", name, node, field=_READY.get(field, field), names=(name,))
    if layout == "networkset":
        namespace, _, name = name.rpartition("/")
    # A CIDR in a key has `-` for `/`; people write either.
    other = name[::-1].replace("-", "/", 1)[::-1] if layout in ("ippool", "ipamblock", "blockaffinity") else name
    return Place(layout, namespace, name, node, names=(name, other))


def v3_name(node: str, orchestrator: str, pod: str, endpoint: str) -> str:
    """The v3 name of a workload endpoint, as calicoctl shows it: parts joined by `-`, each `-` in a part doubled."""
    return "-".join(part.replace("-", "--") for part in (node, orchestrator, pod, endpoint))


def is_namespaced(layout: str) -> bool:
    """Whether objects of this layout can be in a namespace."""
    return layout in _NAMESPACED


def _unescaped(text: str) -> str:
    return text.replace("%2f", "/").replace("%25", "%")


# calicoctl's names of a kind -> our topics. Names that are topics themselves stand here too where several are meant.
_NAMES: Final = (
    (("workloadendpoints",), ("workloadendpoint", "wep", "weps")),
    (("hostendpoints",), ("hostendpoint", "hep", "heps")),
    (("profiles.namespaces", "profiles.serviceaccounts"), ("profile", "profiles", "pro", "pros")),
    (("networkpolicies",), ("networkpolicy", "np", "policy", "policies", "pol", "pols")),
    (("globalnetworkpolicies",), ("globalnetworkpolicy", "gnp", "gnps")),
    (("stagednetworkpolicies",), ("stagednetworkpolicy", "snp", "snps")),
    (("stagedglobalnetworkpolicies",), ("stagedglobalnetworkpolicy", "sgnp", "sgnps")),
    (("stagedkubernetesnetworkpolicies",), ("stagedkubernetesnetworkpolicy", "sknp", "sknps")),
    (("kubernetesnetworkpolicies",), ("kubernetesnetworkpolicy", "knp", "knps")),
    (("clusternetworkpolicies",), ("clusternetworkpolicy", "cnp", "cnps")),
    (("tiers",), ("tier",)),
    (("networksets",), ("networkset", "netset", "netsets")),
    (("globalnetworksets",), ("globalnetworkset", "globalnetsets", "gns")),
    (("nodes",), ("node", "no", "nos")),
    (("ippools",), ("ippool", "ipp", "ipps", "pool", "pools")),
    (("bgppeers",), ("bgppeer", "bgpp", "bgpps", "bp", "bps")),
    (("bgpconfigurations",), ("bgpconfiguration", "bgpconfig", "bgpconfigs")),
    (("bgpfilters",), ("bgpfilter",)),
    (("felixconfigurations",), ("felixconfiguration", "felixconfig", "felixconfigs")),
    (("clusterinformations",), ("clusterinformation", "clusterinfo", "clusterinfos")),
    (("caliconodestatuses",), ("caliconodestatus",)),
    (("blockaffinities",), ("blockaffinity",)),
    (("ipamblocks",), ("ipamblock",)),
)
TOPICS: Final = {name: topics for topics, names in _NAMES for name in names}
"""Short and singular names, each of which means one list of topics."""
