"""The spec of BGPFilter: as Calico writes it, and what its validation filter drops. Source: see `bgp_fields`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from typha.convert.calico.bgp_fields import (
    AsNumber,
    as_number_of,
    check_choice,
    check_network,
    check_pattern,
)
from typha.convert.calico.fields import Int32, Int64
from typha.convert.converter import ConversionError

__all__ = ["BgpFilterSpec", "settle"]

_INTERFACE: Final = re.compile(r"[a-zA-Z0-9_.*-]{1,15}", re.ASCII)
_LAST_PRIORITY: Final = 2147483646
_BITS: Final = {4: 32, 6: 128}


class _PrefixLength(msgspec.Struct, omit_defaults=True):
    min: Int32 | None = None
    max: Int32 | None = None


class _CommunityMatch(msgspec.Struct):
    values: list[str] | None = None


class _AddCommunity(msgspec.Struct):
    value: str = ""


class _PrependAsPath(msgspec.Struct):
    prefix: list[AsNumber] | None = None


class _SetPriority(msgspec.Struct):
    value: Int64 = 0


class _Operation(msgspec.Struct, omit_defaults=True):
    add_community: _AddCommunity | None = msgspec.field(default=None, name="addCommunity")
    prepend_as_path: _PrependAsPath | None = msgspec.field(default=None, name="prependASPath")
    set_priority: _SetPriority | None = msgspec.field(default=None, name="setPriority")


class _Rule(msgspec.Struct, kw_only=True):
    cidr: str | msgspec.UnsetType = msgspec.UNSET
    prefix_length: _PrefixLength | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="prefixLength")
    source: str | msgspec.UnsetType = msgspec.UNSET
    interface: str | msgspec.UnsetType = msgspec.UNSET
    match_operator: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="matchOperator")
    peer_type: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="peerType")
    communities: _CommunityMatch | msgspec.UnsetType = msgspec.UNSET
    as_path_prefix: list[AsNumber] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="asPathPrefix")
    priority: Int64 | msgspec.UnsetType = msgspec.UNSET
    action: str = ""  # written even if it is empty
    operations: list[_Operation] | msgspec.UnsetType = msgspec.UNSET


class BgpFilterSpec(msgspec.Struct, omit_defaults=True, kw_only=True):
    """All of its fields, in Calico's order."""

    export_v4: list[_Rule] = msgspec.field(default_factory=list, name="exportV4")
    import_v4: list[_Rule] = msgspec.field(default_factory=list, name="importV4")
    export_v6: list[_Rule] = msgspec.field(default_factory=list, name="exportV6")
    import_v6: list[_Rule] = msgspec.field(default_factory=list, name="importV6")


def settle(spec: BgpFilterSpec) -> None:
    """Canonical values in place. Raises ConversionError where Calico drops the object."""
    for field, rules, version in (
        ("exportV4", spec.export_v4, 4),
        ("importV4", spec.import_v4, 4),
        ("exportV6", spec.export_v6, 6),
        ("importV6", spec.import_v6, 6),
    ):
        for rule in rules:
            _settle_rule(rule, f"spec.{field}[]", version)


def _settle_rule(rule: _Rule, field: str, version: int) -> None:
    # What is empty is left out, as what is not there.
    cidr = rule.cidr = rule.cidr or msgspec.UNSET
    source = rule.source = rule.source or msgspec.UNSET
    interface = rule.interface = rule.interface or msgspec.UNSET
    operator = rule.match_operator = rule.match_operator or msgspec.UNSET
    peer_type = rule.peer_type = rule.peer_type or msgspec.UNSET
    rule.operations = rule.operations or msgspec.UNSET
    rule.as_path_prefix = [
        as_number_of(each, f"{field}.asPathPrefix[]") for each in rule.as_path_prefix or ()
    ] or msgspec.UNSET
    check_network(cidr or "", f"{field}.cidr", version)
    check_choice(source or "", f"{field}.source", ("RemotePeers",))
    check_pattern(interface or "", f"{field}.interface", _INTERFACE, "a name of interfaces")
    check_choice(operator or "", f"{field}.matchOperator", ("Equal", "NotEqual", "In", "NotIn"))
    check_choice(peer_type or "", f"{field}.peerType", ("eBGP", "iBGP"))
    check_choice(rule.action or "-", f"{field}.action", ("Accept", "Reject"))
    if bool(cidr) != bool(operator):
        raise ConversionError(f"{field}: one of cidr and matchOperator without the other")
    if rule.prefix_length is not msgspec.UNSET:
        if not cidr:
            raise ConversionError(f"{field}.prefixLength: without cidr")
        for length in (rule.prefix_length.min, rule.prefix_length.max):
            if length is not None and not 0 <= length <= _BITS[version]:
                raise ConversionError(f"{field}.prefixLength: not a length of IPv{version}")
    if rule.communities is not msgspec.UNSET and rule.communities.values is None:
        raise ConversionError(f"{field}.communities.values: missing")
    if rule.priority is not msgspec.UNSET:
        _check_priority(rule.priority, f"{field}.priority")
    for operation in rule.operations or ():
        _settle_operation(operation, f"{field}.operations[]")


def _settle_operation(operation: _Operation, field: str) -> None:
    if operation.add_community is not None and not operation.add_community.value:
        raise ConversionError(f"{field}.addCommunity.value: missing")
    if operation.prepend_as_path is not None:
        prefix = operation.prepend_as_path.prefix
        if prefix is None:
            raise ConversionError(f"{field}.prependASPath.prefix: missing")
        operation.prepend_as_path.prefix = [as_number_of(each, f"{field}.prependASPath.prefix[]") for each in prefix]
    if operation.set_priority is not None:
        _check_priority(operation.set_priority.value, f"{field}.setPriority.value")


def _check_priority(priority: int, field: str) -> None:
    if not 1 <= priority <= _LAST_PRIORITY:
        raise ConversionError(f"{field}: not between 1 and {_LAST_PRIORITY}")
