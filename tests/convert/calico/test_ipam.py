"""Pools, blocks and affinities: what the corpus does not say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico.block_affinity import BlockAffinities
from typha.convert.calico.ip_pool import IpPools
from typha.convert.calico.ipam_block import IpamBlocks, node_attribute
from typha.convert.converter import ConversionError

CRD = "crd.projectcalico.org"
UID = "00112233-4455-4677-8899-aabbccddeeff"
BAD_METADATA = {"name": "x", "uid": UID, "annotations": {"projectcalico.org/metadata": "{"}}
MADE = (IpPools, IpamBlocks, BlockAffinities)


def raw(metadata: dict[str, Any] | None = None, **spec: Any) -> bytes:
    return json.dumps({"metadata": metadata or {"name": "x", "uid": UID}, "spec": spec}).encode()


def test_forms_and_attributes() -> None:
    assert len({made(group).form for made in MADE for group in (CRD, "projectcalico.org")}) == 6
    assert [made(CRD).attributes for made in MADE] == [(), ("node",), ("node",)]
    assert all(made(CRD).standing == () for made in MADE)


@pytest.mark.parametrize(
    ("made", "key"),
    [
        (IpPools, "/calico/v1/ipam/v4/pool/10.0.0.0-8"),
        (IpamBlocks, "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-8"),
        (BlockAffinities, "/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-8"),
    ],
)
def test_an_object_that_fails_tells_the_key_it_could_have(made: Any, key: str) -> None:
    with pytest.raises(ConversionError) as caught:
        made(CRD).convert("x", raw(BAD_METADATA, cidr="10.0.0.0/8", node="n1"))
    assert caught.value.keys == (key,)


def test_a_bad_time_and_a_bad_mark_tell_the_key() -> None:
    with pytest.raises(ConversionError) as caught:
        IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", attributes=[{"releasedAt": "x"}]))
    assert caught.value.keys == ("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30",)
    assert caught.value.reason.startswith("spec.attributes[].releasedAt: ")
    with pytest.raises(ConversionError) as caught:
        BlockAffinities(CRD).convert("x", raw(cidr="10.0.0.0/30", node="n", deleted="maybe"))
    assert caught.value.keys == ("/calico/ipam/v2/host/n/ipv4/block/10.0.0.0-30",)


@pytest.mark.parametrize("mark", ["1", "t", "T", "true", "TRUE", "True", True])
def test_marks_of_deletion(mark: object) -> None:
    assert BlockAffinities(CRD).convert("x", raw(cidr="10.0.0.0/30", node="n", deleted=mark)) == ()


@pytest.mark.parametrize("mark", ["", "0", "f", "F", "false", "FALSE", "False", False, None])
def test_no_marks_of_deletion(mark: object) -> None:
    [entry] = BlockAffinities(CRD).convert("x", raw(cidr="10.0.0.0/30", node="n", deleted=mark))
    assert msgspec.msgpack.decode(entry.value) == {"state": "", "deleted": False}


def test_attributes_of_a_node_are_one_object() -> None:
    assert node_attribute("n1") is node_attribute("n" + str(1))
    [block] = IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", affinity="host:n1"))
    assert block.attributes is node_attribute("n1")


def test_fields_of_a_block_stand_in_calicos_order() -> None:
    [entry] = IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", affinityClaimTime="2024-01-02T03:04:05Z"))
    assert list(msgspec.msgpack.decode(entry.value)) == [
        *("cidr", "affinity", "affinity_claim_time", "allocations", "unallocated", "attributes"),
        *("sequenceNumber", "sequenceNumberForAllocation", "deleted"),
    ]


def test_numbers_that_msgpack_cannot_hold() -> None:
    [entry] = IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", sequenceNumber=(1 << 64) - 1))
    assert msgspec.msgpack.decode(entry.value)["sequenceNumber"] == (1 << 64) - 1
    with pytest.raises(ConversionError):
        IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", sequenceNumber=1 << 64))
    with pytest.raises(ConversionError):
        IpamBlocks(CRD).convert("x", raw(cidr="10.0.0.0/30", allocations=[1 << 63]))


def test_fields_of_a_pool_stand_in_calicos_order() -> None:
    [entry] = IpPools(CRD).convert("x", raw(cidr="10.0.0.0/30", allowedUses=["Tunnel"]))
    assert list(msgspec.msgpack.decode(entry.value)) == [
        *("cidr", "ipip", "ipip_mode", "vxlan_mode", "masquerade", "ipam", "disabled", "disableBGPExport"),
        *("assignment_mode", "allowed_uses"),
    ]
