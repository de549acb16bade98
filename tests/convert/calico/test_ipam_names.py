from __future__ import annotations

import pytest

from typha.convert.calico.ipam_names import affinity_may_be_contested, block_may_be_contested

BLOCK = "/calico/ipam/v2/assignment/ipv4/block/10.244.1.0-30"
BLOCK_V6 = "/calico/ipam/v2/assignment/ipv6/block/fd00:244::-122"
AFFINITY = "/calico/ipam/v2/host/node-full/ipv4/block/10.244.1.0-30"
VIRTUAL = "/calico/ipam/v2/virtual/load-balancer/ipv4/block/198.51.100.0-32"


@pytest.mark.parametrize(
    ("name", "key", "contested"),
    [
        ("10-244-1-0-30", BLOCK, False),
        ("mine", BLOCK, True),
        ("x-10-244-1-0-30", BLOCK, True),
        ("fd00-244---122", BLOCK_V6, False),
    ],
)
def test_block(name: str, key: str, contested: bool) -> None:
    assert block_may_be_contested(name, key) is contested


@pytest.mark.parametrize(
    ("name", "key", "contested"),
    [
        ("node-full-10-244-1-0-30", AFFINITY, False),
        ("full-10-244-1-0-30", AFFINITY, True),
        ("10-244-1-0-30", AFFINITY, True),
        ("load-balancer-198-51-100-0-32", VIRTUAL, False),
    ],
)
def test_affinity(name: str, key: str, contested: bool) -> None:
    assert affinity_may_be_contested(name, key) is contested
