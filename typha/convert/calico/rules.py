"""Calico's v3 rules, as users and converters write them, and their v1 form, as Felix reads it.

Place: every policy converter ends here. Calico's own kinds decode these structs from JSON; the Kubernetes kinds build
them first and convert them by the same function, as Calico does.

Invariants (source: libcalico-go `backend/syncersv1/updateprocessors/rules.go`, api v3 `policy_common.go`)
1. The selector of one side joins the namespace selector, the service accounts and the selector; texts that need no
   prefix are copied as written, those that need one are rendered again canonically.
2. In a namespaced policy a side with any selector, also a negated one, is held to the policy's own namespace, unless it
   has a namespace selector.
3. Never wider than written: each selector, network, port, action and service-account name is checked, and what cannot
   be read raises ConversionError with its field. Calico drops such parts in several places, and the rule then matches
   everything.

Road not taken: checking that a rule makes sense (ports need a protocol that has some, `global()` only for namespaces).
That is the validation of Calico's own kinds; the Kubernetes kinds cannot say such things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from typha.convert.calico import v1
from typha.convert.calico.fields import parsed
from typha.convert.calico.text import cidr, ports, selector
from typha.convert.converter import ConversionError

__all__ = [
    "EVERY_NAMESPACE",
    "NAMESPACE_LABEL",
    "NAMESPACE_PREFIX",
    "SERVICE_ACCOUNT_PREFIX",
    "EntityRule",
    "HTTPMatch",
    "ICMPFields",
    "Rule",
    "RuleMetadata",
    "ServiceAccountMatch",
    "ServiceMatch",
    "joined",
    "prefixed_text",
    "to_backend",
    "to_backend_rules",
]

NAMESPACE_PREFIX: Final = "pcns."
"""Before the names of labels that an endpoint has from its namespace."""

SERVICE_ACCOUNT_PREFIX: Final = "pcsa."
"""Before the names of labels that an endpoint has from its service account."""

NAMESPACE_LABEL: Final = "projectcalico.org/namespace"
_SERVICE_ACCOUNT_LABEL: Final = "projectcalico.org/serviceaccount"
EVERY_NAMESPACE: Final = f"has({NAMESPACE_LABEL})"
"""What `all()` means for namespaces: v1's own `all()` would match endpoints outside of every namespace too."""

_ACTIONS: Final = {"Allow": "allow", "Deny": "deny", "Log": "log", "Pass": "next-tier"}

# v1's validation: the kernel cannot match type 255.
_ICMPType = Annotated[int, msgspec.Meta(ge=0, le=254)]
_ICMPCode = Annotated[int, msgspec.Meta(ge=0, le=255)]


class ICMPFields(msgspec.Struct, frozen=True):
    """A type and a code of ICMP; 0 is a value like others."""

    type: _ICMPType | None = None
    code: _ICMPCode | None = None


class ServiceMatch(msgspec.Struct, frozen=True):
    """The endpoints of a Kubernetes service."""

    name: str = ""
    namespace: str = ""


class ServiceAccountMatch(msgspec.Struct, frozen=True):
    """Service accounts by name and by label; both must hold where both are given."""

    names: list[str] | None = None
    selector: str = ""


