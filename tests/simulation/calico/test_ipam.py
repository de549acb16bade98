"""IPAM: blocks hold exactly what was taken, and look as Calico's do."""

from __future__ import annotations

import pytest

from typha.simulation import objects
from typha.simulation.calico.ipam import Ipam, owner_of_pod, owner_of_tunnel, v6_address

POD = owner_of_pod("shop", "web-1", "n2", "c" * 64)


def test_a_block_lists_what_is_held() -> None:
    ipam = Ipam(["n1", "n2"], 256)
    tunnel = owner_of_tunnel("n2", "ipip")
    block = ipam.take(1, 0, tunnel)
    assert ipam.take(1, 3, POD) is block
    spec = block.document().obj["spec"]
    assert (spec["cidr"], spec["affinity"]) == ("10.0.1.0/26", "host:n2")
    assert spec["allocations"][:5] == [0, None, None, 1, None]
    assert spec["unallocated"][:3] == [1, 2, 4]
    assert len(spec["allocations"]) == len(spec["unallocated"]) + 2 == 64
    assert spec["attributes"] == [tunnel, POD]
    assert [each["handle_id"] for each in (tunnel, POD)] == ["ipip-tunnel-addr-n2", f"k8s-pod-network.{'c' * 64}"]
    assert spec["attributes"][1]["secondary"] == {"namespace": "shop", "node": "n2", "pod": "web-1"}
    assert block.document().obj["metadata"]["name"] == "10-0-1-0-26"
    assert block.affinity().obj["metadata"]["name"] == "n2-10-0-1-0-26"
    assert block.affinity().obj["spec"]["cidr"] == spec["cidr"]


def test_a_released_address_is_used_last() -> None:
    ipam = Ipam(["n1", "n2"], 256)
    block = ipam.take(0, 2, POD)
    block.sequence = 7
    ipam.take(0, 5, POD)
    assert block.document().obj["spec"]["sequenceNumberForAllocation"] == {"2": 0, "5": 7}
    assert ipam.release(0, 2) is block
    spec = block.document().obj["spec"]
    assert spec["unallocated"][-1] == 2
    assert spec["allocations"][2] is None
    assert spec["allocations"][5] == 0
    with pytest.raises(KeyError):
        ipam.release(0, 2)


def test_the_next_64_addresses_are_the_next_block_and_ipv6_has_its_own() -> None:
    ipam = Ipam(["n1"], 256)
    assert [ipam.take(0, offset, POD, version).cidr for version in (4, 6) for offset in (63, 64)] == [
        "10.0.0.0/26",
        "10.0.0.64/26",
        "fd00:10:244::/122",
        "fd00:10:244::40/122",
    ]
    assert len(list(ipam.blocks())) == 4


def test_pods_addresses_are_in_their_blocks() -> None:
    assert objects.pod_ip(3, 0, 256) == objects.range_ip(3, 2, 256) == "10.0.3.2"
    assert v6_address(3 * 256 + 2) == "fd00:10:244::302"
