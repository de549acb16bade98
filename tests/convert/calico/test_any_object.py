"""Whatever an object holds, it converts or it is quarantined; twice the same, from a list as from a watch."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tests.corpus.converters import CALICO, TOPICS, TopicRow, converter_of
from tests.corpus.garbling import GARBAGE, garbled, paths_of
from tests.corpus.holding import listed, served_objects, watched
from tests.corpus.resources import CALICO_CRD, CALICO_V3, Json, name_of
from typha.convert.converter import Attribute, ConversionError, Converted, Converter

EXAMPLES: Final = max(1, int(os.environ.get("HISTORIES", "2000")) // 40)
quickly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
every_topic = pytest.mark.parametrize("row", TOPICS, ids=[row.topic for row in TOPICS])

_LEAVES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
JSON: Final = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def objects_of(row: TopicRow) -> list[Json]:
    return served_objects()[f"{row.group}/{row.plural}"]


def converters_of(row: TopicRow) -> list[Converter]:
    groups = [CALICO_CRD, CALICO_V3] if row.group == CALICO else [row.group]
    found = [converter_of(row, group, use_pod_cidr=row.pod_cidr or False) for group in groups]
    return [each for each in found if each is not None]


def outcome(converter: Converter, name: str, raw: bytes) -> Any:
    """What comes of it, comparable. Anything but a ConversionError goes up."""
    try:
        items = [Converted(*item) for item in converter.convert(name, raw)]
    except ConversionError as error:
        return error.reason, error.keys
    for item in items:
        assert item.key.startswith("/calico/")
        assert len(item.attributes) == len(converter.attributes)
    keys = [item.key for item in items]
    assert len(set(keys)) == len(keys)
    return [(item.key, item.value, [_shown(each, item.value) for each in item.attributes]) for item in items]


def _shown(attribute: Attribute, value: bytes) -> Any:
    if callable(attribute):
        return dict(attribute(value)) if value else None
    return attribute


def check(row: TopicRow, served: Json, raw: bytes | None = None) -> None:
    for converter in converters_of(row):
        name = name_of(served)
        first = outcome(converter, name, raw or listed(served))
        assert outcome(converter, name, raw or watched(served)) == first
        assert outcome(converter, name, raw or listed(served)) == first


@every_topic
@quickly
@given(data=st.data())
def test_one_wrong_field(row: TopicRow, data: st.DataObject) -> None:
    served = data.draw(st.sampled_from(objects_of(row)))
    path = data.draw(st.sampled_from(paths_of(served) or [("spec",)]))
    check(row, garbled(served, path, data.draw(st.sampled_from(GARBAGE) | JSON)))


@every_topic
@quickly
@given(top=st.dictionaries(st.sampled_from(["spec", "status", "endpoints", "ports", "addressType"]), JSON))
def test_any_json(row: TopicRow, top: Json) -> None:
    name = "ns/name" if "/" in name_of(objects_of(row)[0]) else "name"
    namespace, _, plain = name.rpartition("/")
    metadata = {"name": plain, "uid": "00000000-0000-4000-8000-000000000000", "resourceVersion": "1"}
    if namespace:
        metadata["namespace"] = namespace
    check(row, {"apiVersion": "v1", "kind": "Any", **top, "metadata": metadata})


@every_topic
def test_text_that_is_no_object(row: TopicRow) -> None:
    served = objects_of(row)[0]
    deep = b'{"metadata":{"name":"x"},"spec":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"
    for raw in (b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff", b'{"metadata":{"name":"\xff"}}', deep):
        check(row, served, raw)


@every_topic
def test_every_place_of_every_object_with_every_kind_of_garbage(row: TopicRow) -> None:
    """Each object's places in turn with each kind of garbage in turn: all places are reached, in bounded time."""
    number = 0
    for served in objects_of(row):
        for path in paths_of(served):
            number += 1
            check(row, garbled(served, path, GARBAGE[number % len(GARBAGE)]))


@every_topic
def test_reasons_are_short_and_carry_no_contents(row: TopicRow) -> None:
    """A reason goes into logs and onto the status page."""
    secret = "S3CRET" * 60
    for served in objects_of(row):
        for path in paths_of(served):
            raw = json.dumps(garbled(served, path, secret)).encode()
            for converter in converters_of(row):
                found = outcome(converter, name_of(served), raw)
                if isinstance(found, tuple):
                    assert found[0], path
                    assert secret not in found[0], path
                    assert len(found[0]) < 400, path
