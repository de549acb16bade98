"""A real API server takes every way to deploy, and the roles have the rights that a server needs to be ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controlplane.rest import ApiStatusError
from tests.deploy.cluster import Cluster
from tests.deploy.generated import NAMESPACE
from tests.deploy.rendering import chart, find, kustomized, pod_of
from tests.deploy.serving import serving
from tests.deploy.variants import CHART_VALUES, variants

pytestmark = pytest.mark.e2e


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


@pytest.mark.parametrize("name", ["base", "overlay policy-only", "chart, defaults", "chart, topics"])
def test_a_server_is_ready_with_exactly_these_rights(cluster: Cluster, tmp_path: Path, name: str) -> None:
    manifests = variants()[name]()
    with cluster.applied(manifests):
        kubeconfig = cluster.kubeconfig_of(pod_of(manifests)["serviceAccountName"])
        with serving(manifests, kubeconfig, tmp_path) as server:
            server.wait_ready()
            log = server.drain()
    assert ": 403:" not in log, log  # the bare number may stand in a timestamp


def test_a_custom_topic_has_its_right_in_its_namespace_only() -> None:
    """What the test above runs with: a Role in each namespace; the ClusterRole has what topics have everywhere."""
    manifests = chart(CHART_VALUES["topics"])
    roles = {each["metadata"]["namespace"]: each["rules"] for each in manifests if each["kind"] == "Role"}
    read = ["list", "watch"]
    assert roles == {
        "default": [{"apiGroups": [""], "resources": ["configmaps", "resourcequotas"], "verbs": read}],
        # The other servers, which no topic lists here.
        NAMESPACE: [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}],
    }
    listed = [rule["resources"] for rule in find(manifests, "ClusterRole")["rules"]]
    assert listed == [["namespaces"], ["pods"], ["certs"]]
