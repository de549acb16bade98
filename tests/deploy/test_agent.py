"""The example of an agent: its manifests, and its program against a server and a real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.controlplane.admin_rest import wait_until
from tests.deploy.cluster import NEWEST, OLDEST, Cluster, problems_of
from tests.deploy.generated import DEPLOY
from tests.deploy.rendering import container_of, every, find, kustomized
from tests.deploy.serving import serving, write_secret

PROGRAM = DEPLOY / "agent" / "agent.py"


def test_schemas() -> None:
    assert problems_of(kustomized("agent"), OLDEST) + problems_of(kustomized("agent"), NEWEST) == []


def test_it_finds_the_servers_and_has_no_rights() -> None:
    manifests = kustomized("agent")
    pod = find(manifests, "DaemonSet")["spec"]["template"]["spec"]
    (agent,) = pod["containers"]
    variables = {each["name"]: each.get("value") for each in agent["env"]}
    service, port = find(kustomized("base"), "Service"), container_of(kustomized("base"))["ports"][0]["containerPort"]
    metadata = service["metadata"]
    assert variables["SERVERS"] == f"{metadata['name']}.{metadata['namespace']}.svc:{port}"
    assert agent["image"] == container_of(kustomized("base"))["image"]
    mounts = {mount["name"]: mount["mountPath"] for mount in agent["volumeMounts"]}
    assert variables["TLS"] == mounts["tls"]
    assert str(Path(str(variables["OUTPUT"])).parent) == mounts["output"]
    assert agent["command"] == ["python", f"{mounts['program']}/{PROGRAM.name}"]
    assert agent["readinessProbe"]["exec"]["command"] == [*agent["command"], "--check"]
    # Not even a token: what it knows comes from typha.
    assert pod["automountServiceAccountToken"] is False
    assert not every(manifests, "ClusterRoleBinding")
    # Its certificate comes from the servers' CA.
    issuers = {each["metadata"]["name"] for each in every(kustomized("overlays/production"), "Issuer")}
    assert find(manifests, "Certificate")["spec"]["issuerRef"]["name"] in issuers


@pytest.mark.e2e
def test_it_applies_and_keeps_its_nodes_endpoints_in_a_file(cluster: Cluster, tmp_path: Path) -> None:
    base, agent = kustomized("base"), kustomized("agent")
    rest, authority, output = cluster.control_plane.rest, trustme.CA(), tmp_path / "endpoints.json"
    rest.create_namespace("shop")
    with cluster.applied([*base, *agent]):
        cluster.admit_pod(agent)
        rest.create_pod("shop", "web", node="node-1", ip="192.168.7.3")
        rest.create_pod("shop", "elsewhere", node="node-2", ip="192.168.8.3")
        kubeconfig = cluster.kubeconfig_of("typha")
        with serving(base, kubeconfig, tmp_path, authority=authority) as server:
            server.wait_ready()
            variables = os.environ | {
                "SERVERS": f"localhost:{server.agents_port}",
                "TLS": str(write_secret(tmp_path / "agent-tls", authority, "example-agent")),
                "OUTPUT": str(output),
                "NODE": "node-1",
            }
            check = [sys.executable, str(PROGRAM), "--check"]
            assert subprocess.run(check, env=variables, timeout=30, check=False).returncode == 1
            with subprocess.Popen(check[:2], env=variables) as process:
                try:
                    wait_until("the endpoint is in the file", lambda: addresses(output) == [["192.168.7.3/32"]])
                    assert subprocess.run(check, env=variables, timeout=30, check=False).returncode == 0
                    rest.delete("v1/pods", "web", "shop")
                    wait_until("the endpoint has gone", lambda: addresses(output) == [])
                    process.terminate()
                    assert process.wait(20) == 0
                finally:
                    process.kill()
        rest.delete("v1/pods", "elsewhere", "shop")
    rest.delete_namespace("shop")


def addresses(output: Path) -> list[list[str]] | None:
    return list(json.loads(output.read_text()).values()) if output.exists() else None
