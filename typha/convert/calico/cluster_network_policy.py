"""ClusterNetworkPolicy of Kubernetes' network policy API to a global v1 policy (rule 4.8).

Place: a converter of the felix feed.

Invariants (source: libcalico-go `backend/k8s/conversion/clusternetworkpolicy.go`, the API's own comments)
1. Tier Admin is Calico's tier `kube-admin`, Baseline `kube-baseline`; the priority is the order. A policy applies to a
   direction only where it has rules for it: both tiers pass on what no rule decides.
2. A rule gives one v1 rule for each protocol (sorted) and each peer (as written), with the rule's name as annotation.
3. The API asks for rules that fail closed, so a rule that cannot be converted is left out where it accepts, and denies
   everything otherwise: `Accept` less, never more. Each rule is decoded on its own, and a field of a peer, protocol or
   port that is not known here fails its rule. Calico fails closed for peers and networks; a protocol or port without a
   known field matches all of them there, and so may a rule whose selector it cannot read.
4. A policy whose tier or subject cannot be read has no value: nobody knows where it applies.

Road not taken: the peers `nodes` and `domainNames` and named ports, experimental in the API. Calico has no form for
them; rules with them fail as in 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys, rules, v1
from typha.convert.calico.fields import Int32, parsed
from typha.convert.calico.text import cidr, ports
from typha.convert.calico.text.label_selector import LabelSelector, namespace_selector, pod_selector
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["ClusterNetworkPolicies", "keys_of"]

_KIND: Final = "KubernetesClusterNetworkPolicy"
_TIERS: Final = {"Admin": "kube-admin", "Baseline": "kube-baseline"}
_ACTIONS: Final = {"Accept": "Allow", "Deny": "Deny", "Pass": "Pass"}
"""Another action becomes none, which no rule may have: it fails."""
_RULE_NAME: Final = "name"
"""The annotation that holds a rule's name."""


