"""Calico's manifests of Typha with our image: nothing else changed, and a real API server takes them."""

from __future__ import annotations

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.deploy.cluster import NEWEST, OLDEST, problems_of, resource_path
from tests.deploy.rendering import container_of, kustomized
from tests.drop_in.manifests import OVERLAY, Manifest, container, environment, find, kustomization, load
from typha.config import HostPort
from typha.drop_in.load import load_parameters
from typha.drop_in.mapping import PLAIN_TEXT, settings_of
from typha.drop_in.settings import Rebalancing

LABELS = {"k8s-app": "calico-typha"}


def test_every_file_is_listed() -> None:
    assert set(kustomization()["resources"]) == {path.name for path in OVERLAY.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_image_is_ours_and_nothing_else_of_calicos_is() -> None:
    assert container()["image"] == container_of(kustomized("base"))["image"]
    assert container()["args"] == ["component", "typha"]
    assert "command" not in container()


# The table below is that of Calico's reference of Typha's deployment.


def test_all_have_calicos_names() -> None:
    assert [manifest["kind"] for manifest in load()] == ["Service", "Deployment", "PodDisruptionBudget"]
    for manifest in load():
        assert manifest["metadata"] == {"name": "calico-typha", "namespace": "kube-system", "labels": LABELS}


def test_service() -> None:
    assert find("Service")["spec"] == {
        "selector": LABELS,
        "ports": [{"name": "calico-typha", "protocol": "TCP", "port": 5473, "targetPort": "calico-typha"}],
    }


def test_deployment() -> None:
    spec = find("Deployment")["spec"]
    pod = spec.pop("template")
    assert spec == {
        "replicas": 1,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": LABELS},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 1}},
    }
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
    assert pod["metadata"] == {"labels": LABELS, "annotations": annotations}
    pod["spec"].pop("containers")
    assert pod["spec"] == {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 300,
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoSchedule", "operator": "Exists"},
            {"effect": "NoExecute", "operator": "Exists"},
        ],
        "serviceAccountName": "calico-node",
        "priorityClassName": "system-cluster-critical",
        "securityContext": {"fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
    }


def test_container() -> None:
    found = container()
    assert found["name"] == "calico-typha"
    assert found["ports"] == [{"name": "calico-typha", "containerPort": 5473, "protocol": "TCP"}]
    assert found["envFrom"] == [{"configMapRef": {"name": "kubernetes-services-endpoint", "optional": True}}]
    assert found["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "allowPrivilegeEscalation": False,
    }
    assert "resources" not in found
    assert environment() == {
        "TYPHA_LOGSEVERITYSCREEN": "info",
        "TYPHA_LOGFILEPATH": "none",
        "TYPHA_LOGSEVERITYSYS": "none",
        "TYPHA_CONNECTIONREBALANCINGMODE": "kubernetes",
        "TYPHA_DATASTORETYPE": "kubernetes",
        "TYPHA_HEALTHENABLED": "true",
        "TYPHA_SHUTDOWNTIMEOUTSECS": "300",
    }


def test_probes() -> None:
    found = container()
    assert found["livenessProbe"] == {
        "httpGet": {"path": "/liveness", "port": 9098, "host": "localhost"},
        "initialDelaySeconds": 30,
        "periodSeconds": 30,
        "timeoutSeconds": 10,
    }
    assert found["readinessProbe"] == {
        "httpGet": {"path": "/readiness", "port": 9098, "host": "localhost"},
        "periodSeconds": 10,
        "timeoutSeconds": 10,
    }


def test_disruption_budget() -> None:
    assert find("PodDisruptionBudget")["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}


def test_its_environment_is_understood_and_fits_its_ports_and_probes() -> None:
    settings = settings_of(load_parameters(environment(), None), environment())
    assert not settings.problems
    assert settings.warnings == (PLAIN_TEXT,)
    assert settings.config.listen.port == container()["ports"][0]["containerPort"]
    probe = container()["readinessProbe"]["httpGet"]
    assert settings.drop_in.health == HostPort(probe["host"], probe["port"])
    assert settings.drop_in.rebalancing == Rebalancing()
    pod = find("Deployment")["spec"]["template"]["spec"]
    assert settings.drop_in.shutdown_timeout_s == pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_schemas(release: str) -> None:
    assert problems_of(load(), release) == []


@pytest.mark.e2e
def test_a_real_api_server_takes_them(control_plane: ControlPlane) -> None:
    rest, stored = control_plane.rest, list[Manifest]()
    try:
        for manifest in load():
            # Unknown and doubled fields are errors, as with `kubectl apply --validate=strict`.
            path = resource_path(manifest)
            stored.append(rest.request("POST", path, query={"fieldValidation": "Strict"}, body=manifest))
        pod = stored[1]["spec"]["template"]["spec"]
        assert (pod["hostNetwork"], pod["containers"][0]["args"]) == (True, ["component", "typha"])
    finally:
        for manifest in load()[: len(stored)]:
            rest.request("DELETE", f"{resource_path(manifest)}/{manifest['metadata']['name']}")
