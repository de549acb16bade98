"""The addresses of a pod: its own networks, NAT from floating addresses, source prefixes it may use.

Place: `workload_endpoint` gives it what the pod says, as text. Source: rules 4.4.5, 4.4.10, 4.4.11, 4.9 (Pods). Pure.

Invariants
1. What cannot be read raises ConversionError, but for one: a floating address that is none is left out.
2. Texts are `cidr`'s, networks masked.
3. The error quotes an address, shortened: it is an identifier, and without it nobody finds what is wrong with a list.

Road not taken: `cidr` for every address; nearly each is a plain IPv4 address, its own canonical text, and a pattern
knows that in a tenth of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from typha.convert.calico.text import cidr
from typha.convert.converter import ConversionError

__all__ = ["Nat", "PodNetwork", "address_nats", "networks", "source_prefixes"]

_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_IPV4: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
# Longer than any CIDR; a status page is no place for an annotation.
_QUOTED: Final = 50

# Go reads a null in a list of texts as the empty text, and a null for the list as none.
_read_texts: Final = msgspec.json.Decoder(list[str | None] | None).decode


class PodNetwork(NamedTuple):
    """A network as text (`10.0.0.1/32`), its address, whether it is that address alone, and its family."""

    text: str
    address: str
    is_address: bool
    is_ipv6: bool


class Nat(msgspec.Struct, gc=False, frozen=True):
    """Traffic to `ext_ip` goes to `int_ip`."""

    int_ip: str
    ext_ip: str


def networks(texts: Iterable[str]) -> list[PodNetwork]:
    """Each an address or a CIDR. Raises ConversionError."""
    return [_plain(text) if _PLAIN_IPV4.fullmatch(text) else _network(text) for text in texts]


def _plain(text: str) -> PodNetwork:
    return PodNetwork(f"{text}/32", text, is_address=True, is_ipv6=False)


def _network(text: str) -> PodNetwork:
    try:
        network = cidr.parse_either(text)[1]
    except ValueError:
        raise ConversionError(f"pod IPs: {_quoted(text)} is neither an address nor a CIDR") from None
    address = network.address
    return PodNetwork(network.text, address.text, network.length == address.bits, network.version == 6)


def address_nats(annotation: str, own: Sequence[PodNetwork]) -> tuple[list[Nat], list[Nat]]:
    """NAT of IPv4 and of IPv6 from the annotation of floating addresses, to the pod's last address of each family.

    Raises ConversionError where the JSON is bad or one of the pod's networks is more than an address.
    """
    wanted = _texts(annotation, "annotation cni.projectcalico.org/floatingIPs")
    targets: dict[bool, str] = {}
    for network in own:
        if not network.is_address:
            raise ConversionError(f"floating IPs: the pod's {network.text} is a network, they need an address")
        targets[network.is_ipv6] = network.address
    nats: tuple[list[Nat], list[Nat]] = ([], [])
    for text in wanted:
        # As Calico tells the families: by the colon, which an IPv4 address written as IPv6 has too.
        is_ipv6 = ":" in text
        try:
            outside = cidr.parse_address(text).text
        except ValueError:
            continue
        if is_ipv6 in targets:
            nats[is_ipv6].append(Nat(targets[is_ipv6], outside))
    return nats


def source_prefixes(annotation: str) -> list[str]:
    """The CIDRs, masked, in their order. Raises ConversionError."""
    field = "annotation cni.projectcalico.org/allowedSourcePrefixes"
    prefixes = []
    for text in _texts(annotation, field):
        try:
            prefixes.append(cidr.parse(text)[1].text)
        except ValueError:
            raise ConversionError(f"{field}: {_quoted(text)} is not a CIDR") from None
    return prefixes


def _texts(annotation: str, field: str) -> list[str]:
    try:
        texts = _read_texts(annotation)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ConversionError(f"{field}: not a JSON list of texts") from None
    return [text or "" for text in texts or ()]


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")
