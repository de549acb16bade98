"""Tiers: the order of a group of policies, and what befalls a packet that none of them decides.

Place: Calico's Tier -> `/calico/v1/policy/tier/NAME/metadata`. Source: rules 4.8 and 4.9 (Tier).

Invariants
1. Every tier has an order; without one it is 1000000, that of the default tier.
2. The default action is Pass only where exactly that is written. All else is Deny: a tier in doubt drops.

Road not taken: making the tiers default, kube-admin and kube-baseline up where they are missing. Calico's server writes
them to the API server; a reader that did would hold what the API server does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from typha.convert.calico.values import decoder_of, encode, whole
from typha.convert.converter import Converted, form_of

__all__ = ["DEFAULT_ORDER", "Tiers", "keys_of", "order_of"]

DEFAULT_ORDER: Final = 1_000_000.0
"""`DefaultTierOrder` of Calico's API."""

# Above it not every whole number is a float any more, and above 2**64 none is a msgpack integer.
_WHOLE_BELOW: Final = 2.0**53


class _Spec(msgspec.Struct, rename="camel"):
    order: float | None = None
    default_action: str | None = None


class _Tier(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Value(msgspec.Struct):
    order: Any
    default_action: str = msgspec.field(name="defaultAction")


_decode: Final = decoder_of(_Tier)


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the tier `object_name`."""
    return (f"/calico/v1/policy/tier/{object_name}/metadata",)


def order_of(order: float | None) -> Any:
    """The order of a tier or of a policy as values write it: an integer where it is whole. None stays None."""
    return order if order is None or abs(order) >= _WHOLE_BELOW else whole(order)


class Tiers:
    """The converter; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/tier", version=1, group=group)
        self.attributes: tuple[str, ...] = ()
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where a field has another type."""
        spec = _decode(raw).spec
        order = DEFAULT_ORDER if spec.order is None else spec.order
        action = "Pass" if spec.default_action == "Pass" else "Deny"
        (key,) = keys_of(object_name)
        return (Converted(key, encode(_Value(order_of(order), action))),)
