"""Calico's own policies, enforced and staged, to the v1 policy that Felix reads.

Place: NetworkPolicy, GlobalNetworkPolicy, their staged twins and StagedKubernetesNetworkPolicy ->
`/calico/v1/policy/KIND/NAMESPACE/NAME`. Source: rules 4.3, 4.8 and 4.9 (selectors); libcalico-go
`syncersv1/updateprocessors/*policyprocessor.go`.

Invariants
1. Never wider than written. Every selector is parsed by itself before it is joined to others, so that no text can close
   a parenthesis of ours; what does not parse, and what Calico's validation drops, quarantines the policy as a whole: a
   policy without one of its rules may be wider, whatever the rule.
2. A namespaced policy is held to its namespace: `(SELECTOR) && projectcalico.org/namespace == 'NS'`.
3. In global policies `all()` becomes "in any namespace" (or "has a service account") in the whole text so far, also in
   the policy's own selector, where the policy has such a selector: as text, as Calico does it.
4. A staged policy without an action is staged to be Set; one staged to be deleted has no value.
5. The key has the policy's v3 name, which an annotation of the custom resource may hold (see `identity`). So two custom
   resources could claim one key, `default.web` with that annotation and `web`: topics of these kinds keep claims.

Road not taken: one class with a table of kinds. The differences are the classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from typha.convert.calico import keys, v1, validation
from typha.convert.calico.identity import identity_of
from typha.convert.calico.kubernetes_network_policy import NetworkPolicySpec, to_policy
from typha.convert.calico.metadata import Metadata
from typha.convert.calico.rules import (
    EVERY_NAMESPACE,
    NAMESPACE_LABEL,
    NAMESPACE_PREFIX,
    SERVICE_ACCOUNT_PREFIX,
    Rule,
    joined,
    prefixed_text,
    to_backend_rules,
)
from typha.convert.calico.text import selector
from typha.convert.calico.tier import order_of
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import Converted, form_of

__all__ = [
    "GlobalNetworkPolicies",
    "NetworkPolicies",
    "StagedGlobalNetworkPolicies",
    "StagedKubernetesNetworkPolicies",
    "StagedNetworkPolicies",
    "may_be_contested",
    "staged_kubernetes_keys_of",
]

_DEFAULT_TIER: Final = "default"
_DEFAULT_ACTION: Final = "Set"
_DELETE: Final = "Delete"
_EVERY_SERVICE_ACCOUNT: Final = "has(projectcalico.org/serviceaccount)"


class _Spec(msgspec.Struct, rename="camel", kw_only=True):
    tier: str = ""
    order: float | None = None
    ingress: list[Rule] | None = None
    egress: list[Rule] | None = None
    selector: str = ""
    types: list[str] | None = None
    service_account_selector: str = ""
    performance_hints: list[str] | None = None
    # Global policies only.
    namespace_selector: str = ""
    do_not_track: bool = False
    pre_dnat: bool = msgspec.field(default=False, name="preDNAT")
    apply_on_forward: bool = False
    # Staged policies only.
    staged_action: str = ""


class _StagedKubernetesSpec(NetworkPolicySpec, frozen=True, rename="camel"):
    staged_action: str = ""


class _Policy(msgspec.Struct):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _StagedKubernetesPolicy(msgspec.Struct):
    spec: _StagedKubernetesSpec = _StagedKubernetesSpec()


_decode: Final = decoder_of(_Policy)
_decode_staged_kubernetes: Final = decoder_of(_StagedKubernetesPolicy)


def may_be_contested(object_name: str, key: str) -> bool:
    """Whether another object of its kind could claim `key` too, which `object_name` (`[namespace/]name`) gives."""
    claimed = key.rpartition("/")[2]
    # Calico's API stores `web` as `default.web`, and a name with a dot under that name.
    return "." not in claimed or claimed != object_name.rpartition("/")[2]


def staged_kubernetes_keys_of(object_name: str) -> Sequence[str]:
    """The one key of the policy `namespace/name`: of these five kinds only this one's follows from the name."""
    namespace, _, name = object_name.partition("/")
    return (keys.policy("StagedKubernetesNetworkPolicy", namespace, name),)


