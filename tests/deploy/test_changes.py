"""From one way to deploy to another while servers run: no field that cannot change, nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from tests.deploy.cluster import Cluster
from tests.deploy.generated import CHART, NAMESPACE
from tests.deploy.rendering import Manifest, find, kustomized, pod_of
from tests.deploy.variants import CHART_VALUES

pytestmark = pytest.mark.e2e

OVERLAYS = (
    "base",
    "overlays/ha",
    "overlays/networking",
    "overlays/policy-only",
    "overlays/autoscale",
    "overlays/small",
)


def deployed(cluster: Cluster) -> dict[str, Any]:
    return cluster.control_plane.rest.get("apps/v1/deployments", "typha", NAMESPACE)


def test_every_overlay_follows_every_other_in_place(cluster: Cluster) -> None:
    """`kubectl apply` over what is there: selectors and the headless Service stay, the rest changes."""
    with cluster.applied(kustomized("base")):
        uid = deployed(cluster)["metadata"]["uid"]
        for overlay in (*OVERLAYS, *reversed(OVERLAYS)):
            manifests = kustomized(overlay)
            assert len(cluster.apply(manifests, dry_run=False)) == len(manifests)
            now = deployed(cluster)
            assert now["metadata"]["uid"] == uid
            assert now["spec"]["template"]["spec"].get("hostNetwork", False) == pod_of(manifests).get(
                "hostNetwork", False
            )
        cluster.kubectl("delete", "--wait=false", "-f", "-", manifests=list(_of_other_overlays(kustomized("base"))))


def _of_other_overlays(base: list[Manifest]) -> Iterator[Manifest]:
    """What the overlays made beside what the base has, each ConfigMap under its own name."""
    known = {(each["kind"], each["metadata"]["name"]) for each in base}
    for overlay in OVERLAYS:
        for each in kustomized(overlay):
            if (each["kind"], each["metadata"]["name"]) not in known:
                known.add((each["kind"], each["metadata"]["name"]))
                yield each


@pytest.fixture
def chart_for_any_version(tmp_path: Path) -> str:
    """The chart without its `kubeVersion`: the API server that tests build has no number (v0.0.0-master)."""
    copied = shutil.copytree(CHART, tmp_path / "typha")
    described = copied / "Chart.yaml"
    lines = described.read_text().splitlines(keepends=True)
    described.write_text("".join(line for line in lines if not line.startswith("kubeVersion")))
    return str(copied)


def test_helm_installs_upgrades_takes_back_and_removes(cluster: Cluster, chart_for_any_version: str) -> None:
    rest = cluster.control_plane.rest
    with (
        cluster.namespace([]),
        helm_python.Config(kubeconfig_path=cluster.control_plane.kubeconfig, namespace=NAMESPACE) as helm,
    ):
        helm.install(chart_for_any_version, "typha", {})
        assert deployed(cluster)["spec"]["replicas"] == 2
        for values in CHART_VALUES.values():
            if "fullnameOverride" not in values:
                helm.upgrade(chart_for_any_version, "typha", dict(values))
        helm.rollback("typha", version=1)
        now = deployed(cluster)
        assert now["spec"]["replicas"] == 2
        volumes = {each["name"]: each for each in now["spec"]["template"]["spec"]["volumes"]}
        assert volumes["tls"]["secret"]["secretName"] == "typha-tls"
        helm.uninstall("typha")
        assert not rest.exists("apps/v1/deployments", "typha", NAMESPACE)
        assert not rest.exists("rbac.authorization.k8s.io/v1/clusterroles", "typha")
        assert not rest.exists("rbac.authorization.k8s.io/v1/roles", "typha", "default")


def test_autoscaling_takes_the_number_over(cluster: Cluster) -> None:
    """The Deployment has no number of its own then: applying it again does not undo the autoscaler."""
    with cluster.applied(kustomized("overlays/autoscale")):
        rest = cluster.control_plane.rest
        rest.patch("apps/v1/deployments", "typha", {"spec": {"replicas": 7}}, NAMESPACE)
        cluster.apply(kustomized("overlays/autoscale"), dry_run=False)
        assert deployed(cluster)["spec"]["replicas"] == 7
        assert find(kustomized("overlays/autoscale"), "HorizontalPodAutoscaler")["spec"]["minReplicas"] > 1
