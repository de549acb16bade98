from __future__ import annotations

from typing import Any

import pytest

from typha.feeds import CustomTopic, FeedsError, parse
from typha.upstream.resources import Resource, ResourceName

TOPICS: dict[str, dict[str, Any]] = {
    "pods": {
        "resource": "v1/pods",
        "fields": ["metadata.labels", "spec.nodeName", "status.podIP", "status.phase"],
        "filters": {"node": "spec.nodeName", "labels": "metadata.labels"},
    },
    "certs": {"resource": "example.com/v1/certs"},
    "running": {"resource": "v1/pods", "namespace": "a", "fieldSelector": "status.phase=Running"},
    "whole-pods": {"resource": "v1/pods"},
    "deployments": {"resource": "apps/deployments", "labelSelector": "app in (a,b)"},
}


def test_topics_and_feeds() -> None:
    parsed = parse(TOPICS, {"inventory": ["pods", "certs"]})
    assert parsed.feeds == {"inventory": ("pods", "certs")}
    pods = parsed.topics["pods"]
    assert isinstance(pods, CustomTopic)
    assert pods.source.resource == ResourceName("", "v1", "pods")
    assert pods.fields == ("metadata.labels", "spec.nodeName", "status.podIP", "status.phase")
    assert pods.attributes == ("node", "labels")
    running = parsed.topics["running"]
    assert (running.source.namespace, running.source.field_selector) == ("a", "status.phase=Running")
    assert parsed.topics["deployments"].source.label_selector == "app in (a,b)"


def test_topics_of_one_source_share_a_reflector() -> None:
    sources = parse(TOPICS, {}).sources()
    assert [[spec.name for spec in specs] for specs in sources.values()] == [
        ["pods", "whole-pods"],
        ["certs"],
        ["running"],
        ["deployments"],
    ]


def test_converter_of_a_topic_has_its_form_where_the_version_is_given() -> None:
    parsed = parse(TOPICS, {})
    pods = Resource("", "v1", "pods", "Pod", namespaced=True)
    for name in ("pods", "whole-pods", "running"):
        spec = parsed.topics[name]
        converter = spec.make_converter(pods)
        assert (converter.form, converter.attributes) == (spec.form, spec.attributes)
    assert len({spec.form for spec in parsed.topics.values()}) == len(TOPICS)
    deployments = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
    assert parsed.topics["deployments"].make_converter(deployments).form != parsed.topics["deployments"].form


@pytest.mark.parametrize(
    ("settings", "key", "reason"),
    [
        ("v1/pods", "topics.t", "is not a map"),
        ({}, "topics.t.resource", "is missing"),
        ({"resource": 7}, "topics.t.resource", "is not text"),
        ({"resource": "a/b/c/d"}, "topics.t.resource", "more than three parts"),
        ({"resource": "Pods"}, "topics.t.resource", "lower case"),
        ({"resource": "v1/pods", "field": []}, "topics.t.field", "did you mean fields?"),
        ({"resource": "v1/pods", "fields": "spec"}, "topics.t.fields", "is not a list"),
        ({"resource": "v1/pods", "fields": []}, "topics.t.fields", "is empty"),
        ({"resource": "v1/pods", "fields": ["a", ".b"]}, "topics.t.fields[1]", "starts with a dot"),
        ({"resource": "v1/pods", "fields": ["a", 1]}, "topics.t.fields[1]", "is not text"),
        ({"resource": "v1/pods", "fields": ["a", "a"]}, "topics.t.fields[1]", "is there twice"),
        ({"resource": "v1/pods", "fields": ["a.b", "a[].c"]}, "topics.t.fields", "used as a list"),
        ({"resource": "v1/pods", "filters": ["node"]}, "topics.t.filters", "is not a map"),
        ({"resource": "v1/pods", "filters": {"a.b": "x"}}, "topics.t.filters", "name of an attribute"),
        ({"resource": "v1/pods", "filters": {"n": "a..b"}}, "topics.t.filters.n", "empty part"),
        ({"resource": "v1/pods", "filters": {"n": "a[].b"}}, "topics.t.filters.n", "goes through a list"),
        ({"resource": "v1/pods", "namespace": "A,B"}, "topics.t.namespace", "name of a namespace"),
        ({"resource": "v1/pods", "namespace": ["a"]}, "topics.t.namespace", "is not text"),
        ({"resource": "v1/pods", "labelSelector": ""}, "topics.t.labelSelector", "is not text"),
        ({"resource": "v1/pods", "labelSelector": {"a": "b"}}, "topics.t.labelSelector", "is not text"),
    ],
)
def test_errors_of_topics_name_the_key(settings: Any, key: str, reason: str) -> None:
    with pytest.raises(FeedsError) as caught:
        parse({"t": settings}, {})
    assert caught.value.key == key
    assert reason in caught.value.reason
    assert caught.value.allowed
    assert key in str(caught.value)


@pytest.mark.parametrize(
    ("feeds", "key", "reason"),
    [
        (["pods"], "feeds", "is not a map"),
        ({"f": "pods"}, "feeds.f", "is not a list"),
        ({"f": []}, "feeds.f", "is not a list"),
        ({"f": ["pods", "cert"]}, "feeds.f[1]", "did you mean certs?"),
        ({"f": ["pods", "pods"]}, "feeds.f[1]", "is there twice"),
        ({"F": ["pods"]}, "feeds.F", "not a usable name"),
    ],
)
def test_errors_of_feeds_name_the_key(feeds: Any, key: str, reason: str) -> None:
    with pytest.raises(FeedsError) as caught:
        parse(TOPICS, feeds)
    assert caught.value.key == key
    assert reason in caught.value.reason


@pytest.mark.parametrize("name", ["", "Pods", "-a", "a b", "x" * 64, 7])
def test_names_of_topics(name: Any) -> None:
    with pytest.raises(FeedsError, match="is not a usable name"):
        parse({name: {"resource": "v1/pods"}}, {})


def test_built_in_topics_stand_beside_those_of_the_file() -> None:
    built_in = parse({"pools": {"resource": "v1/pods"}}, {"calico": ["pools"]})
    parsed = parse(TOPICS, {"both": ["pods", "pools"]}, built_in)
    assert parsed.feeds == {"calico": ("pools",), "both": ("pods", "pools")}
    assert list(parsed.topics) == ["pools", *TOPICS]
    for topics, feeds, key in (
        ({"pools": {"resource": "v1/pods"}}, {}, "topics.pools"),
        ({}, {"calico": ["pools"]}, "feeds.calico"),
    ):
        with pytest.raises(FeedsError) as caught:
            parse(topics, feeds, built_in)
        assert caught.value.key == key
        assert "built-in" in caught.value.reason
