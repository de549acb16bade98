"""The Helm chart: the same as the overlays, what follows from its values, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import helm_python
import pytest
import yaml

from tests.deploy.generated import CHART, DEPLOY
from tests.deploy.rendering import Manifest, chart, configuration, container_of, every, find, kustomized, pod_of
from tests.deploy.variants import CHART_VALUES
from typha.config.load import settings_of
from typha.doctor.memory import CALICO_VALUE_BYTES, Load, needed_bytes
from typha.version import __version__

# The overlay and the chart's values that must say the same.
TWINS = (
    ("base", "defaults"),
    ("overlays/small", "small"),
    ("overlays/ha", "ha"),
    ("overlays/policy-only", "policy-only"),
    ("overlays/hostnetwork", "hostnetwork"),
    ("overlays/autoscale", "autoscale"),
    ("overlays/cert-manager", "cert-manager"),
    ("overlays/monitoring", "monitoring"),
)


def substance(manifests: list[Manifest]) -> dict[tuple[str, str], Any]:
    """What remains of each manifest without labels, generated names, the namespace itself, and the order of rules."""
    found: dict[tuple[str, str], Any] = {}
    for manifest in copy.deepcopy(manifests):
        kind, name = manifest.pop("kind"), manifest.pop("metadata")["name"]
        if kind in {"ConfigMap", "Namespace"}:
            continue  # the configuration is compared as the server reads it
        found[kind, name] = (
            {right for rule in manifest["rules"] for right in _flat(rule)}
            if kind == "ClusterRole"
            else _without_generated(manifest)
        )
    return found | {("configuration", ""): configuration(manifests)}


def _flat(rule: dict[str, list[str]]) -> set[tuple[str, ...]]:
    names = tuple(rule.get("resourceNames", ()))
    return {
        (group, resource, verb, *names)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _without_generated(value: Any) -> Any:
    if isinstance(value, dict):
        value = {key: _without_generated(each) for key, each in value.items() if key != "imagePullPolicy"}
        value.pop("metadata", None)
        for key in ("matchLabels", "selector"):
            if "app.kubernetes.io/name" in value.get(key, {}):
                value[key] = {"app.kubernetes.io/name": value[key]["app.kubernetes.io/name"]}
        if "name" in value.get("configMap", {}):
            value["configMap"] = "configuration"
        return value
    return [_without_generated(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("folder", "values"), TWINS)
def test_it_says_the_same_as_the_overlay(folder: str, values: str) -> None:
    of_chart, of_overlay = substance(chart(CHART_VALUES[values])), substance(kustomized(folder))
    assert of_chart.keys() == of_overlay.keys()
    for key, each in of_overlay.items():
        assert of_chart[key] == each, key


def test_lint() -> None:
    report = helm_python.lint(CHART)
    assert report["errors"] == []
    # Severity 1 is advice: an icon is a picture on the net, which none of us has.
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]


def test_every_value_has_a_schema() -> None:
    """And every schema a default: what values.yaml does not show nobody finds."""
    with helm_python.Chart.load(CHART) as loaded:
        schema, defaults = loaded.schema, loaded.values
    assert schema is not None

    def compare(properties: dict[str, Any], values: dict[str, Any], path: str) -> None:
        assert properties.keys() == values.keys(), path
        for name, each in properties.items():
            if each.get("additionalProperties") is False and values[name]:
                compare(each["properties"], values[name], f"{path}.{name}")

    schema["properties"].pop("global")
    compare(schema["properties"], defaults, "values")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"image": {"tag": 1.2}}, "at '/image/tag': got number, want string"),
        ({"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
        ({"config": {"listen": "0.0.0.0:1"}}, "config.listen is set by the value ports.agents: set that one"),
        ({"config": {"tls": {"cert": "/x"}}}, "config.tls.cert is set by the chart, from the Secret"),
        ({"config": {"topics": {"pods": {}}}}, "at '/config/topics/pods': missing property 'resource'"),
        ({"terminationGracePeriodSeconds": 30}, "terminationGracePeriodSeconds is 30: agents get"),
        ({"config": {"timing": {"drain_grace_s": 60}}}, "Set it to 66 or more"),
    ],
)
def test_what_it_refuses(values: dict[str, Any], words: str) -> None:
    with pytest.raises(helm_python.HelmError) as refused:
        chart(values)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("nodes", "replicas"), [(1, 1), (49, 1), (50, 2), (100, 2), (1000, 2), (1001, 3), (5000, 6), (50_000, 51)]
)
def test_replicas_follow_nodes(nodes: int, replicas: int) -> None:
    """One below 50; from there one for each 1,000, and one that may be missing."""
    assert find(chart({"nodes": nodes}), "Deployment")["spec"]["replicas"] == replicas


@pytest.mark.parametrize(
    ("values", "objects", "agents", "request_mib"),
    [
        ({"nodes": 100}, 6_000, 400, 128),
        ({"nodes": 1000}, 60_000, 4_000, 448),
        # Six servers, of which five carry all while one is missing.
        ({"nodes": 5000}, 300_000, 4_000, 864),
        ({"nodes": 5000, "agentsPerNode": 1}, 300_000, 1_000, 704),
        ({"nodes": 5000, "objectsPerNode": 200}, 1_000_000, 4_000, 2112),
        ({"nodes": 5000, "replicas": 3}, 300_000, 10_000, 1248),
    ],
)
def test_memory_follows_the_formula(values: dict[str, Any], objects: int, agents: int, request_mib: int) -> None:
    """That of `typha doctor`, for objects whose keys and values have the mean size of Calico's feed."""
    resources = container_of(chart(values))["resources"]
    assert resources["requests"]["memory"] == f"{request_mib}Mi"
    assert resources["limits"] == {"memory": f"{2 * request_mib}Mi"}
    load = Load(objects=objects, entries=objects, value_bytes=CALICO_VALUE_BYTES * objects, agents=agents, tls=True)
    assert request_mib - 32 < needed_bytes(load) / 2**20 <= request_mib


