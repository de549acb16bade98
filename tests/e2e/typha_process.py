"""`typha serve` as a real child process: start, wait until ready, kill, drain; its pages and its log.

Invariants
1. The agents' port stays the same over restarts, so that agents find the server again; health and admin take port 0
   and are read from the log line `serving`.
2. The child's environment has no KUBECONFIG, K8S_* or TYPHA_* of the person who runs the tests; TYPHA_VERIFY is on.
3. Whatever happens to Python, the child goes with it (`ServerProcess`).
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.controlplane.server_process import ControlPlaneError, ServerProcess, free_ports, last_lines

Json = dict[str, Any]

# A start takes 1 s on an idle machine; the rest is room for one with all cores taken.
START_TIMEOUT_S = 30.0
EXIT_TIMEOUT_S = 20.0
PAGE_TIMEOUT_S = 10.0
# Delays of seconds where the defaults are minutes, so that a test sees what an operator sees after an hour.
QUICK: Mapping[str, Any] = {
    "timing": {"bookmark_interval_s": 0.5, "drain_wait_s": 0, "drain_grace_s": 4, "max_age_s": 0},
    "upstream": {"watch_timeout_s": [20, 30], "backoff_min_s": 0.1, "backoff_max_s": 0.5},
}


class Page(NamedTuple):
    """What a page answered."""

    code: int
    text: str


class _Child(ServerProcess):
    """A server whose exit code matters."""

    def terminate(self) -> None:
        """SIGTERM, and nothing else."""
        self._process.send_signal(signal.SIGTERM)

    def wait_exit(self, timeout_s: float) -> int:
        """The exit code. Raises ControlPlaneError after `timeout_s`."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ControlPlaneError(
                f"{self.name} still runs {timeout_s:g} s after the signal:\n{last_lines(self.log_path)}"
            ) from None
        self.stop()
        return code


