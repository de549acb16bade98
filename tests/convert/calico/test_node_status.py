from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico.node_status import CalicoNodeStatuses, keys_of
from typha.convert.converter import ConversionError

CRD = "crd.projectcalico.org"
SPEC = {"node": "n1", "classes": ["BGP"], "updatePeriodSeconds": 86400}


def convert(status: Any = None, **spec: Any) -> Any:
    document = {"metadata": {"name": "x"}, "spec": {**SPEC, **spec}, **({} if status is None else {"status": status})}
    [entry] = CalicoNodeStatuses(CRD).convert("x", json.dumps(document).encode())
    assert entry.key == keys_of("x")[0] == "/calico/resources/v3/projectcalico.org/caliconodestatuses/x"
    assert entry.attributes == (spec.get("node", "n1"),)
    return msgspec.msgpack.decode(entry.value)


def test_the_longest_period_passes() -> None:
    assert convert()["spec"]["updatePeriodSeconds"] == 86400


def test_fields_stand_in_calicos_order() -> None:
    value = convert({})
    assert list(value) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert list(value["status"]) == ["lastUpdated", "agent", "bgp", "routes"]
    assert list(value["status"]["bgp"]) == [
        *("numberEstablishedV4", "numberNotEstablishedV4", "numberEstablishedV6", "numberNotEstablishedV6"),
    ]


def test_nulls_in_a_status() -> None:
    value = convert({"lastUpdated": None, "agent": None, "bgp": {"numberEstablishedV4": 1, "peersV4": None}})
    assert value["status"]["lastUpdated"] is None
    assert value["status"]["agent"] == {"birdV4": {}, "birdV6": {}}
    assert value["status"]["bgp"]["numberEstablishedV4"] == 1


def test_times_are_canonical() -> None:
    assert convert({"lastUpdated": "2024-01-02T03:04:05.6+01:00"})["status"]["lastUpdated"] == "2024-01-02T02:04:05Z"


@pytest.mark.parametrize("spec", [{"node": ""}, {"node": "A"}, {"updatePeriodSeconds": -1}, {"classes": None}])
def test_what_calico_drops(spec: dict[str, Any]) -> None:
    with pytest.raises(ConversionError):
        convert(**spec)


def test_forms() -> None:
    assert CalicoNodeStatuses(CRD).form != CalicoNodeStatuses("projectcalico.org").form
