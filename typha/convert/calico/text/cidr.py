"""IP addresses and CIDRs as Go reads and prints them.

Place: every kind with an address, a network or a key made of one. Source: Go's `net` (ParseIP, ParseCIDR, IP.String)
and libcalico-go `net`, which Calico's rules call.

Invariants
1. What is refused here is refused there: leading zeros in a part of an IPv4 address or a mask, zones, blanks, a mask of
   another family, a part missing.
2. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, and so is a network (`::ffff:10.0.0.0/104`
   is `10.0.0.0/8`) unless its mask cuts into the prefix.
3. IPv6 text is RFC 5952: lower case, the longest run of zeros (the first of equal ones) shortened.

Road not taken: `ipaddress` alone. It reads zones and masks like `/255.255.255.0`, and prints mapped addresses its own
way; it is the workhorse below, behind Go's rules.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

__all__ = ["Address", "Network", "key_text", "parse", "parse_address", "parse_either"]

# What Go's parsers take; `ipaddress` refuses leading zeros and parts out of range itself.
_V4: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)
_V6: Final = re.compile(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", re.ASCII)
# Go reads a mask as a decimal number of any length and compares; no mask is above 128.
_MASK: Final = re.compile(r"0{0,99}[0-9]{1,3}", re.ASCII)

_MAPPED: Final = 0xFFFF << 32
_V4_BITS: Final = 32
_V6_BITS: Final = 128


class Address(NamedTuple):
    """One address. `version` is 4 for IPv4 written as IPv6 too."""

    version: int
    number: int

    @property
    def text(self) -> str:
        """Go's canonical text."""
        if self.version == 4:
            return str(ipaddress.IPv4Address(self.number))
        return str(ipaddress.IPv6Address(self.number))

    @property
    def bits(self) -> int:
        """Of an address of this family."""
        return _V4_BITS if self.version == 4 else _V6_BITS

    def next(self) -> Address:
        """This address with its last byte counted up by one, 255 to 0: how Calico takes the first one of a network."""
        return Address(self.version, self.number & ~0xFF | (self.number + 1) & 0xFF)


class Network(NamedTuple):
    """A network; `length` counts the bits of its family's addresses that all have in common."""

    address: Address
    length: int

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.address.version

    @property
    def text(self) -> str:
        """Go's canonical text."""
        return f"{self.address.text}/{self.length}"


def parse_address(text: str) -> Address:
    """Go's ParseIP. ValueError where it is no address."""
    try:
        if _V4.fullmatch(text):
            return Address(4, int(ipaddress.IPv4Address(text)))
        if _V6.fullmatch(text):
            number = int(ipaddress.IPv6Address(text))
            if number >> _V4_BITS == _MAPPED >> _V4_BITS:
                return Address(4, number & 0xFFFFFFFF)
            return Address(6, number)
    except ValueError:
        pass  # the reason quotes the text; ours does not
    raise ValueError("not an IP address")


def parse(text: str) -> tuple[Address, Network]:
    """Go's ParseCIDR: the address as written, and its network, host bits cleared. ValueError says what is wrong."""
    written, slash, mask = text.partition("/")
    if not slash:
        raise ValueError("not a CIDR (it has no /)")
    address = parse_address(written)
    bits = _V6_BITS if ":" in written else _V4_BITS
    if not _MASK.fullmatch(mask) or int(mask) > bits:
        raise ValueError("not a CIDR (no length of its family stands after the /)")
    length = int(mask)
    if address.version == 4 and bits == _V6_BITS:
        if length < _V6_BITS - _V4_BITS:
            cleared = _V6_BITS - length
            return address, Network(Address(6, (_MAPPED | address.number) >> cleared << cleared), length)
        length -= _V6_BITS - _V4_BITS
    host_bits = address.bits - length
    return address, Network(Address(address.version, address.number >> host_bits << host_bits), length)


def parse_either(text: str) -> tuple[Address, Network]:
    """A CIDR, or an address, which is a network of its own. ValueError where it is neither."""
    try:
        return parse(text)
    except ValueError:
        address = parse_address(text)
        return address, Network(address, address.bits)


def key_text(network: Network) -> str:
    """A network as part of a key path: `10.0.1.0-24`."""
    return network.text.replace("/", "-", 1)