class _NamespacedPod(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    namespace_selector: LabelSelector = LabelSelector()
    pod_selector: LabelSelector = LabelSelector()


class _Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of either direction; `networks` only where traffic goes."""

    namespaces: LabelSelector | None = None
    pods: _NamespacedPod | None = None
    networks: list[str] | None = None


class _PortRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    start: int
    end: int


class _Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int | None = None
    range: _PortRange | None = None


class _Match(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What one protocol asks of its packets; without a port every port."""

    destination_port: _Port | None = None


class _Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tcp: _Match | None = None
    udp: _Match | None = None
    sctp: _Match | None = None


class _Rule(msgspec.Struct, frozen=True):
    """Of either direction: peers are in `from` or in `to`."""

    action: str
    name: str = ""
    from_: list[_Peer] | None = msgspec.field(default=None, name="from")
    to: list[_Peer] | None = None
    protocols: list[_Protocol] | None = None


class _Action(msgspec.Struct, frozen=True):
    """All that is read of a rule that cannot be."""

    action: str


class _Subject(msgspec.Struct, frozen=True):
    namespaces: LabelSelector | None = None
    pods: _NamespacedPod | None = None


class _Spec(msgspec.Struct, frozen=True):
    tier: str = ""
    priority: Int32 = 0
    subject: _Subject = _Subject()
    ingress: list[msgspec.Raw] | None = None
    egress: list[msgspec.Raw] | None = None


class _Policy(msgspec.Struct, frozen=True):
    spec: _Spec = _Spec()


_decode: Final = decoder_of(_Policy)
_decode_rule: Final = decoder_of(_Rule)
_decode_action: Final = decoder_of(_Action)


class ClusterNetworkPolicies:
    """`policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicies; one key each, no filter attribute."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/cluster_network_policy", version=1, group=group)
        self.attributes: tuple[str, ...] = ()
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError."""
        (key,) = keys_of(object_name)
        return (Converted(key, encode(_to_policy(_decode(raw).spec))),)


def keys_of(object_name: str) -> Sequence[str]:
    """The only key of the policy of that name."""
    return (keys.policy(_KIND, "", object_name),)


def _to_policy(spec: _Spec) -> v1.Policy:
    tier = _TIERS.get(spec.tier)
    if tier is None:
        raise ConversionError(f"spec.tier: expected one of {', '.join(_TIERS)}")
    selected = _subject_selector(spec.subject)
    inbound = _converted(spec.ingress, "spec.ingress", is_ingress=True)
    outbound = _converted(spec.egress, "spec.egress", is_ingress=False)
    types = [name for name, written in (("ingress", inbound), ("egress", outbound)) if written]
    return v1.Policy(
        tier=tier,
        order=spec.priority,
        inbound_rules=inbound or None,
        outbound_rules=outbound or None,
        selector=selected,
        types=types or None,
    )


def _subject_selector(subject: _Subject) -> str:
    pods, namespaces = _selectors(subject.namespaces, subject.pods, "spec.subject")
    in_namespaces = rules.prefixed_text(namespaces, rules.NAMESPACE_PREFIX, "spec.subject")
    return rules.joined(pods, in_namespaces).replace("all()", rules.EVERY_NAMESPACE)


def _selectors(namespaces: LabelSelector | None, pods: _NamespacedPod | None, field: str) -> tuple[str, str]:
    """The texts for pods and for namespaces, from the one of both that must be there."""
    if (namespaces is None) == (pods is None):
        raise ConversionError(f"{field}: expected one of namespaces and pods")
    if pods is None:
        # Endpoints that are no pods stay out, also where only namespaces are named.
        return pod_selector(None, field), namespace_selector(namespaces, f"{field}.namespaces")
    return (
        pod_selector(pods.pod_selector, f"{field}.pods.podSelector"),
        namespace_selector(pods.namespace_selector, f"{field}.pods.namespaceSelector"),
    )


def _converted(written: Sequence[msgspec.Raw] | None, field: str, *, is_ingress: bool) -> list[v1.Rule]:
    found: list[v1.Rule] = []
    for index, raw in enumerate(written or ()):
        at = f"{field}[{index}]"
        try:
            found += [rules.to_backend(rule, None, at) for rule in _rules(_decode_rule(raw), at, is_ingress=is_ingress)]
        except ConversionError:
            if not _accepts(raw):
                found.append(v1.Rule(action="deny"))
    return found


def _accepts(raw: msgspec.Raw) -> bool:
    try:
        return _decode_action(raw).action == "Accept"
    except ConversionError:
        return False


def _rules(rule: _Rule, field: str, *, is_ingress: bool) -> list[rules.Rule]:
    peers = rule.from_ if is_ingress else rule.to
    if not peers:
        raise ConversionError(f"{field}: has no peers")
    metadata = rules.RuleMetadata({_RULE_NAME: rule.name}) if rule.name else None
    sides = [_ingress_side(peer, field) if is_ingress else _egress_side(peer, field) for peer in peers]
    found = []
    for protocol, destination_ports in _ports_by_protocol(rule.protocols or (), f"{field}.protocols"):
        for side in sides:
            if is_ingress:
                source, destination = side, rules.EntityRule(ports=destination_ports)
            else:
                source, destination = rules.EntityRule(), msgspec.structs.replace(side, ports=destination_ports)
            found.append(
                rules.Rule(
                    action=_ACTIONS.get(rule.action, ""),
                    protocol=protocol,
                    source=source,
                    destination=destination,
                    metadata=metadata,
                )
            )
    return found


def _ingress_side(peer: _Peer, field: str) -> rules.EntityRule:
    if peer.networks is not None:
        raise ConversionError(f"{field}: traffic from networks cannot be selected")
    return _pods_side(peer, field)


def _egress_side(peer: _Peer, field: str) -> rules.EntityRule:
    if peer.networks is None:
        return _pods_side(peer, field)
    if not peer.networks or peer.namespaces is not None or peer.pods is not None:
        raise ConversionError(f"{field}: expected one of namespaces, pods and networks")
    return rules.EntityRule(nets=[parsed(cidr.parse, each, f"{field}.networks")[1].text for each in peer.networks])


def _pods_side(peer: _Peer, field: str) -> rules.EntityRule:
    pods, namespaces = _selectors(peer.namespaces, peer.pods, field)
    if peer.pods is None:
        pods = ""  # a rule's namespaces hold pods and nothing else
    return rules.EntityRule(selector=pods, namespace_selector=namespaces)


def _ports_by_protocol(written: Sequence[_Protocol], field: str) -> Sequence[tuple[str | None, list[int | str] | None]]:
    """As `ports.by_protocol`; no protocol and no ports where nothing is written."""
    return ports.by_protocol(_protocol_and_port(each, field) for each in written) or [(None, None)]


def _protocol_and_port(written: _Protocol, field: str) -> tuple[str, int | str | None]:
    given = [(name, getattr(written, name)) for name in ("tcp", "udp", "sctp") if getattr(written, name) is not None]
    if len(given) != 1:
        raise ConversionError(f"{field}: expected one of tcp, udp and sctp")
    ((name, match),) = given
    return name, None if match.destination_port is None else _port(match.destination_port, field)


def _port(written: _Port, field: str) -> int | str:
    if (written.number is None) == (written.range is None):
        raise ConversionError(f"{field}: a destinationPort has either a number or a range")
    if written.range is not None:
        return ports.port_range(written.range.start, written.range.end, field)
    return ports.port(written.number or 0, field)
