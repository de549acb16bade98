"""ClusterInformation: what holds for any object. What single fields become is in the corpus, room `config`."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.cluster_information import ClusterInformations
from typha.convert.converter import ConversionError

converter = ClusterInformations("projectcalico.org")
FIELDS = ("clusterGUID", "clusterType", "calicoVersion", "datastoreReady", "variant", "other")


def held(object_name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    raw = json.dumps({"metadata": {"name": object_name, **metadata}, "spec": spec}).encode()
    entries = converter.convert(object_name, raw)
    assert all(entry.attributes == () for entry in entries)
    return {entry.key: msgspec.msgpack.decode(entry.value) for entry in entries}


def test_a_ready_flag_that_is_taken_back_is_no_key() -> None:
    assert held("default", {"datastoreReady": True}) == {"/calico/v1/Ready": "true"}
    assert held("default", {"datastoreReady": False}) == {"/calico/v1/Ready": "false"}
    assert held("default", {"datastoreReady": None}) == held("default", {}) == {}


def test_the_form_names_the_group() -> None:
    assert converter.form == ClusterInformations("projectcalico.org").form
    assert converter.form != ClusterInformations("crd.projectcalico.org").form


def test_it_has_no_filters_and_nothing_standing() -> None:
    assert (converter.attributes, converter.standing) == ((), ())


@given(
    st.sampled_from(["default", "node.n1", "other"]),
    st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.integers() | st.text(max_size=5)),
)
def test_any_spec_converts_or_is_refused_with_a_field(object_name: str, spec: dict[str, Any]) -> None:
    right = {
        name: isinstance(value, bool) if name == "datastoreReady" else isinstance(value, str)
        for name, value in spec.items()
        if name != "other" and value is not None
    }
    if all(right.values()):
        found = held(object_name, spec)
        assert len(found) <= max(1, len(spec))
        return
    with pytest.raises(ConversionError) as caught:
        held(object_name, spec)
    assert caught.value.reason.startswith("spec.")
