from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest

from typha.convert.converter import ConversionError, form_of
from typha.convert.field_paths import FieldPathError
from typha.convert.passthrough import Passthrough, form_of_passthrough

POD: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "namespace": "a",
        "labels": {"app": "web"},
        "annotations": {"example.com/x": "1", "other": "2"},
        "managedFields": [{"manager": "kubectl"}],
        "deletionTimestamp": None,
    },
    "spec": {
        "nodeName": "n1",
        "hostNetwork": True,
        "priority": 7,
        "containers": [{"name": "c", "image": "i:1"}, {"name": "d"}, {"image": "i:2"}],
        "overhead": None,
    },
    "status": {"phase": "Running"},
}
HEADER = {"apiVersion": "v1", "kind": "Pod"}


def encode(obj: Any) -> bytes:
    return msgspec.json.encode(obj)


def value(converter: Passthrough, obj: Any) -> Any:
    [entry] = converter.convert("a/web", encode(obj))
    assert entry.key == "a/web"
    return msgpack.unpackb(entry.value)


def test_whole_object_without_managed_fields() -> None:
    metadata = {name: each for name, each in POD["metadata"].items() if name != "managedFields"}
    assert value(Passthrough("Pod", "v1"), POD) == {**HEADER, **POD, "metadata": metadata}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["spec.nodeName", "status.phase"], {"spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}),
        (["metadata.labels"], {"metadata": {"labels": {"app": "web"}}}),
        ([r"metadata.annotations.example\.com/x"], {"metadata": {"annotations": {"example.com/x": "1"}}}),
        (["spec.containers[].image"], {"spec": {"containers": [{"image": "i:1"}, {}, {"image": "i:2"}]}}),
        (["spec.nothing", "status.no.such", "spec.volumes[].name"], {}),
        (["spec.overhead.cpu"], {}),
        (["spec.overhead", "status"], {"spec": {"overhead": None}, "status": {"phase": "Running"}}),
        (["spec.hostNetwork", "spec.priority"], {"spec": {"hostNetwork": True, "priority": 7}}),
        (["kind", "apiVersion", "status"], {"status": {"phase": "Running"}}),
    ],
)
def test_chosen_fields(fields: list[str], expected: dict[str, Any]) -> None:
    assert value(Passthrough("Pod", "v1", fields), POD) == {**HEADER, **expected}


@pytest.mark.parametrize("fields", [None, ["spec.nodeName", "metadata.labels"]])
def test_list_item_and_watched_object_give_equal_bytes(fields: list[str] | None) -> None:
    converter = Passthrough("Pod", "v1", fields)
    [listed] = converter.convert("a/web", encode(POD))
    [watched] = converter.convert("a/web", encode({"kind": "Pod", "apiVersion": "v1", **POD}))
    [sorted_last] = converter.convert("a/web", encode({**POD, "kind": "Pod", "apiVersion": "v1"}))
    assert listed == watched == sorted_last


def test_filter_attributes() -> None:
    converter = Passthrough(
        "Pod",
        "v1",
        ["status.phase"],
        {
            "node": "spec.nodeName",
            "labels": "metadata.labels",
            "app": "metadata.labels.app",
            "host": "spec.hostNetwork",
            "priority": "spec.priority",
            "none": "spec.missing.deeper",
            "null": "spec.overhead",
        },
    )
    assert converter.attributes == ("node", "labels", "app", "host", "priority", "none", "null")
    [entry] = converter.convert("a/web", encode(POD))
    assert entry.attributes == ("n1", {"app": "web"}, "web", "true", "7", None, None)
    assert msgpack.unpackb(entry.value) == {**HEADER, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("filters", "reason"),
    [({"c": "spec.containers"}, "is a list"), ({"s": "spec"}, "is a map of other values than text")],
)
def test_attributes_that_are_no_text(filters: dict[str, str], reason: str) -> None:
    with pytest.raises(ConversionError, match=reason):
        Passthrough("Pod", "v1", None, filters).convert("a/web", encode(POD))


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        (["spec.nodeName"], b'{"spec":"odd"}'),
        (["spec.containers[].image"], b'{"spec":{"containers":{"a":1}}}'),
        (["spec.containers[].image"], b'{"spec":{"containers":["a"]}}'),
        (["spec"], b"[]"),
        (None, b'"text"'),
        (None, b"{"),
        (None, b'{"a":18446744073709551616e0,"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ],
)
def test_bad_objects_raise_conversion_errors(fields: list[str] | None, raw: bytes) -> None:
    with pytest.raises(ConversionError):
        Passthrough("Pod", "v1", fields).convert("a/web", raw)


def test_misshapen_metadata_stays_as_it_is() -> None:
    assert value(Passthrough("Pod", "v1"), {"metadata": ["odd"]}) == {**HEADER, "metadata": ["odd"]}


def test_bad_paths_are_errors_at_the_start() -> None:
    with pytest.raises(FieldPathError):
        Passthrough("Pod", "v1", ["spec..x"])
    with pytest.raises(FieldPathError):
        Passthrough("Pod", "v1", None, {"x": ".a"})


def test_form_names_every_setting() -> None:
    base = form_of_passthrough("v1", ["a", "b"], {"n": "a"}, {"namespace": ""})
    assert base == form_of_passthrough("v1", ["b", "a"], {"n": "a"}, {"namespace": ""})
    assert Passthrough("Pod", "v1", ["a", "b"], {"n": "a"}, {"namespace": ""}).form == base
    others = {
        form_of_passthrough("v2", ["a", "b"], {"n": "a"}, {"namespace": ""}),
        form_of_passthrough("v1", ["a"], {"n": "a"}, {"namespace": ""}),
        form_of_passthrough("v1", None, {"n": "a"}, {"namespace": ""}),
        form_of_passthrough("v1", ["a", "b"], {"n": "b"}, {"namespace": ""}),
        form_of_passthrough("v1", ["a", "b"], {"n": "a"}, {"namespace": "x"}),
    }
    assert len(others | {base}) == 6
    assert form_of(a=1) != form_of(a=2)