class EntityRule(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What one side of a connection must be."""

    nets: list[str] | None = None
    not_nets: list[str] | None = None
    selector: str = ""
    not_selector: str = ""
    namespace_selector: str = ""
    services: ServiceMatch | None = None
    service_accounts: ServiceAccountMatch | None = None
    ports: list[int | str] | None = None
    not_ports: list[int | str] | None = None


class HTTPMatch(msgspec.Struct, frozen=True):
    """Methods and paths of HTTP requests."""

    methods: list[str] | None = None
    paths: list[v1.HTTPPath] | None = None


class RuleMetadata(msgspec.Struct, frozen=True):
    """Notes that reach flow logs."""

    annotations: dict[str, str] | None = None


_ANY: Final = EntityRule()


class Rule(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`v3.Rule`."""

    action: str = ""
    ip_version: Literal[4, 6] | None = None
    protocol: int | str | None = None
    not_protocol: int | str | None = None
    icmp: ICMPFields | None = None
    not_icmp: ICMPFields | None = msgspec.field(default=None, name="notICMP")
    source: EntityRule = _ANY
    destination: EntityRule = _ANY
    http: HTTPMatch | None = None
    metadata: RuleMetadata | None = None


def to_backend_rules(written: Sequence[Rule] | None, namespace: str | None, field: str) -> list[v1.Rule] | None:
    """The v1 rules of one direction; None where there are none. `field` is the list's path. Raises ConversionError."""
    if not written:
        return None
    return [to_backend(rule, namespace, f"{field}[{index}]") for index, rule in enumerate(written)]


def to_backend(rule: Rule, namespace: str | None, field: str) -> v1.Rule:
    """The v1 rule of `rule` in a policy of `namespace` (None: a global policy). `field` is the rule's path.

    Raises ConversionError.
    """
    action = _ACTIONS.get(rule.action)
    if action is None:
        raise ConversionError(f"{field}.action: expected one of {', '.join(_ACTIONS)}")
    icmp = rule.icmp or ICMPFields()
    not_icmp = rule.not_icmp or ICMPFields()
    source, destination = rule.source, rule.destination
    source_field, destination_field = f"{field}.source", f"{field}.destination"
    source_accounts = source.service_accounts or ServiceAccountMatch()
    destination_accounts = destination.service_accounts or ServiceAccountMatch()
    source_service = source.services or ServiceMatch()
    destination_service = destination.services or ServiceMatch()
    return v1.Rule(
        action=action,
        ip_version=rule.ip_version,
        protocol=_protocol(rule.protocol, f"{field}.protocol"),
        not_protocol=_protocol(rule.not_protocol, f"{field}.notProtocol"),
        icmp_type=icmp.type,
        icmp_code=icmp.code,
        not_icmp_type=not_icmp.type,
        not_icmp_code=not_icmp.code,
        src_nets=_networks(source.nets, f"{source_field}.nets"),
        src_selector=_endpoint_selector(source, namespace, source_field),
        src_ports=_ports(source.ports, f"{source_field}.ports"),
        src_service=source_service.name,
        src_service_ns=source_service.namespace,
        dst_nets=_networks(destination.nets, f"{destination_field}.nets"),
        dst_selector=_endpoint_selector(destination, namespace, destination_field),
        dst_ports=_ports(destination.ports, f"{destination_field}.ports"),
        dst_service=destination_service.name,
        dst_service_ns=destination_service.namespace,
        not_src_nets=_networks(source.not_nets, f"{source_field}.notNets"),
        not_src_selector=_checked(source.not_selector, f"{source_field}.notSelector"),
        not_src_ports=_ports(source.not_ports, f"{source_field}.notPorts"),
        not_dst_nets=_networks(destination.not_nets, f"{destination_field}.notNets"),
        not_dst_selector=_checked(destination.not_selector, f"{destination_field}.notSelector"),
        not_dst_ports=_ports(destination.not_ports, f"{destination_field}.notPorts"),
        orig_src_selector=source.selector,
        orig_src_namespace_selector=source.namespace_selector,
        orig_dst_selector=destination.selector,
        orig_dst_namespace_selector=destination.namespace_selector,
        not_orig_src_selector=source.not_selector,
        not_orig_dst_selector=destination.not_selector,
        orig_src_service_acct_names=source_accounts.names or None,
        orig_src_service_acct_selector=source_accounts.selector,
        orig_dst_service_acct_names=destination_accounts.names or None,
        orig_dst_service_acct_selector=destination_accounts.selector,
        http=_http(rule.http),
        metadata=_metadata(rule.metadata),
    )


def prefixed_text(written: str, prefix: str, field: str) -> str:
    """The canonical text of the selector `written` about labels that start with `prefix`. Raises SelectorError."""
    return selector.render(selector.prefixed(selector.parse(written, field), prefix))


def joined(first: str, second: str) -> str:
    """Both selectors, as Calico joins them for a whole policy; each may be empty."""
    if not first or not second:
        return first or second
    return f"({first}) && {second}"


def _endpoint_selector(entity: EntityRule, namespace: str | None, field: str) -> str:
    """All that one side's endpoints must be, as one v1 selector; empty where it asks nothing of them."""
    own = _own_selector(entity, field)
    if entity.namespace_selector:
        # Calico replaces in the text. Values that hold `all()` change too, and no namespace has such a label value.
        namespaces = prefixed_text(entity.namespace_selector, NAMESPACE_PREFIX, f"{field}.namespaceSelector")
        namespaces = namespaces.replace("all()", EVERY_NAMESPACE).replace("global()", f"!{EVERY_NAMESPACE}")
    elif namespace and (own or entity.not_selector):
        namespaces = f"{NAMESPACE_LABEL} == '{namespace}'"
    else:
        return own
    return f"({namespaces}) && ({own})" if own else namespaces


def _own_selector(entity: EntityRule, field: str) -> str:
    written = _checked(entity.selector, f"{field}.selector")
    accounts = ""
    if entity.service_accounts is not None:
        accounts = _account_selector(entity.service_accounts, f"{field}.serviceAccounts")
    if accounts and written:
        return f"({accounts}) && ({written})"
    return accounts or written


def _account_selector(accounts: ServiceAccountMatch, field: str) -> str:
    labelled = ""
    if accounts.selector:
        labelled = prefixed_text(accounts.selector, SERVICE_ACCOUNT_PREFIX, f"{field}.selector")
    if not accounts.names:
        return labelled
    if any("'" in name for name in accounts.names):
        raise ConversionError(f"{field}.names: a name has a quote in it; no service account is called so")
    named = selector.render(
        selector.Membership(_SERVICE_ACCOUNT_LABEL, "in", tuple(sorted(set(accounts.names)))),
    )
    return f"({labelled}) && ({named})" if labelled else named


def _checked(written: str, field: str) -> str:
    """`written` as it is: one that parses can be put in parentheses without meaning something else there."""
    if written:
        selector.parse(written, field)
        if not written.strip():
            raise ConversionError(f"{field}: holds blanks only; leave it out or write all()")
    return written


def _networks(written: list[str] | None, field: str) -> list[str] | None:
    if not written:
        return None
    return [parsed(cidr.parse_either, each, field)[1].text for each in written]


def _ports(written: list[int | str] | None, field: str) -> list[int | str] | None:
    if not written:
        return None
    return [ports.port(each, field) for each in written]


def _protocol(written: int | str | None, field: str) -> int | str | None:
    return None if written is None else ports.protocol(written, field)


def _http(written: HTTPMatch | None) -> v1.HTTPMatch | None:
    if written is None:
        return None
    return v1.HTTPMatch(written.methods or None, written.paths or None)


def _metadata(written: RuleMetadata | None) -> v1.RuleMetadata | None:
    if written is None or written.annotations is None:
        return None
    return v1.RuleMetadata(dict(sorted(written.annotations.items())) or None)
