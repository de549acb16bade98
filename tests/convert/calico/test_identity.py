from __future__ import annotations

import pytest

from typha.convert.calico.identity import Identity, identity_of
from typha.convert.calico.metadata import Metadata
from typha.convert.converter import ConversionError

CRD, V3 = "crd.projectcalico.org", "projectcalico.org"
ANNOTATION = "projectcalico.org/metadata"


def test_without_the_annotation_metadata_is_as_it_is() -> None:
    metadata = Metadata(name="a", labels={"b": "2", "a": "1"}, annotations={"x": "y"})
    for group in (CRD, V3):
        found = identity_of(metadata, group)
        assert found == Identity("", {"a": "1", "b": "2"}, {"x": "y"})
        assert found.labels is not None
        assert list(found.labels) == ["a", "b"]
    assert identity_of(Metadata(), CRD) == Identity("", None, {})


def test_the_annotation_wins_and_is_gone() -> None:
    text = '{"name":"web","labels":{"a":"new","c":"3"},"annotations":{"x":"new"},"uid":"u"}'
    metadata = Metadata(
        name="default.web", labels={"a": "1", "b": "2"}, annotations={ANNOTATION: text, "x": "y", "k": "v"}
    )
    assert identity_of(metadata, CRD) == Identity("web", {"a": "new", "b": "2", "c": "3"}, {"x": "new", "k": "v"})


def test_labels_may_be_in_the_annotation_alone() -> None:
    metadata = Metadata(annotations={ANNOTATION: '{"labels":{"b":"2","a":"1"}}'})
    found = identity_of(metadata, CRD)
    assert found == Identity("", {"a": "1", "b": "2"}, {})
    assert list(found.labels or {}) == ["a", "b"]


def test_natively_served_objects_are_not_restored() -> None:
    metadata = Metadata(annotations={ANNOTATION: '{"name":"x"}'})
    assert identity_of(metadata, V3) == Identity("", None, {ANNOTATION: '{"name":"x"}'})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"labels":[]}', '{"name":1}', "[" * 5000])
def test_what_does_not_decode(text: str) -> None:
    with pytest.raises(ConversionError, match=ANNOTATION):
        identity_of(Metadata(annotations={ANNOTATION: text}), CRD)