def test_given_resources_win() -> None:
    assert container_of(chart({"resources": {"limits": {"memory": "1Gi"}}}))["resources"] == {
        "limits": {"memory": "1Gi"}
    }


def test_a_changed_configuration_rolls_the_servers() -> None:
    def annotations(values: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = find(chart(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations({}) == annotations({"nodes": 200})
    assert annotations({}) != annotations({"config": {"log": {"level": "debug"}}})


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, f"typha:{__version__}"),
        ({"tag": "1.2"}, "typha:1.2"),
        ({"registry": "registry.example.com/a/", "repository": "b"}, f"registry.example.com/a/b:{__version__}"),
        ({"tag": "1.2", "digest": "sha256:" + "a" * 64}, "typha@sha256:" + "a" * 64),
    ],
)
def test_image(image: dict[str, str], reference: str) -> None:
    assert container_of(chart({"image": image}))["image"] == reference


@pytest.mark.parametrize(
    ("release", "name"),
    [("typha", "typha"), ("my-typha", "my-typha"), ("prod", "prod-typha"), ("x" * 53, "x" * 53 + "-typha")],
)
def test_names_follow_the_release(release: str, name: str) -> None:
    manifests = chart(release=release)
    assert {each["metadata"]["name"] for each in manifests} == {name}
    assert pod_of(manifests)["priorityClassName"] == pod_of(manifests)["serviceAccountName"] == name


def test_nothing_is_made_that_is_there_already() -> None:
    manifests = chart(
        {
            "serviceAccount": {"create": False, "name": "there"},
            "rbac": {"create": False},
            "priorityClass": {"create": False, "name": "system-cluster-critical"},
        }
    )
    assert not every(manifests, "ServiceAccount")
    assert not every(manifests, "ClusterRole")
    assert not every(manifests, "PriorityClass")
    assert pod_of(manifests)["serviceAccountName"] == "there"
    assert pod_of(manifests)["priorityClassName"] == "system-cluster-critical"


def test_version_is_the_packages() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert described["version"] == described["appVersion"] == __version__


def test_default_configuration_names_settings_of_the_server() -> None:
    known = {path for path, *_ in settings_of()}
    defaults = yaml.safe_load((DEPLOY / "chart/typha/values.yaml").read_text())["config"]
    assert {f"{stage}.{key}" for stage, keys in defaults.items() for key in keys} <= known
