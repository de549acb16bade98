"""The server as Calico's manifest starts it: arguments and environment of the overlay, on a real API server."""

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

from tests.controlplane.admin_rest import wait_until
from tests.controlplane.controlplane import ControlPlane
from tests.corpus.cluster import Cluster
from tests.downstream.calico_peer import HELLO
from tests.drop_in.manifests import container, environment
from tests.drop_in.test_metrics import REFERENCE
from tests.drop_in.test_ports import get
from tests.kit.pems import authority
from typha.calico_wire.agent import PREAMBLE, encode_agent_message
from typha.downstream.tls import TlsFiles
from typha.drop_in.tls import client_context

pytestmark = pytest.mark.e2e


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def serving(arguments: list[str], settings: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TYPHA_")}
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "typha", *arguments], env=inherited | settings, stdout=errors, stderr=errors
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def answers(port: int, path: str) -> int:
    try:
        return get(port, path)[0]
    except (OSError, http.client.HTTPException):
        return 0


@pytest.fixture(scope="module")
def calico(control_plane: ControlPlane) -> ControlPlane:
    Cluster(control_plane).create_crds()
    return control_plane


@pytest.mark.parametrize("arguments", [container()["args"], ["serve"]], ids=" ".join)
def test_calicos_deployment(calico: ControlPlane, tmp_path: Path, arguments: list[str]) -> None:
    agents, health, metrics = free_ports(3)
    settings = environment() | {
        "KUBECONFIG": str(calico.write_kubeconfig(calico.admin)),
        # The machine that the tests run on has one of each port.
        "TYPHA_SERVERPORT": str(agents),
        "TYPHA_HEALTHPORT": str(health),
        "TYPHA_PROMETHEUSMETRICSPORT": str(metrics),
        "TYPHA_PROMETHEUSMETRICSENABLED": "true",
    }
    log = tmp_path / "log"
    with serving(arguments, settings, log) as process:
        wait_until(
            "it is ready", lambda: answers(health, "/readiness") == http.client.OK or process.poll() is not None, 30
        )
        assert process.poll() is None, log.read_text()
        table = get(health, "/readiness")[1]
        assert table.count("reporting ready") == 4
        assert get(health, "/liveness")[0] == http.client.OK
        page = get(metrics, "/metrics")[1]
        for line in REFERENCE.strip().splitlines():
            assert f"\n# TYPE {line.split()[0]} {line.split()[1]}\n" in f"\n{page}"
        assert "process_resident_memory_bytes" in page
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, agents), timeout=10):
                pass
        check = [sys.executable, "-m", "typha", "component", "typha", "check", "readiness"]
        done = subprocess.run(check, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout) == (0, table + "\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    text = log.read_text()
    assert text.count("PLAIN TEXT") == 1
    assert "Traceback" not in text


def test_with_typhas_tls(calico: ControlPlane, tmp_path: Path) -> None:
    pki = authority(tmp_path / "pki")
    server, agent = pki.issue("server"), pki.issue("agent", common_name="typha-client")
    agents, health = free_ports(2)
    settings = environment() | {
        "KUBECONFIG": str(calico.write_kubeconfig(calico.admin)),
        "TYPHA_SERVERHOST": "127.0.0.1",
        "TYPHA_SERVERPORT": str(agents),
        "TYPHA_HEALTHPORT": str(health),
        "TYPHA_SERVERKEYFILE": str(server.key),
        "TYPHA_SERVERCERTFILE": str(server.cert),
        "TYPHA_CAFILE": str(server.ca),
        "TYPHA_CLIENTCN": "typha-client",
    }
    with serving(["component", "typha"], settings, tmp_path / "log") as process:
        wait_until(
            "it is ready", lambda: answers(health, "/readiness") == http.client.OK or process.poll() is not None, 30
        )
        assert is_let_in(agents, agent)
        assert not is_let_in(agents, pki.issue("stranger", common_name="somebody"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "PLAIN TEXT" not in (tmp_path / "log").read_text()


def is_let_in(port: int, files: TlsFiles) -> bool:
    """True where the server answers Felix's hello."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        client_context(files).wrap_socket(raw) as connection,
    ):
        connection.settimeout(30)
        connection.sendall(PREAMBLE + encode_agent_message(HELLO))
        try:
            return connection.recv(1) != b""
        except OSError:
            return False


def test_what_is_wrong_ends_the_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(["component", "typha"], {"TYPHA_DATASTORETYPE": "etcdv3"}, log) as process:
        assert process.wait(30) == 2
    assert "TYPHA_DATASTORETYPE=kubernetes" in log.read_text()
