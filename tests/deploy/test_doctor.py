"""`typha doctor` under the chart's roles: all is granted, in namespaces too; what is taken away is named.

Rule by rule of the base's ClusterRole: tests/e2e/test_doctor.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.controlplane.admin_rest import wait_until
from tests.deploy.cluster import Cluster
from tests.deploy.generated import NAMESPACE
from tests.deploy.rendering import Manifest, chart, configuration, every
from tests.deploy.variants import CHART_VALUES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def outcomes(kubeconfig: Path, manifests: list[Manifest], folder: Path) -> dict[str, str]:
    """Of the checks of rights."""
    file = folder / "typha.yaml"
    wanted = configuration(manifests) | {"listen": "127.0.0.1:0", "health": "off", "admin": "off"}
    # What a pod has mounted is not here.
    wanted["replicas"] |= {"namespace": NAMESPACE}
    del wanted["tls"]
    file.write_text(yaml.safe_dump(wanted))
    done = subprocess.run(
        [sys.executable, "-m", "typha", "doctor", "--config", str(file), "-o", "json"],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    checks = json.loads(done.stdout)["checks"]
    found = {each["check"]: each["outcome"] for each in checks if each["check"].startswith("rights")}
    assert found, done.stdout
    return found


def test_each_role_in_a_namespace_is_missed(cluster: Cluster, tmp_path: Path) -> None:
    manifests = chart(CHART_VALUES["topics"])
    servers = f"rights list endpointslices.discovery.k8s.io in {NAMESPACE}"
    with cluster.applied(manifests):
        kubeconfig = cluster.kubeconfig_of("typha")
        found = outcomes(kubeconfig, manifests, tmp_path)
        assert set(found.values()) == {"ok"}
        assert {servers, "rights v1/configmaps in default", "rights v1/pods"} < found.keys()
        for role in every(manifests, "RoleBinding"):
            cluster.kubectl("delete", "-f", "-", manifests=[role])

        def missed() -> bool:
            now = outcomes(kubeconfig, manifests, tmp_path)
            bad = {check for check, outcome in now.items() if outcome != "ok"}
            return bad == {servers, "rights v1/configmaps in default", "rights resourcequotas in default"}

        wait_until("doctor names what the two bindings gave", missed, 60)
