"""Policies of a cluster with many tenants, and the sets and tiers that they use. Pure.

Place: `installation` creates these and replaces them with a later `revision`.

Invariants:
1. An object is a function of its arguments alone; another `revision` is another object.
2. What a tenant gets: everything denied, its own namespace and DNS allowed, the world through `ipBlock`s, web traffic
   from named partners. What all get: threats blocked first, DNS, and a deny at the very end.

Not taken: policies that are valid and that nobody writes; the converters' own corpus is the place for those.
"""

from __future__ import annotations

from typing import Any, Final

from typha.simulation.calico.documents import Document, calico, kubernetes
from typha.simulation.objects import address

KUBERNETES_POLICIES: Final = "networking.k8s.io/v1/networkpolicies"
CLUSTER_POLICIES: Final = "policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"
_BOTH: Final = ["Ingress", "Egress"]
# TEST-NET-3, TEST-NET-2 and the benchmark net: addresses of nobody.
_PARTNER_NET: Final = 203 << 24 | 113 << 8
_THREAT_NET: Final = 198 << 24 | 18 << 16
_THREATS: Final = 40
_DNS: Final = {"selector": "k8s-app == 'kube-dns'", "namespaceSelector": "projectcalico.org/name == 'kube-system'"}


def tenant(space: str, number: int) -> list[Document]:
    """All that the tenant `number` with the namespace `space` has at first."""
    made = [
        _kubernetes(space, "default-deny", {"podSelector": {}, "policyTypes": _BOTH}),
        _kubernetes(space, "allow-same-namespace", _same_namespace()),
        _kubernetes(space, "allow-dns", _dns()),
        egress_blocks(space, number),
        web(space, number),
        partners(space, number),
    ]
    if number % 3 == 0:
        made.append(staged(space, number))
    if number % 5 == 0:
        spec = {"stagedAction": "Set", "podSelector": {"matchLabels": {"app": "app-1"}}, "policyTypes": ["Egress"]}
        made.append(calico("stagedkubernetesnetworkpolicies", "no-egress", spec, space=space))
    return made


def _kubernetes(space: str, name: str, spec: dict[str, Any]) -> Document:
    return kubernetes(KUBERNETES_POLICIES, name, spec, space=space)


def _same_namespace() -> dict[str, Any]:
    own: dict[str, Any] = {"podSelector": {}}
    return {"podSelector": {}, "policyTypes": _BOTH, "ingress": [{"from": [own]}], "egress": [{"to": [own]}]}


def _dns() -> dict[str, Any]:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer], "ports": ports}]}


def egress_blocks(space: str, number: int, revision: int = 0) -> Document:
    """A Kubernetes NetworkPolicy: the world but the private nets, and one net of a partner, which `revision` moves."""
    world = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]}
    partner = {"cidr": f"{address(_PARTNER_NET + (number + revision) % 32 * 8)}/29"}
    ports: list[dict[str, Any]] = [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 8000, "endPort": 8100}]
    rules = [{"to": [{"ipBlock": world}], "ports": ports[:1]}, {"to": [{"ipBlock": partner}], "ports": ports}]
    chosen = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["app-0", "app-1"]}]}
    return _kubernetes(
        space, "allow-egress-blocks", {"podSelector": chosen, "policyTypes": ["Egress"], "egress": rules}
    )


def web(space: str, number: int, revision: int = 0) -> Document:
    """A Calico NetworkPolicy of the default tier in front of `app-0`; `revision` changes who may come."""
    team = f"team-{(number + revision) % 7}"
    ingress: list[dict[str, Any]] = [
        {
            "action": "Allow",
            "protocol": "TCP",
            "source": {"selector": "role == 'partner'"},
            "destination": {"ports": ["http"]},
        },
        {
            "action": "Allow",
            "protocol": "TCP",
            "source": {"namespaceSelector": f"team == '{team}'", "serviceAccounts": {"names": ["default"]}},
            "destination": {"ports": [8080, "9000:9010"]},
        },
        {"action": "Deny", "source": {"notNets": ["10.0.0.0/8"]}},
        {"action": "Allow", "protocol": "ICMP", "icmp": {"type": 8}},
    ]
    egress = [{"action": "Allow", "protocol": "UDP", "destination": {"ports": [53]}}, {"action": "Pass"}]
    spec = {
        "tier": "default",
        "order": 100 + number % 50,
        "selector": "app == 'app-0'",
        "types": _BOTH,
        "ingress": ingress,
        "egress": egress,
    }
    return calico("networkpolicies", "default.web", spec, space=space)


def staged(space: str, number: int, revision: int = 0) -> Document:
    """A staged NetworkPolicy: what the tenant tries out."""
    rule = {"action": "Allow", "protocol": "TCP", "destination": {"ports": [8080 + revision % 10]}}
    spec = {"stagedAction": "Set", "tier": "default", "order": 50 + number % 10, "selector": "all()", "ingress": [rule]}
    return calico("stagednetworkpolicies", "default.next", spec, space=space)


