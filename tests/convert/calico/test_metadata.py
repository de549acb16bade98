from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from typha.convert.calico.metadata import (
    CRD_GROUP,
    Metadata,
    checked,
    is_name,
    labels_of,
    of_kubernetes,
    restored,
    sorted_map,
    text_map,
    unpacked,
    v3_object,
)
from typha.convert.calico.text import uid
from typha.convert.converter import ConversionError

UID = "00112233-4455-4677-8899-aabbccddeeff"
ANNOTATION = "projectcalico.org/metadata"
V3_GROUP = "projectcalico.org"

maps = st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


def stored(**fields: Any) -> Metadata:
    return msgspec.convert({"name": "x", "uid": UID, "creationTimestamp": "2024-01-02T03:04:05Z", **fields}, Metadata)


def shown(metadata: Metadata) -> Any:
    return json.loads(msgspec.json.encode(metadata))


def test_order_and_zeros_are_those_of_go() -> None:
    full = stored(
        finalizers=["f"],
        ownerReferences=[{"uid": "u", "name": "n", "kind": "K", "apiVersion": "v1"}],
        annotations={"b": "2", "a": "1"},
        labels={"d": "4", "c": "3"},
        deletionGracePeriodSeconds=0,
        deletionTimestamp="2024-01-02T03:04:06Z",
        generation=1,
        selfLink="/x",
        namespace="ns",
        generateName="x-",
        resourceVersion="7",
        managedFields=[{"manager": "m"}],
    )
    value = shown(restored(full, V3_GROUP))
    assert list(value) == [
        *("name", "generateName", "namespace", "selfLink", "uid", "generation", "creationTimestamp"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
    ]
    assert list(value["labels"]) == ["c", "d"]
    assert list(value["annotations"]) == ["a", "b"]
    assert value["ownerReferences"] == [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}]
    empty = stored(labels={}, annotations={}, ownerReferences=[], finalizers=[], generation=0)
    assert list(shown(restored(empty, V3_GROUP))) == ["name", "uid", "creationTimestamp"]


def test_native_objects_are_v3_objects_already() -> None:
    native = stored(annotations={ANNOTATION: "{"})
    assert restored(native, V3_GROUP) == native


def test_custom_resources_have_another_uid() -> None:
    assert restored(stored(), CRD_GROUP).uid == uid.reverse(UID)
    assert not restored(stored(uid=""), CRD_GROUP).uid
    with pytest.raises(ConversionError, match=r"^metadata\.uid: a UID is not a UUID$"):
        restored(stored(uid="x"), CRD_GROUP)


def test_both_times_are_canonical() -> None:
    text, time = "2026-01-01T02:00:00.5+02:00", "2026-01-01T00:00:00Z"
    found = restored(stored(creationTimestamp=text, deletionTimestamp=text), V3_GROUP)
    assert (found.creation_timestamp, found.deletion_timestamp) == (time, time)
    inside = json.dumps({"creationTimestamp": text, "deletionTimestamp": text})
    found = restored(stored(annotations={ANNOTATION: inside}), CRD_GROUP)
    assert (found.creation_timestamp, found.deletion_timestamp) == (time, time)
    for field in ("creationTimestamp", "deletionTimestamp"):
        with pytest.raises(ConversionError, match=rf"^{field}: a time "):
            restored(stored(**{field: "now"}), V3_GROUP)
        with pytest.raises(ConversionError, match=rf"^annotation {ANNOTATION}: {field}: a time "):
            restored(stored(annotations={ANNOTATION: json.dumps({field: "now"})}), CRD_GROUP)


def test_a_name_in_the_annotation_is_the_v3_objects() -> None:
    kept = stored(annotations={ANNOTATION: '{"name":"y","namespace":"other"}'}, namespace="ns")
    found = restored(kept, CRD_GROUP)
    assert (found.name, found.namespace, found.annotations) == ("y", "ns", None)


def test_of_kubernetes_is_identity_and_age() -> None:
    source = stored(namespace="ns", generation=3, finalizers=["f"], labels={"a": "b"})
    assert shown(of_kubernetes(source, {"z": "1", "y": "2"}, {})) == {
        "name": "x",
        "namespace": "ns",
        "uid": UID,
        "creationTimestamp": "2024-01-02T03:04:05Z",
        "labels": {"y": "2", "z": "1"},
    }


