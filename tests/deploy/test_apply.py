"""A real API server takes the manifests, and their ServiceAccount has the rights that a server needs to be ready."""

from __future__ import annotations

import http.client
import os
import signal
import socket
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
from tests.deploy.manifests import Manifest, configuration_text, container, find, load, resource_path

pytestmark = pytest.mark.e2e


@pytest.fixture
def applied(control_plane: ControlPlane) -> Iterator[list[Manifest]]:
    """All manifests as the API server stored them."""
    rest, stored = control_plane.rest, []
    try:
        for manifest in load():
            # Unknown and doubled fields are errors, as with `kubectl apply --validate=strict`.
            query = {"fieldValidation": "Strict"}
            stored.append(rest.request("POST", resource_path(manifest), query=query, body=manifest))
        yield stored
    finally:
        for manifest in reversed(load()[: len(stored)]):
            name = manifest["metadata"]["name"]
            if manifest["kind"] == "Namespace":
                rest.delete_namespace(name)
            else:
                rest.request("DELETE", f"{resource_path(manifest)}/{name}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


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
def serving(folder: Path, kubeconfig: Path, health_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The Deployment's command with its ConfigMap and a Secret of the same shape, on loopback ports."""
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    pair.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    pair.private_key_pem.write_to_path(folder / "tls.key")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    (folder / "typha.yaml").write_text(configuration_text())
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "TYPHA_LISTEN": "127.0.0.1:0",
        "TYPHA_HEALTH": f"127.0.0.1:{health_port}",
        "TYPHA_ADMIN": "off",
        "TYPHA_TLS_CERT": str(folder / "tls.crt"),
        "TYPHA_TLS_KEY": str(folder / "tls.key"),
        "TYPHA_TLS_CLIENT_CA": str(folder / "ca.crt"),
    }
    command = [sys.executable, "-m", "typha", *container()["args"][:-1], str(folder / "typha.yaml")]
    with subprocess.Popen(command, env=os.environ | settings, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_manifests_apply_and_their_rights_suffice(
    control_plane: ControlPlane, applied: list[Manifest], tmp_path: Path
) -> None:
    assert [manifest["kind"] for manifest in applied] == [manifest["kind"] for manifest in load()]
    pod = next(manifest for manifest in applied if manifest["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    account = find("ServiceAccount")["metadata"]
    path = f"/api/v1/namespaces/{account['namespace']}/serviceaccounts/{account['name']}/token"
    answer = control_plane.rest.request("POST", path, body={"spec": {"expirationSeconds": 3600}})
    name = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    kubeconfig = control_plane.write_kubeconfig(User(name, token=answer["status"]["token"]))
    port = free_port()
    with serving(tmp_path, kubeconfig, port) as process:
        wait_until("typha is ready", lambda: is_ready(port) or process.poll() is not None, 60)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b": 403:" not in log, log.decode()  # the bare number may stand in a timestamp