def partners(space: str, number: int, revision: int = 0) -> Document:
    """The tenant's NetworkSet: nets of its partners."""
    nets = [f"{address(_PARTNER_NET + (number * 3 + each * 5 + revision) % 64 * 4)}/30" for each in range(3)]
    return calico("networksets", "partners", {"nets": sorted(set(nets))}, space=space, labels={"role": "partner"})


def threats(revision: int = 0) -> Document:
    """A GlobalNetworkSet that a feed of bad addresses keeps changing."""
    nets = [f"{address(_THREAT_NET + ((each * 37 + revision) % 4096) * 16)}/28" for each in range(_THREATS)]
    return calico("globalnetworksets", "threat-feed", {"nets": sorted(set(nets))}, labels={"feed": "threats"})


def default_deny(revision: int = 0) -> Document:
    """The end of the default tier: nothing is allowed but DNS; `revision` exempts another namespace."""
    exempt = f"projectcalico.org/name not in {{'kube-system', 'calico-system', 'exempt-{revision % 5}'}}"
    dns = [
        {"action": "Allow", "protocol": protocol, "destination": {**_DNS, "ports": [53]}} for protocol in ("UDP", "TCP")
    ]
    spec = {"tier": "default", "order": 10000, "namespaceSelector": exempt, "types": _BOTH, "egress": dns}
    return calico("globalnetworkpolicies", "default.default-deny", spec)


def everybody() -> list[Document]:
    """Tiers, sets and policies of the whole cluster."""
    block: dict[str, Any] = {
        "tier": "security",
        "order": 1,
        "selector": "projectcalico.org/orchestrator == 'k8s'",
        "types": _BOTH,
        "ingress": [{"action": "Deny", "source": {"selector": "feed == 'threats'"}}, {"action": "Pass"}],
        "egress": [{"action": "Deny", "destination": {"selector": "feed == 'threats'"}}, {"action": "Pass"}],
    }
    metadata_server = {
        "tier": "platform",
        "order": 10,
        "namespaceSelector": "has(team)",
        "types": ["Egress"],
        "egress": [{"action": "Deny", "protocol": "TCP", "destination": {"nets": ["169.254.169.254/32"]}}],
    }
    untracked = {
        "tier": "security",
        "order": 5,
        "selector": "has(host-endpoint)",
        "types": _BOTH,
        "doNotTrack": True,
        "applyOnForward": True,
        "ingress": [{"action": "Allow", "protocol": "UDP", "destination": {"ports": [4789]}}],
        "egress": [{"action": "Allow", "protocol": "UDP", "destination": {"ports": [4789]}}],
    }
    before_nat = {
        "tier": "security",
        "order": 6,
        "selector": "has(host-endpoint)",
        "types": ["Ingress"],
        "preDNAT": True,
        "applyOnForward": True,
        "ingress": [{"action": "Allow", "source": {"nets": ["172.16.0.0/12"]}}],
    }
    hosts = {
        "tier": "security",
        "order": 20,
        "selector": "has(host-endpoint)",
        "types": ["Ingress"],
        "ingress": [{"action": "Allow", "protocol": "TCP", "destination": {"ports": [22, 179, "10250:10256"]}}],
    }
    return [
        *_tiers(),
        calico("globalnetworkpolicies", "security.block-threats", block),
        calico("globalnetworkpolicies", "security.vxlan-untracked", untracked),
        calico("globalnetworkpolicies", "security.before-nat", before_nat),
        calico("globalnetworkpolicies", "security.hosts", hosts),
        calico("globalnetworkpolicies", "platform.no-metadata-server", metadata_server),
        default_deny(),
        calico("stagedglobalnetworkpolicies", "platform.deny-next", {**metadata_server, "stagedAction": "Set"}),
        calico("globalnetworksets", "corporate", {"nets": ["192.0.2.0/24", "2001:db8::/32"]}, labels={"role": "staff"}),
        threats(),
        _cluster_policy("monitoring", "Admin", 10, "Accept"),
        _cluster_policy("no-strangers", "Baseline", 100, "Deny"),
    ]


def _tiers() -> list[Document]:
    rows = {
        "default": (1_000_000, "Deny"),
        "kube-admin": (1_000, "Pass"),
        "kube-baseline": (10_000_000, "Pass"),
        "platform": (200, "Pass"),
        "security": (100, "Deny"),
    }
    return [calico("tiers", name, {"order": order, "defaultAction": action}) for name, (order, action) in rows.items()]


def _cluster_policy(name: str, tier: str, priority: int, action: str) -> Document:
    peer = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    spec = {
        "tier": tier,
        "priority": priority,
        "subject": {"namespaces": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
        "ingress": [{"name": f"{action.lower()}-system", "action": action, "from": [peer]}],
    }
    return kubernetes(CLUSTER_POLICIES, name, spec)