def test_maps() -> None:
    assert sorted_map(None) is None
    assert sorted_map({}) is None
    assert list(sorted_map({"b": "", "a": "1"}) or {}) == ["a", "b"]
    assert text_map('{"a":"b","c":null}') == {"a": "b", "c": ""}
    assert text_map("null") == {}
    for text in ("", "[]", '{"a":1}', "{", '"a"'):
        with pytest.raises(ValueError, match=r"^not a JSON map of texts$"):
            text_map(text)


def test_labels_of_a_value() -> None:
    encode = msgspec.msgpack.encode
    assert labels_of(encode({"kind": "K", "metadata": {"name": "x", "labels": {"a": "b"}}})) == {"a": "b"}
    assert labels_of(encode({"metadata": {"name": "x"}})) == {}
    assert labels_of(encode({"spec": {}})) == {}


def test_unpacked_is_the_annotation_and_the_others() -> None:
    packed = stored(annotations={"a": "b", ANNOTATION: '{"labels":{"c":"d"}}'})
    assert unpacked(packed, CRD_GROUP) == (Metadata(labels={"c": "d"}), {"a": "b"})
    assert unpacked(packed, V3_GROUP) == (None, packed.annotations)
    assert unpacked(stored(annotations={ANNOTATION: "null"}), CRD_GROUP) == (Metadata(), {})
    assert unpacked(stored(), CRD_GROUP) == (None, {})


def test_a_v3_object_has_four_parts() -> None:
    metadata = stored()
    assert list(v3_object("K", metadata, 7).items()) == [
        ("kind", "K"),
        ("apiVersion", "projectcalico.org/v3"),
        ("metadata", metadata),
        ("spec", 7),
    ]


@pytest.mark.parametrize("name", ["a", "a-b", "a.b", "0", "a" * 253])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a..b", ".a", "a_b", "a\n", "a" * 254])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"a": "x" * 63, "a.b/C_d.e-f": "", "n" * 63: "A.b_c-9"}},
        {"annotations": {"Example.COM/Name": "any thing\n", "a" * 253 + "/n": "", "n": "é"}},
        {"annotations": {"a": "x" * (256 * 1024 - 1)}},
    ],
)
def test_metadata_that_calico_lets_through(fields: dict[str, Any]) -> None:
    metadata = stored(**fields)
    assert checked(metadata) is metadata


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "A"}, "name"),
        ({"labels": {"a": "x" * 64}}, "labels"),
        ({"labels": {"a": "-x"}}, "labels"),
        ({"labels": {"a": "x\n"}}, "labels"),
        ({"labels": {"": "x"}}, "labels"),
        ({"labels": {"n" * 64: "x"}}, "labels"),
        ({"labels": {"/a": "x"}}, "labels"),
        ({"labels": {"a/": "x"}}, "labels"),
        ({"labels": {"a/b/c": "x"}}, "labels"),
        ({"labels": {"A.b/c": "x"}}, "labels"),
        ({"labels": {"a" * 254 + "/c": "x"}}, "labels"),
        ({"annotations": {"a b": "x"}}, "annotations"),
        ({"annotations": {"a": "x" * 256 * 1024}}, "annotations"),
        ({"annotations": {"a": "é" * 128 * 1024}}, "annotations"),
        ({"annotations": {"a": "x" * 128 * 1024, "b": "x" * 128 * 1024, "c": ""}}, "annotations"),
    ],
)
def test_metadata_that_calico_drops(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ConversionError, match=rf"^metadata\.{field}: "):
        checked(stored(**fields))


def test_the_limit_of_annotations_is_named() -> None:
    with pytest.raises(ConversionError) as caught:
        checked(stored(annotations={"a": "x" * 256 * 1024}))
    assert caught.value.reason == "metadata.annotations: more than 256 KiB"


@given(maps, maps, maps, maps)
def test_the_annotation_lies_over_the_resource(
    labels: dict[str, str] | None,
    annotations: dict[str, str] | None,
    kept_labels: dict[str, str] | None,
    kept_annotations: dict[str, str] | None,
) -> None:
    text = json.dumps({"labels": kept_labels, "annotations": kept_annotations})
    found = restored(stored(labels=labels, annotations={**(annotations or {}), ANNOTATION: text}), CRD_GROUP)
    assert (found.labels or {}) == {**(labels or {}), **(kept_labels or {})}
    assert (found.annotations or {}) == {**(annotations or {}), **(kept_annotations or {})}


@given(st.text(max_size=30))
def test_any_annotation_decodes_or_is_an_error(text: str) -> None:
    reason = f"annotation {ANNOTATION}"
    try:
        restored(stored(annotations={ANNOTATION: text}), CRD_GROUP)
    except ConversionError as error:
        reason = error.reason
    assert reason.startswith(f"annotation {ANNOTATION}")
