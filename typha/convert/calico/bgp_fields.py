"""Fields that Calico's BGP kinds share: passwords, AS numbers, durations, networks, names.

Place: `bgp_configuration`, `bgp_peer` and `bgp_filter` decode them, bring them into canonical form and check them as
Calico's validation filter does (rule 4.9, validation). Source: libcalico-go `validator/v3`, Calico's `api`.

Road not taken: tags on fields and a generic walker, which is how Calico writes its checks: ours would be the only use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from typha.convert.calico.fields import UInt32, parsed
from typha.convert.calico.metadata import is_name
from typha.convert.calico.node_facts import as_number
from typha.convert.calico.text import cidr, duration, selector
from typha.convert.converter import ConversionError

__all__ = [
    "AsNumber",
    "Password",
    "as_number_of",
    "canonical_duration",
    "check_choice",
    "check_name",
    "check_network",
    "check_pattern",
    "check_selector",
]

# A number, or text in one of two notations; `as_number_of` makes it a number.
AsNumber = UInt32 | str

_ANY_FAMILY: Final = 0


class _SecretKey(msgspec.Struct):
    # Kubernetes' SecretKeySelector: key is written even if it is empty.
    name: str | msgspec.UnsetType = msgspec.UNSET
    key: str = ""
    optional: bool | msgspec.UnsetType = msgspec.UNSET


class Password(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Where a password is; never the password."""

    secret_key_ref: _SecretKey | None = msgspec.field(default=None, name="secretKeyRef")

    def settle(self) -> None:
        """An empty name is left out."""
        if self.secret_key_ref is not None:
            self.secret_key_ref.name = self.secret_key_ref.name or msgspec.UNSET


def as_number_of(number: int | str, field: str) -> int:
    """An AS number in either notation as a number. Raises ConversionError."""
    return number if isinstance(number, int) else parsed(as_number, number, field)


def canonical_duration(text: str | None, field: str) -> str | None:
    """As Go writes it: `3m0s`. Raises ConversionError."""
    return None if text is None else parsed(duration.canonical, text, field)


def check_network(text: str, field: str, version: int = _ANY_FAMILY) -> None:
    """A network with its host bits clear, or an address, of that family; empty is good. Raises ConversionError."""
    if not text:
        return
    address, network = parsed(cidr.parse_either, text, field)
    if network.address != address:
        raise ConversionError(f"{field}: a network with bits set after its mask")
    if version not in (_ANY_FAMILY, address.version):
        raise ConversionError(f"{field}: not a network of IPv{version}")


def check_name(text: str, field: str) -> None:
    """The name of an object; empty is good. Raises ConversionError."""
    if text and not is_name(text):
        raise ConversionError(f"{field}: not a name of lower case letters, digits, - and .")


def check_choice(text: str | None, field: str, choices: Iterable[str]) -> None:
    """One of `choices`; empty is good. Raises ConversionError."""
    if text and text not in choices:
        raise ConversionError(f"{field}: none of {', '.join(choices)}")


def check_pattern(text: str, field: str, pattern: re.Pattern[str], what: str) -> None:
    """All of `text` matches; empty is good. Raises ConversionError."""
    if text and not pattern.fullmatch(text):
        raise ConversionError(f"{field}: not {what}")


def check_selector(text: str, field: str) -> None:
    """A selector that parses; empty is good. Raises ConversionError."""
    if text:
        selector.parse(text, field)