class _Policies(ABC):
    """Calico's own kinds; `group` is one of Calico's two API groups."""

    converter: ClassVar[str]
    kind: ClassVar[str]
    is_staged: ClassVar[bool] = False
    attributes: tuple[str, ...] = ()
    standing: Sequence[Converted] = ()

    def __init__(self, group: str) -> None:
        self.form = form_of(converter=f"calico/{self.converter}", version=1, group=group)
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry, none where the policy is staged to be deleted. Raises ConversionError."""
        written = _decode(raw)
        action = (written.spec.staged_action or _DEFAULT_ACTION) if self.is_staged else None
        if action == _DELETE:
            return ()
        return self._converted(object_name, written, action)

    @abstractmethod
    def _converted(self, object_name: str, written: _Policy, staged_action: str | None) -> Sequence[Converted]:
        """The entry of a policy that is not staged to be deleted."""


class NetworkPolicies(_Policies):
    """Calico's NetworkPolicies."""

    converter = "network_policy"
    kind = "NetworkPolicy"
    attributes = ("namespace",)

    def _converted(self, object_name: str, written: _Policy, staged_action: str | None) -> Sequence[Converted]:
        namespace, _, name = object_name.partition("/")
        spec = written.spec
        own = joined(_own_selector(spec), f"{NAMESPACE_LABEL} == '{namespace}'")
        policy = _policy(spec, namespace, joined(own, _service_account_terms(spec)), staged_action)
        key = keys.policy(self.kind, namespace, _name(written, name, self._group))
        return (Converted(key, encode(policy), (namespace,)),)


class StagedNetworkPolicies(NetworkPolicies):
    """The same, staged."""

    converter = "staged_network_policy"
    kind = "StagedNetworkPolicy"
    is_staged = True


class GlobalNetworkPolicies(_Policies):
    """Calico's GlobalNetworkPolicies."""

    converter = "global_network_policy"
    kind = "GlobalNetworkPolicy"

    def _converted(self, object_name: str, written: _Policy, staged_action: str | None) -> Sequence[Converted]:
        spec = written.spec
        text = _own_selector(spec)
        if spec.namespace_selector:
            field = "spec.namespaceSelector"
            validation.no_global(spec.namespace_selector, field)
            text = joined(text, prefixed_text(spec.namespace_selector, NAMESPACE_PREFIX, field))
            text = text.replace("all()", EVERY_NAMESPACE)
        if spec.service_account_selector:
            text = joined(text, _service_account_terms(spec)).replace("all()", _EVERY_SERVICE_ACCOUNT)
        policy = _policy(spec, "", text, staged_action)
        policy.untracked = spec.do_not_track
        policy.pre_dnat = spec.pre_dnat
        policy.apply_on_forward = spec.apply_on_forward
        return (Converted(keys.policy(self.kind, "", _name(written, object_name, self._group)), encode(policy)),)


class StagedGlobalNetworkPolicies(GlobalNetworkPolicies):
    """The same, staged."""

    converter = "staged_global_network_policy"
    kind = "StagedGlobalNetworkPolicy"
    is_staged = True


class StagedKubernetesNetworkPolicies:
    """The converter of StagedKubernetesNetworkPolicies; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/staged_kubernetes_network_policy", version=1, group=group)
        self.attributes = ("namespace",)
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry, none where the policy is staged to be deleted. Raises ConversionError."""
        spec = _decode_staged_kubernetes(raw).spec
        action = spec.staged_action or _DEFAULT_ACTION
        if action == _DELETE:
            return ()
        namespace = object_name.partition("/")[0]
        policy = to_policy(spec, namespace)
        policy.staged_action = action
        validation.policy(policy)
        (key,) = staged_kubernetes_keys_of(object_name)
        return (Converted(key, encode(policy), (namespace,)),)


def _policy(spec: _Spec, namespace: str, text: str, staged_action: str | None) -> v1.Policy:
    """What all of these kinds have in common, validated; `text` is the whole selector."""
    policy = v1.Policy(
        namespace=namespace,
        tier=spec.tier or _DEFAULT_TIER,
        order=order_of(spec.order),
        inbound_rules=to_backend_rules(spec.ingress, namespace, "spec.ingress"),
        outbound_rules=to_backend_rules(spec.egress, namespace, "spec.egress"),
        selector=text,
        types=[each.lower() for each in spec.types or ()] or None,
        performance_hints=spec.performance_hints or None,
        staged_action=staged_action,
    )
    validation.policy(policy)
    return policy


def _own_selector(spec: _Spec) -> str:
    """As written, and a selector by itself."""
    validation.no_global(spec.selector, "spec.selector")
    selector.parse(spec.selector, "spec.selector")
    return spec.selector


def _service_account_terms(spec: _Spec) -> str:
    if not spec.service_account_selector:
        return ""
    field = "spec.serviceAccountSelector"
    validation.no_global(spec.service_account_selector, field)
    return prefixed_text(spec.service_account_selector, SERVICE_ACCOUNT_PREFIX, field)


def _name(written: _Policy, name: str, group: str) -> str:
    stored = identity_of(written.metadata, group).stored_name
    if not stored:
        return name
    validation.policy_name(stored, "annotation projectcalico.org/metadata: name")
    return stored
