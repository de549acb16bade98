"""What Calico's validation of whole v3 configuration objects asks of single fields.

Place: named by the tables of fields; applied by `configuration.objects` to objects that are sent whole, because
there Calico's Typha validates them and sends those that fail as no value. Source: libcalico-go
`validator/v3`, tags of Calico's API.

Invariants
1. A check gets what the kind of its field read, never None, and raises ConversionError without the field's name.
2. What is set is checked: a pointer to `""` or 0 counts as set there, the empty text of a plain string never gets here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from typha.convert.calico.configuration.kinds import TableRange
from typha.convert.calico.text import cidr
from typha.convert.calico.text.selector import SelectorError, parse
from typha.convert.converter import ConversionError

__all__ = [
    "between",
    "interface",
    "interface_filter",
    "interface_filters",
    "ipv4_address",
    "ipv4_networks",
    "ipv6_address",
    "key_values",
    "networks",
    "numeric_ports",
    "one_of",
    "port",
    "prometheus_host",
    "region",
    "route_tables",
    "selector",
]

_INTERFACE: Final = re.compile(r"[a-zA-Z0-9_.-]{1,15}")
_INTERFACE_FILTER: Final = re.compile(r"[a-zA-Z0-9:._+-]{1,15}")
_HOST: Final = re.compile(r"[a-zA-Z0-9:._+-]{1,64}")
# A namespace `openstack-region-NAME` is a DNS label of 63 characters at most.
_REGION: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,44}[a-z0-9])?")
_MOST_TABLES: Final = 0xFFFF
"""Route tables that Calico may take, all ranges together."""


def one_of(*words: str) -> Callable[[Any], None]:
    """One of the words, exactly."""

    def check(value: str) -> None:
        if value not in words:
            raise ConversionError(f"none of {', '.join(words)}")

    return check


def between(low: int, high: int | None) -> Callable[[Any], None]:
    """A number in the range, both ends included; None: no upper end."""

    def check(value: int) -> None:
        if value < low or (high is not None and value > high):
            raise ConversionError(f"out of {low}..{'' if high is None else high}")

    return check


def key_values(value: str) -> None:
    """`a=b,c=`: empty items are fine."""
    if not all("=" in item for item in value.split(",") if item):
        raise ConversionError("an item of the list has no =")


def prometheus_host(value: str) -> None:
    """A host name or an address."""
    _matching(value, _HOST, "no host name or address")


def interface(value: str) -> None:
    """An interface's name."""
    _matching(value, _INTERFACE, "no name of an interface")


def interface_filter(value: str) -> None:
    """An interface's name as iptables matches it."""
    _matching(value, _INTERFACE_FILTER, "no filter of interfaces")


def interface_filters(value: list[str]) -> None:
    """A list of them; an empty one is none."""
    for each in value:
        if not _INTERFACE_FILTER.fullmatch(each):
            raise ConversionError("an element is no filter of interfaces")


def region(value: str) -> None:
    """The name of an OpenStack region."""
    _matching(value, _REGION, "no DNS label of 46 characters at most")


def ipv4_address(value: str) -> None:
    """An IPv4 address."""
    _address(value, 4)


def ipv6_address(value: str) -> None:
    """An IPv6 address."""
    _address(value, 6)


def networks(value: list[str]) -> None:
    """CIDRs or addresses of either family."""
    for each in value:
        _version(each)


def ipv4_networks(value: list[str]) -> None:
    """IPv4 CIDRs or addresses."""
    for each in value:
        if _version(each) != 4:
            raise ConversionError("an element is not IPv4")


def port(value: int | str) -> None:
    """1 to 65535, a range within, or a name."""
    if value == 0 or (isinstance(value, str) and value.startswith("0:")):
        raise ConversionError("a port is out of 1..65535")


def numeric_ports(value: list[int | str]) -> None:
    """Ports without names."""
    for each in value:
        port(each)
        if isinstance(each, str) and ":" not in each:
            raise ConversionError("an element is a name, not a number or a range")


def route_tables(value: list[TableRange]) -> None:
    """Ranges that together are no more than Calico may take."""
    if sum((each.max or 0) - (each.min or 0) + 1 for each in value) > _MOST_TABLES:
        raise ConversionError(f"more than {_MOST_TABLES} tables")


def selector(value: str) -> None:
    """A selector of nodes."""
    try:
        parse(value)
    except SelectorError as error:
        raise ConversionError(error.reason) from None


def _matching(value: str, pattern: re.Pattern[str], what: str) -> None:
    if not pattern.fullmatch(value):
        raise ConversionError(what)


def _address(value: str, version: int) -> None:
    try:
        found = cidr.parse_address(value).version
    except ValueError as error:
        raise ConversionError(str(error)) from None
    if found != version:
        raise ConversionError(f"not an IPv{version} address")


def _version(value: str) -> int:
    try:
        return cidr.parse_either(value)[0].version
    except ValueError as error:
        raise ConversionError(f"an element is {error}") from None
