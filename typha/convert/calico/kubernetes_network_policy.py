"""NetworkPolicy of Kubernetes to the v1 policy (rule 4.6).

Place: a converter of the felix feed; `to_policy` also serves Calico's StagedKubernetesNetworkPolicy.

Invariants
1. A policy stands in tier `default` with order 1000, whatever it holds, and is held to its own namespace.
2. A rule gives one v1 rule for each protocol (sorted) and each peer (as written). Every such rule allows.
3. Never wider than written. A policy of Kubernetes isolates the pods that it selects and then only allows: a rule that
   cannot be converted is left out whole, the others and the isolation stay. Calico does so for bad ports only; from
   other parts that it cannot read it makes a peer that matches everything: an unparsable CIDR, an unparsable exception,
   an unknown protocol, a peer that says nothing. The API server refuses all of these, so they come from a newer API.
   A pod selector that cannot be converted quarantines the policy: nobody knows which pods to isolate.

Road not taken: quarantining the whole policy for one bad rule, as for Calico's own kinds: its pods would be open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys, rules, v1
from typha.convert.calico.fields import parsed
from typha.convert.calico.text import cidr, ports
from typha.convert.calico.text.label_selector import LabelSelector, namespace_selector, pod_selector
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = [
    "IPBlock",
    "KubernetesNetworkPolicies",
    "NetworkPolicyEgressRule",
    "NetworkPolicyIngressRule",
    "NetworkPolicyPeer",
    "NetworkPolicyPort",
    "NetworkPolicySpec",
    "keys_of",
    "to_policy",
]

_KIND: Final = "KubernetesNetworkPolicy"
_TIER: Final = "default"
_ORDER: Final = 1000
"""Calico's own number for all of them (libcalico-go `backend/k8s/conversion`): policies of Calico sort around it."""
_PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})


class NetworkPolicyPort(msgspec.Struct, frozen=True, rename="camel"):
    """A port, a range, or without a port every port of a protocol."""

    protocol: str | None = None
    port: int | str | None = None
    end_port: int | None = None


class IPBlock(msgspec.Struct, frozen=True):
    """A network without some parts of it."""

    cidr: str = ""
    except_: list[str] | None = msgspec.field(default=None, name="except")


class NetworkPolicyPeer(msgspec.Struct, frozen=True, rename="camel"):
    """Pods of selected namespaces (None: the policy's own), or a block of addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = msgspec.field(default=None, name="ipBlock")


class NetworkPolicyIngressRule(msgspec.Struct, frozen=True):
    """Who may connect to which ports; no peers: everyone, no ports: every port."""

    from_: list[NetworkPolicyPeer] | None = msgspec.field(default=None, name="from")
    ports: list[NetworkPolicyPort] | None = None


class NetworkPolicyEgressRule(msgspec.Struct, frozen=True):
    """Where pods may connect to, likewise."""

    to: list[NetworkPolicyPeer] | None = None
    ports: list[NetworkPolicyPort] | None = None


class NetworkPolicySpec(msgspec.Struct, frozen=True, rename="camel"):
    """`networking.k8s.io/v1` NetworkPolicySpec."""

    pod_selector: LabelSelector = LabelSelector()
    ingress: list[NetworkPolicyIngressRule] | None = None
    egress: list[NetworkPolicyEgressRule] | None = None
    policy_types: list[str] | None = None


class _NetworkPolicy(msgspec.Struct, frozen=True):
    spec: NetworkPolicySpec = NetworkPolicySpec()


_decode: Final = decoder_of(_NetworkPolicy)


class KubernetesNetworkPolicies:
    """`networking.k8s.io/v1` NetworkPolicies; one key each, filter attribute `namespace`."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/kubernetes_network_policy", version=1, group=group)
        self.attributes = ("namespace",)
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        namespace = object_name.partition("/")[0]
        policy = to_policy(_decode(raw).spec, namespace)
        (key,) = keys_of(object_name)
        return (Converted(key, encode(policy), (namespace,)),)


def keys_of(object_name: str) -> Sequence[str]:
    """The only key of the policy `namespace/name`."""
    namespace, _, name = object_name.partition("/")
    return (keys.policy(_KIND, namespace, name),)


