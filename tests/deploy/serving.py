"""The server of a Deployment as a child process: its arguments, its configuration file, its Secret; on loopback ports.

What differs from the pod is where it listens and where the mounted files are, both by the environment, which wins over
the file.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trustme

from tests.controlplane.admin_rest import wait_until
from tests.controlplane.server_process import free_ports
from tests.deploy.generated import NAMESPACE
from tests.deploy.rendering import Manifest, configuration_text, container_of

# A start takes 1 s on an idle machine; the rest is room for a busy one.
START_TIMEOUT_S: Final = 60.0
EXIT_TIMEOUT_S: Final = 30.0


def write_secret(folder: Path, authority: trustme.CA, *names: str) -> Path:
    """`tls.crt`, `tls.key` and `ca.crt`, as cert-manager writes them."""
    folder.mkdir(exist_ok=True)
    pair = authority.issue_cert(*names)
    pair.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    pair.private_key_pem.write_to_path(folder / "tls.key")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    return folder


class Server:
    """A child that runs; `agents_port` and `health_port` are on 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[str], agents_port: int, health_port: int) -> None:
        self._process = process
        self.agents_port = agents_port
        self._health_port = health_port

    def wait_ready(self) -> None:
        """Until /readyz answers 200. Raises AssertionError where the process ends before."""
        wait_until(
            "typha is ready", lambda: self.page("/readyz")[0] == http.client.OK or self._ended(), START_TIMEOUT_S
        )
        assert not self._ended(), self._process.communicate()[1]

    def page(self, path: str) -> tuple[int, str]:
        """(code, text) of a page of the health port; code 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._health_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def drain(self) -> str:
        """SIGTERM; its log. It ends with exit code 0."""
        self._process.send_signal(signal.SIGTERM)
        _, log = self._process.communicate(timeout=EXIT_TIMEOUT_S)
        assert self._process.returncode == 0, log
        return log

    def _ended(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def serving(
    manifests: Sequence[Manifest],
    kubeconfig: Path,
    folder: Path,
    *,
    authority: trustme.CA | None = None,
) -> Iterator[Server]:
    """Starts it; it is gone at the end."""
    agents_port, health_port = free_ports(2)
    secret = write_secret(folder / "tls", authority or trustme.CA(), "localhost")
    (folder / "typha.yaml").write_text(configuration_text(manifests))
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "TYPHA_CONFIG": str(folder / "typha.yaml"),
        "TYPHA_LISTEN": f"127.0.0.1:{agents_port}",
        "TYPHA_HEALTH": f"127.0.0.1:{health_port}",
        "TYPHA_ADMIN": "off",
        # A pod reads its own from what is mounted.
        "TYPHA_REPLICAS_NAMESPACE": NAMESPACE,
        # Where no control group has a limit, the metric of it would be missing.
        "TYPHA_LIMITS_MEMORY_MB": "1024",
        "TYPHA_TLS_CERT": str(secret / "tls.crt"),
        "TYPHA_TLS_KEY": str(secret / "tls.key"),
        "TYPHA_TLS_CLIENT_CA": str(secret / "ca.crt"),
    }
    command = [sys.executable, "-m", "typha", *container_of(manifests)["args"]]
    variables = os.environ | settings
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process, agents_port, health_port)
        finally:
            process.kill()
