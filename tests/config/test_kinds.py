from __future__ import annotations

import pytest

from typha.config import HostPort


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"])
def test_every_address(host: str) -> None:
    every = HostPort(host, 1)
    assert every.is_wildcard
    assert every.shares_host_with(HostPort("10.0.0.1", 2))
    assert HostPort("name", 2).shares_host_with(every)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0.example"])
def test_one_address(host: str) -> None:
    one = HostPort(host, 1)
    assert not one.is_wildcard
    assert one.shares_host_with(HostPort(host, 2))
    assert not one.shares_host_with(HostPort("10.0.0.1", 1))
