"""What Calico's validation filter drops after conversion, as errors: of policies and of host endpoints.

Place: called by the converters on what they are about to encode. Calico sends such a value as *no value*; here the
object is quarantined with a reason that names the field as the user wrote it.

Invariants (source: Calico's `typha/pkg/calc/validation_filter.go`, libcalico-go `validator/v1`; rule 4.9.1)
1. Only v1 rules: what the v3 validation of Calico's API refuses on top (a policy that is untracked and pre-DNAT, say)
   never stops agents from getting it.
2. A policy that passes has no selector that Felix cannot parse (`rules` has parsed those of rules), no port without a
   protocol that has ports, and no protocol that it does not know.
3. Stricter than Calico in one thing: `global()` outside of a rule's namespaceSelector. There alone it means "outside of
   every namespace"; elsewhere Felix takes it for `all()`, wider than written.

Tiers and network sets have nothing that v1 refuses: their networks are parsed, their labels the API server's.

Road not taken: tags on the structs and a generic walker, as Calico has it. The walk would be longer than these checks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from typha.convert.calico import v1
from typha.convert.calico.text import selector
from typha.convert.converter import ConversionError

__all__ = [
    "endpoint_port",
    "interface_name",
    "no_global",
    "node_name",
    "policy",
    "policy_name",
    "profile_names",
    "rule",
]

_PROTOCOLS: Final = frozenset({"tcp", "udp", "icmp", "icmpv6", "sctp", "udplite"})
_PROTOCOLS_WITH_PORTS: Final = frozenset({"tcp", "udp", "sctp", 6, 17, 132})
# By name only: Calico drops a host endpoint whose port says 6.
_ENDPOINT_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
_HINTS: Final = frozenset({"AssumeNeededOnEveryNode"})

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_INTERFACE: Final = re.compile(r"\*|[a-zA-Z0-9_.-]{1,15}")
# RFC 6335, as Kubernetes checks it: up to 15 of a-z, 0-9 and `-`, a letter among them, no `-` at an end or doubled.
_PORT_NAME: Final = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
# What the API server takes as an object's name; the name in an annotation comes from no API server.
_OBJECT_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_LONGEST_QUOTED: Final = 40

_PORT_FIELDS: Final = (
    ("src_ports", "source.ports"),
    ("not_src_ports", "source.notPorts"),
    ("dst_ports", "destination.ports"),
    ("not_dst_ports", "destination.notPorts"),
)
_LOCAL_SELECTOR_FIELDS: Final = (
    ("orig_src_selector", "source.selector"),
    ("not_orig_src_selector", "source.notSelector"),
    ("orig_src_service_acct_selector", "source.serviceAccounts.selector"),
    ("orig_dst_selector", "destination.selector"),
    ("not_orig_dst_selector", "destination.notSelector"),
    ("orig_dst_service_acct_selector", "destination.serviceAccounts.selector"),
)


def policy(value: v1.Policy, field: str = "spec") -> None:
    """Raises ConversionError where Calico would not send the policy; `field` is the path of the spec."""
    selector.parse(str(value.selector), f"{field}.selector (with what Calico adds)")
    for index, each in enumerate(value.inbound_rules or ()):
        rule(each, f"{field}.ingress[{index}]")
    for index, each in enumerate(value.outbound_rules or ()):
        rule(each, f"{field}.egress[{index}]")
    hints = value.performance_hints or ()
    if len(set(hints)) != len(hints):
        raise ConversionError(f"{field}.performanceHints: a hint is there twice")
    for hint in hints:
        if hint not in _HINTS:
            raise ConversionError(f"{field}.performanceHints: {_quoted(hint)} is none; known: {', '.join(_HINTS)}")


def rule(value: v1.Rule, field: str) -> None:
    """Raises ConversionError where the rule makes Calico drop its policy; `field` is the rule's path."""
    _protocol(value.protocol, f"{field}.protocol")
    _protocol(value.not_protocol, f"{field}.notProtocol")
    for name, written in _PORT_FIELDS:
        _ports(getattr(value, name), value.protocol, f"{field}.{written}")
    for name, written in _LOCAL_SELECTOR_FIELDS:
        no_global(getattr(value, name), f"{field}.{written}")