def to_policy(spec: NetworkPolicySpec, namespace: str) -> v1.Policy:
    """The v1 policy of `spec` in `namespace`; rules that cannot be converted are left out.

    Raises ConversionError for the pod selector alone.
    """
    selected = pod_selector(spec.pod_selector, "spec.podSelector")
    inbound: list[v1.Rule] = []
    for index, ingress in enumerate(spec.ingress or ()):
        inbound += _convertible(ingress.from_, ingress.ports, namespace, f"spec.ingress[{index}]", is_ingress=True)
    outbound: list[v1.Rule] = []
    for index, egress in enumerate(spec.egress or ()):
        outbound += _convertible(egress.to, egress.ports, namespace, f"spec.egress[{index}]", is_ingress=False)
    return v1.Policy(
        namespace=namespace,
        tier=_TIER,
        order=_ORDER,
        inbound_rules=inbound or None,
        outbound_rules=outbound or None,
        selector=rules.joined(selected, f"{rules.NAMESPACE_LABEL} == '{namespace}'"),
        types=_types(spec.policy_types or ()),
    )


def _types(written: Sequence[str]) -> list[str]:
    """The directions that the policy isolates: ingress where it names none that is known."""
    return [known.lower() for known in ("Ingress", "Egress") if known in written] or ["ingress"]


def _convertible(
    peers: Sequence[NetworkPolicyPeer] | None,
    written_ports: Sequence[NetworkPolicyPort] | None,
    namespace: str,
    field: str,
    *,
    is_ingress: bool,
) -> list[v1.Rule]:
    try:
        return [
            rules.to_backend(rule, namespace, field)
            for rule in _rules(peers or (), written_ports or (), field, is_ingress=is_ingress)
        ]
    except ConversionError:
        return []  # narrower than written (invariant 3)


def _rules(
    peers: Sequence[NetworkPolicyPeer], written_ports: Sequence[NetworkPolicyPort], field: str, *, is_ingress: bool
) -> Iterator[rules.Rule]:
    sides = [_side(peer, field) for peer in peers] or [rules.EntityRule()]
    for protocol, destination_ports in _ports_by_protocol(written_ports, f"{field}.ports"):
        for side in sides:
            if is_ingress:
                source, destination = side, rules.EntityRule(ports=destination_ports)
            else:
                source, destination = rules.EntityRule(), msgspec.structs.replace(side, ports=destination_ports)
            yield rules.Rule(action="Allow", protocol=protocol, source=source, destination=destination)


def _ports_by_protocol(
    written: Sequence[NetworkPolicyPort], field: str
) -> Sequence[tuple[str | None, list[int | str] | None]]:
    """As `ports.by_protocol`; no protocol and no ports where nothing is written."""
    return ports.by_protocol(_protocol_and_port(each, field) for each in written) or [(None, None)]


def _protocol_and_port(written: NetworkPolicyPort, field: str) -> tuple[str, int | str | None]:
    protocol = "TCP" if written.protocol is None else written.protocol
    if protocol not in _PROTOCOLS:
        raise ConversionError(f"{field}: a protocol is none of {', '.join(sorted(_PROTOCOLS))}")
    if written.port is not None:
        return protocol, _port(written.port, written.end_port, field)
    if written.end_port is not None:
        raise ConversionError(f"{field}: endPort without port")
    return protocol, None


def _port(low: int | str, high: int | None, field: str) -> int | str:
    return ports.port(low if high is None else f"{low}:{high}", field)


def _side(peer: NetworkPolicyPeer, field: str) -> rules.EntityRule:
    """What one peer asks of its side."""
    has_selector = peer.pod_selector is not None or peer.namespace_selector is not None
    if (peer.ip_block is not None) == has_selector:
        raise ConversionError(f"{field}: a peer has either selectors or an ipBlock")
    if peer.ip_block is not None:
        return rules.EntityRule(
            nets=[_network(peer.ip_block.cidr, f"{field}.ipBlock.cidr")],
            not_nets=[_network(each, f"{field}.ipBlock.except") for each in peer.ip_block.except_ or ()],
        )
    return rules.EntityRule(
        selector=pod_selector(peer.pod_selector, f"{field}.podSelector"),
        namespace_selector=namespace_selector(peer.namespace_selector, f"{field}.namespaceSelector"),
    )


def _network(written: str, field: str) -> str:
    """An address without a length is none, other than in Calico's own kinds."""
    return parsed(cidr.parse, written, field)[1].text
