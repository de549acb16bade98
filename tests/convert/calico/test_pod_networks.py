"""A pod's addresses: texts that YAML cannot show, and any text at all."""

from __future__ import annotations

import contextlib
import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.pod_networks import Nat, address_nats, networks, source_prefixes
from typha.convert.converter import ConversionError

ADDRESSES = st.ip_addresses().map(str)
TEXTS = ADDRESSES | st.text("0123456789abcdef:./% ", max_size=20) | st.text(max_size=5)


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_its_own_text(address: ipaddress.IPv4Address) -> None:
    (network,) = networks([str(address)])
    assert network == (f"{address}/32", str(address), True, False)


@given(st.integers(2**48, 2**128 - 1).map(ipaddress.IPv6Address))
def test_every_ipv6_address_is_read(address: ipaddress.IPv6Address) -> None:
    (network,) = networks([address.exploded.upper()])
    assert network == (f"{address}/128", str(address), True, True)


def test_ipv4_written_as_ipv6() -> None:
    (network,) = networks(["::ffff:10.0.0.1"])
    assert network == ("10.0.0.1/32", "10.0.0.1", True, False)


@pytest.mark.parametrize("text", ["256.0.0.1", "1.2.3.04", "1.2.3.4.5", "1.2.3.4\n", "\u0661.2.3.4", "", "\0"])
def test_nearly_ipv4(text: str) -> None:
    with pytest.raises(ConversionError, match="pod IPs: "):
        networks([text])


def test_a_floating_address_is_told_by_its_colon() -> None:
    """As in Calico: IPv4 written as IPv6 leads to the pod's IPv6 address, or nowhere."""
    both = networks(["10.0.0.1", "fd00::1"])
    assert address_nats('["::ffff:192.0.2.1"]', both) == ([], [Nat("fd00::1", "192.0.2.1")])
    assert address_nats('["::ffff:192.0.2.1"]', both[:1]) == ([], [])


@given(st.lists(TEXTS | st.none()), st.lists(TEXTS))
def test_never_another_error(annotated: list[str | None], own: list[str]) -> None:
    annotation = json.dumps(annotated)
    for attempt in (
        lambda: networks(own),
        lambda: source_prefixes(annotation),
        lambda: address_nats(annotation, networks(own)),
    ):
        with contextlib.suppress(ConversionError):
            attempt()


def test_what_is_quoted_is_short() -> None:
    with pytest.raises(ConversionError) as caught:
        networks(["9" * 50])
    assert caught.value.reason == f"pod IPs: '{'9' * 50}' is neither an address nor a CIDR"
    with pytest.raises(ConversionError) as caught:
        networks(["9" * 51])
    assert caught.value.reason == f"pod IPs: '{'9' * 50}...' is neither an address nor a CIDR"


@pytest.mark.parametrize("annotation", ["[" * 100_000, '["' + "a" * 100_000, '["\ud800"]', "\x00", "nul", "[1e400]"])
def test_hostile_annotations(annotation: str) -> None:
    for read in (source_prefixes, lambda text: address_nats(text, networks(["10.0.0.1"]))):
        with pytest.raises(ConversionError, match="not a JSON list of texts"):
            read(annotation)


def test_a_network_survives_being_read_again() -> None:
    for text in ("10.0.0.0/8", "fd00::/64", "0.0.0.0/0", "::/0", "192.0.2.1/32"):
        assert [each.text for each in networks([text])] == source_prefixes(json.dumps([text])) == [text]
