from __future__ import annotations

import ipaddress

import hypothesis.strategies as st
import pytest
from hypothesis import given

from typha.convert.calico.text import cidr


@pytest.mark.parametrize(
    ("written", "version", "text"),
    [
        ("1.2.3.4", 4, "1.2.3.4"),
        ("0.0.0.0", 4, "0.0.0.0"),
        ("255.255.255.255", 4, "255.255.255.255"),
        ("::ffff:1.2.3.4", 4, "1.2.3.4"),
        ("::FFFF:102:304", 4, "1.2.3.4"),
        ("::ffff:0:0", 4, "0.0.0.0"),
        ("::fffe:1.2.3.4", 6, "::fffe:102:304"),
        ("1::ffff:1.2.3.4", 6, "1::ffff:102:304"),
        ("::1.2.3.4", 6, "::102:304"),
        ("2001:DB8:0:0:1:0:0:1", 6, "2001:db8::1:0:0:1"),
        ("fd00:0:1:0:0:0:0:0", 6, "fd00:0:1::"),
        ("1:2:3:4:5:6:7::", 6, "1:2:3:4:5:6:7:0"),
        ("::", 6, "::"),
    ],
)
def test_addresses(written: str, version: int, text: str) -> None:
    address = cidr.parse_address(written)
    assert (address.version, address.text) == (version, text)
    assert address.bits == (32 if version == 4 else 128)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " 1.2.3.4",
            "1.2.3.4 ",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.04",
            "256.1.1.1",
            "1.2.3.-4",
            "1.2.3.4/32",
        ),
        *("1.2.3.٤", "fe80::1%eth0", "1::2::3", ":", ":::", "12345::", "::1.2.3", "::01.2.3.4", "1:2:3:4:5:6:7:8:9"),
        *("1:2:3:4::5:6:7:8", "g::", "localhost", "0x7f.0.0.1", "1:2:3:4:5:6:7"),
    ],
)
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(ValueError, match=r"^not an IP address$"):
        cidr.parse_address(written)


@pytest.mark.parametrize(
    ("written", "address", "network", "version"),
    [
        ("10.0.0.5/8", "10.0.0.5", "10.0.0.0/8", 4),
        ("10.0.0.5/32", "10.0.0.5", "10.0.0.5/32", 4),
        ("10.0.0.5/0", "10.0.0.5", "0.0.0.0/0", 4),
        ("10.0.0.5/08", "10.0.0.5", "10.0.0.0/8", 4),
        ("fd00::5/64", "fd00::5", "fd00::/64", 6),
        ("fd00::5/128", "fd00::5", "fd00::5/128", 6),
        ("::/0", "::", "::/0", 6),
        ("::ffff:10.1.2.3/104", "10.1.2.3", "10.0.0.0/8", 4),
        ("::ffff:10.1.2.3/128", "10.1.2.3", "10.1.2.3/32", 4),
        ("::ffff:10.1.2.3/96", "10.1.2.3", "0.0.0.0/0", 4),
        ("::ffff:10.1.2.3/95", "10.1.2.3", "::fffe:0:0/95", 6),
        ("::ffff:10.1.2.3/24", "10.1.2.3", "::/24", 6),
    ],
)
def test_networks(written: str, address: str, network: str, version: int) -> None:
    found = cidr.parse(written)
    assert (found[0].text, found[1].text, found[1].version) == (address, network, version)
    assert cidr.parse_either(written) == found


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("10.0.0.0", "it has no /"),
        ("", "it has no /"),
        ("10.0.0.0/", "no length"),
        ("10.0.0.0/33", "no length"),
        ("10.0.0.0/+8", "no length"),
        ("10.0.0.0/8/8", "no length"),
        ("10.0.0.0/255.0.0.0", "no length"),
        ("10.0.0.0/٨", "no length"),
        ("fd00::/129", "no length"),
        ("fd00::/1000", "no length"),
        ("10.0.0.0/" + "0" * 6000 + "8", "no length"),
        ("/8", "not an IP address"),
        ("010.0.0.0/8", "not an IP address"),
    ],
)
def test_what_is_no_network(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        cidr.parse(written)


def test_an_address_is_a_network_of_its_own() -> None:
    assert cidr.parse_either("10.0.0.5")[1].text == "10.0.0.5/32"
    assert cidr.parse_either("fd00::5")[1].text == "fd00::5/128"
    assert cidr.parse_either("::ffff:10.0.0.5")[1].text == "10.0.0.5/32"
    with pytest.raises(ValueError, match="not an IP address"):
        cidr.parse_either("10.0.0.5/33")


def test_key_texts() -> None:
    assert cidr.key_text(cidr.parse("10.0.1.0/24")[1]) == "10.0.1.0-24"
    assert cidr.key_text(cidr.parse("FD00:1::/48")[1]) == "fd00:1::-48"


def test_the_next_address_counts_in_the_last_byte() -> None:
    assert cidr.parse_address("10.0.0.0").next().text == "10.0.0.1"
    assert cidr.parse_address("10.0.1.254").next().text == "10.0.1.255"
    assert cidr.parse_address("10.0.1.255").next().text == "10.0.1.0"


@given(st.ip_addresses())
def test_canonical_text_reads_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    found = cidr.parse_address(str(address))
    assert cidr.parse_address(found.text) == found
    assert cidr.parse_address(address.exploded) == found


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_networks_are_those_of_python(address: ipaddress.IPv4Address, length: int) -> None:
    expected = ipaddress.ip_network(f"{address}/{length}", strict=False)
    assert cidr.parse(f"{address}/{length}")[1].text == str(expected)


@given(st.text(alphabet="0123456789abcdefF:./%- ", max_size=24))
def test_any_text_is_a_network_or_a_value_error(text: str) -> None:
    try:
        _, network = cidr.parse_either(text)
    except ValueError:
        return
    assert cidr.parse(network.text)[1] == network
