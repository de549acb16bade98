"""Services and EndpointSlices: what the corpus does not say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico import endpoint_slice, service
from typha.convert.calico.endpoint_slice import EndpointSlices
from typha.convert.calico.service import Services
from typha.convert.converter import ConversionError

METADATA = {"name": "x", "namespace": "ns"}


def value(made: Any, **fields: Any) -> Any:
    [entry] = made().convert("ns/x", json.dumps({"metadata": METADATA, **fields}).encode())
    return msgspec.msgpack.decode(entry.value)


def test_keys_and_attributes() -> None:
    prefix = "/calico/resources/v3/projectcalico.org"
    assert service.keys_of("ns/x") == (f"{prefix}/kubernetesservice/ns/x",)
    assert endpoint_slice.keys_of("ns/x") == (f"{prefix}/kubernetesendpointslices/ns/x",)
    assert Services().attributes == EndpointSlices().attributes == ("namespace", "labels")
    assert Services().form != EndpointSlices().form
    for made in (Services, EndpointSlices):
        raw = json.dumps({"metadata": {**METADATA, "labels": {"a": "b"}}}).encode()
        [entry] = made().convert("ns/x", raw)
        assert entry.attributes == ("ns", service.labels_of)
        assert entry.attributes is service.namespace_and_labels("n" + "s")
        assert service.labels_of(entry.value) == {"a": "b"}


@pytest.mark.parametrize("made", [Services, EndpointSlices])
def test_what_is_never_sent(made: Any) -> None:
    metadata = {**METADATA, "resourceVersion": "1", "managedFields": [{"manager": "m"}], "generation": 2}
    found = value(made, metadata=metadata, kind="K", apiVersion="v1")
    assert found["metadata"] == {**METADATA, "generation": 2}
    assert not {"kind", "apiVersion"} & set(found)


def test_what_is_always_there() -> None:
    assert value(Services)["spec"] == {}
    assert value(Services)["status"] == {"loadBalancer": {}}
    assert value(Services, spec=None, status=None)["status"] == {"loadBalancer": {}}
    assert value(Services, status={"loadBalancer": None, "x": 1})["status"] == {"loadBalancer": {}, "x": 1}
    assert value(EndpointSlices, endpoints=[]) == {"metadata": METADATA, "endpoints": None, "ports": None}


@pytest.mark.parametrize("made", [Services, EndpointSlices])
@pytest.mark.parametrize("metadata", [None, [], "x", {"labels": []}, {"labels": {"a": 1}}, {"labels": "x"}])
def test_metadata_that_is_none(made: Any, metadata: Any) -> None:
    with pytest.raises(ConversionError, match=r"^metadata"):
        value(made, metadata=metadata)


@pytest.mark.parametrize("made", [Services, EndpointSlices])
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null"])
def test_what_does_not_decode(made: Any, raw: bytes) -> None:
    with pytest.raises(ConversionError, match=r"^does not decode: "):
        made().convert("ns/x", raw)


@pytest.mark.parametrize("made", [Services, EndpointSlices])
def test_numbers_that_msgpack_cannot_hold(made: Any) -> None:
    with pytest.raises(ConversionError, match="msgpack"):
        value(made, x=1 << 64)
