"""A real API server takes every way to deploy, and the roles have the rights that a server needs to be ready."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.controlplane.admin_rest import wait_until
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.credentials import User
from tests.controlplane.rest import ApiStatusError
from tests.controlplane.server_process import free_ports
from tests.deploy.cluster import Cluster
from tests.deploy.rendering import (
    NAMESPACE,
    Manifest,
    chart,
    configuration_text,
    container_of,
    find,
    kustomized,
    pod_of,
)
from tests.deploy.variants import CHART_VALUES, variants

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    with Cluster(control_plane) as ready:
        yield ready


@pytest.mark.parametrize("name", variants())
def test_every_variant_applies(cluster: Cluster, name: str) -> None:
    manifests = variants()[name]()
    with cluster.applied(manifests) as names:
        assert len(names) == len(manifests)
        # Pod Security, the ServiceAccount and the PriorityClass are judged here, not with the Deployment.
        pod = cluster.admit_pod(manifests)
        assert pod["spec"]["priority"] == 1_000_000_000
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_nodes_network_needs_the_label_of_its_overlay(cluster: Cluster) -> None:
    """The label is no more than what is needed: `restricted` refuses the pod, for the node's network alone."""
    restricted = find(kustomized("base"), "Namespace")
    manifests = [each for each in kustomized("overlays/hostnetwork") if each["kind"] != "Namespace"]
    with cluster.applied([restricted, *manifests]):
        with pytest.raises(ApiStatusError) as refused:
            cluster.admit_pod(manifests)
        _, _, breaches = refused.value.message.partition('violates PodSecurity "restricted:latest": ')
        host_ports = 'hostPort (container "typha" uses hostPorts 5473, 9095)'
        assert breaches == f"host namespaces (hostNetwork=true), {host_ports}"


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def serving(
    folder: Path, kubeconfig: Path, health_port: int, manifests: list[Manifest]
) -> Iterator[subprocess.Popen[bytes]]:
    """The Deployment's command with its ConfigMap and a Secret of the same shape, on loopback ports."""
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    pair.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    pair.private_key_pem.write_to_path(folder / "tls.key")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    (folder / "typha.yaml").write_text(configuration_text(manifests))
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "TYPHA_LISTEN": "127.0.0.1:0",
        "TYPHA_HEALTH": f"127.0.0.1:{health_port}",
        "TYPHA_ADMIN": "off",
        "TYPHA_TLS_CERT": str(folder / "tls.crt"),
        "TYPHA_TLS_KEY": str(folder / "tls.key"),
        "TYPHA_TLS_CLIENT_CA": str(folder / "ca.crt"),
    }
    command = [sys.executable, "-m", "typha", *container_of(manifests)["args"][:-1], str(folder / "typha.yaml")]
    with subprocess.Popen(command, env=os.environ | settings, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["base", "overlay policy-only", "chart, defaults", "chart, topics"])
def test_a_server_is_ready_with_exactly_these_rights(cluster: Cluster, tmp_path: Path, name: str) -> None:
    manifests = variants()[name]()
    control_plane = cluster.control_plane
    with cluster.applied(manifests):
        account = pod_of(manifests)["serviceAccountName"]
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        answer = control_plane.rest.request("POST", path, body={"spec": {"expirationSeconds": 3600}})
        user = User(f"system:serviceaccount:{NAMESPACE}:{account}", token=answer["status"]["token"])
        (port,) = free_ports(1)
        with serving(tmp_path, control_plane.write_kubeconfig(user), port, manifests) as process:
            wait_until("typha is ready", lambda: is_ready(port) or process.poll() is not None, 60)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b": 403:" not in log, log.decode()  # the bare number may stand in a timestamp


def test_a_custom_topic_has_its_right_in_its_namespace_only() -> None:
    """What the test above runs with: a Role in each namespace; the ClusterRole has what topics have everywhere."""
    manifests = chart(CHART_VALUES["topics"])
    roles = {each["metadata"]["namespace"]: each["rules"] for each in manifests if each["kind"] == "Role"}
    read = ["list", "watch"]
    assert roles == {"default": [{"apiGroups": [""], "resources": ["configmaps", "resourcequotas"], "verbs": read}]}
    listed = [rule["resources"] for rule in find(manifests, "ClusterRole")["rules"]]
    assert listed == [["namespaces"], ["pods"], ["certs"]]