def no_global(text: str, field: str) -> None:
    """Raises ConversionError where the selector `text` asks for `global()`, or does not parse."""
    if "global(" in text and _has_global(selector.parse(text, field)):
        raise ConversionError(f"{field}: global() is for the namespaceSelector of a rule only")


def policy_name(name: str, field: str) -> None:
    """Raises ConversionError where no policy can be called so."""
    if not _OBJECT_NAME.fullmatch(name):
        raise ConversionError(f"{field}: {_quoted(name)} is no name of an object")


def node_name(name: str, field: str) -> None:
    """Raises ConversionError where the name cannot be a part of a key: Calico has no key without it."""
    if not name:
        raise ConversionError(f"{field}: is missing, a host endpoint needs the name of its node")
    if "/" in name:
        raise ConversionError(f"{field}: {_quoted(name)} has a / in it")


def interface_name(name: str, field: str) -> None:
    """Raises ConversionError where `name` is neither empty, nor `*`, nor an interface of Linux."""
    if name and not _INTERFACE.fullmatch(name):
        raise ConversionError(
            f"{field}: {_quoted(name)} is no interface (1 to 15 letters, digits, `_`, `.`, `-`; or `*`)"
        )


def profile_names(names: Sequence[str], field: str) -> None:
    """Raises ConversionError for the first that no profile can be called."""
    for index, name in enumerate(names):
        if not _NAME.fullmatch(name):
            raise ConversionError(
                f"{field}[{index}]: {_quoted(name)} is no name (1 to 128 letters, digits, `_`, `.`, `-`)"
            )


def endpoint_port(name: str, protocol: int | str, port: int, field: str) -> None:
    """Raises ConversionError for a named port of a host endpoint (v1 forms) that Calico drops the endpoint for."""
    if not _NAME.fullmatch(name):
        raise ConversionError(f"{field}.name: {_quoted(name)} is no name (1 to 128 letters, digits, `_`, `.`, `-`)")
    if protocol not in _ENDPOINT_PROTOCOLS:
        raise ConversionError(f"{field}.protocol: {_quoted(str(protocol))} is none of TCP, UDP, SCTP")
    if port < 1:
        raise ConversionError(f"{field}.port: 0 is no port")


def _protocol(protocol: int | str | None, field: str) -> None:
    if protocol == 0:
        raise ConversionError(f"{field}: 0 is no protocol, use 1 to 255 or a name")
    if isinstance(protocol, str) and protocol not in _PROTOCOLS:
        raise ConversionError(
            f"{field}: {_quoted(protocol)} is no protocol; known: TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite"
        )


def _ports(ports: Sequence[int | str] | None, protocol: int | str | None, field: str) -> None:
    if not ports:
        return
    if protocol not in _PROTOCOLS_WITH_PORTS:
        raise ConversionError(f"{field}: a rule with ports needs the protocol TCP, UDP or SCTP")
    for port in ports:
        # Ranges are `80:90`; no name begins with a digit and has a colon.
        if isinstance(port, str) and ":" not in port and not _PORT_NAME.fullmatch(port):
            raise ConversionError(
                f"{field}: {_quoted(port)} is no name of a port (1 to 15 of a-z, 0-9, `-`, a letter among them)"
            )


def _has_global(node: selector.Node) -> bool:
    if isinstance(node, selector.Not):
        return _has_global(node.operand)
    if isinstance(node, selector.Joined):
        return any(_has_global(operand) for operand in node.operands)
    return isinstance(node, selector.Call) and node.name == "global"


def _quoted(text: str) -> str:
    """A short identifier as a reason may show it."""
    return repr(text if len(text) <= _LONGEST_QUOTED else text[:_LONGEST_QUOTED] + "...")