class TyphaProcess:
    """One server: its configuration, its port, its life. Not started by construction. ``verify``: TYPHA_VERIFY."""

    def __init__(
        self, name: str, folder: Path, kubeconfig: Path, config: Mapping[str, Any], *, verify: bool = True
    ) -> None:
        (self.port,) = free_ports(1)
        self.name = name
        self.kubeconfig = kubeconfig
        self._environment = {"KUBECONFIG": str(kubeconfig), **({} if verify else {"TYPHA_VERIFY": "0"})}
        self.log_path = folder / f"{name}.log"
        self.config_path = folder / f"{name}.yaml"
        ports = {"listen": self.address, "health": "127.0.0.1:0", "admin": "127.0.0.1:0", "log": {"format": "json"}}
        self.config = _merged(_merged(QUICK, ports), config)
        self._child: _Child | None = None
        self._log_start = 0
        self._serving: Json = {}

    @property
    def address(self) -> str:
        """Where agents connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        """The status page."""
        return f"http://127.0.0.1:{self._serving['admin']}/"

    @property
    def is_running(self) -> bool:
        """Whether its process exists."""
        return self._child is not None and self._child.is_running

    @property
    def rss_bytes(self) -> int:
        """Resident memory."""
        fields = Path(f"/proc/{self._running().pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    # --- life

    def start(self, *, ready: bool = True) -> None:
        """Returns when it listens and, with `ready`, when /status says so."""
        if self.is_running:
            raise ControlPlaneError(f"{self.name} runs already. What to do: kill() or drain() it first")
        self.config_path.write_text(json.dumps(self.config))  # JSON is YAML
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        command = [sys.executable, "-m", "typha", "serve", "--config", str(self.config_path)]
        self._child = _Child(self.name, [*clean_environment(**self._environment), *command], self.log_path)
        self._child.wait_answering(self._listens, START_TIMEOUT_S)
        if ready:
            # /status is of this moment; the picture behind /readyz is up to a second old.
            self._child.wait_answering(lambda: bool(self.status().get("ready")), START_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self._child is not None:
            self._child.stop()

    def terminate(self) -> None:
        """SIGTERM: it drains. See `wait_exit`."""
        self._running().terminate()

    def reload(self, **sections: Any) -> None:
        """These sections of its file instead of those that it has, and SIGHUP."""
        self.config = _merged(self.config, sections)
        self.config_path.write_text(json.dumps(self.config))
        os.kill(self._running().pid, signal.SIGHUP)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open, nothing answers."""
        self._running().freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self._running().thaw()

    def wait_exit(self, timeout_s: float = EXIT_TIMEOUT_S) -> int:
        """The exit code."""
        return self._running().wait_exit(timeout_s)

    # --- what it says

    def page(self, path: str, *, admin: bool = False, accept: str = "*/*") -> Page:
        """A page of the health port, or of the admin port."""
        port = int(self._serving["admin" if admin else "health"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PAGE_TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            return Page(answer.status, answer.read().decode())
        finally:
            connection.close()

    def status(self) -> Json:
        """/status."""
        page: Json = json.loads(self.page("/status", admin=True).text)
        return page

    def status_address(self) -> str:
        """Where the admin port is."""
        return f"127.0.0.1:{self._serving['admin']}"

    def topic(self, name: str) -> Json:
        """One topic of /status."""
        found: Json = next(topic for topic in self.status()["topics"] if topic["name"] == name)
        return found

    def subscriber(self, node: str) -> Json | None:
        """The connection of the agent on `node` in /status; None where there is none."""
        return next((each for each in self.status()["subscribers"] if each["node"] == node), None)

    def metrics(self) -> dict[str, float]:
        """/metrics, through prometheus_client's own OpenMetrics parser: `name{label="value"}` -> number."""
        page = self.page("/metrics", accept="application/openmetrics-text; version=1.0.0")
        found = {}
        for family in text_string_to_metric_families(page.text):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
        return found

    def log_lines(self) -> list[Json]:
        """The log of this run, decoded; a line that is no JSON (a crash) as `{"text": ...}`."""
        if not self.log_path.exists():
            return []
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return [_decoded(line) for line in log.read().decode(errors="replace").split("\n") if line]

    def crashes(self) -> list[str]:
        """Lines of all runs that a healthy server never writes: tracebacks, errors, text that is no log line."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        decoded = [_decoded(line) for line in text.split("\n") if line]
        bad = [line for line in decoded if "text" in line or line.get("level") in {"error", "critical"}]
        return [json.dumps(line) for line in bad if not _is_uvloop_closing(line)]

    def log_tail(self) -> str:
        """For a failure's message."""
        return f"{self.name} ({'runs' if self.is_running else 'stopped'}):\n{last_lines(self.log_path, 12)}"

    # --- inside

    def _running(self) -> _Child:
        if self._child is None:
            raise ControlPlaneError(f"{self.name} is not started. What to do: call start() first")
        return self._child

    def _listens(self) -> bool:
        self._serving = next((line for line in self.log_lines() if line.get("msg") == "serving"), {})
        return bool(self._serving)


def clean_environment(**variables: str) -> list[str]:
    """The words before a command that give it our environment without anybody's cluster or settings, plus these."""
    foreign = [name for name in os.environ if name.startswith(("TYPHA_", "K8S_", "KUBE", "DATASTORE_"))]
    unset = [word for name in foreign for word in ("-u", name)]
    return ["/usr/bin/env", *unset, "TYPHA_VERIFY=1", *(f"{name}={value}" for name, value in variables.items())]


def _is_uvloop_closing(line: Json) -> bool:
    """uvloop's own complaint where the peer speaks on a TLS connection that we are closing; harmless, a known bug."""
    return line.get("logger") == "asyncio" and "the handler is closed" in str(line.get("traceback"))


def _decoded(line: str) -> Json:
    try:
        decoded = json.loads(line)
    except ValueError:
        decoded = None
    return decoded if isinstance(decoded, dict) else {"text": line}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    """`base` with `over` laid over it, one level deep: `topics` and `feeds` are replaced name by name."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = {**old, **value} if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
