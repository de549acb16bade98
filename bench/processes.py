"""The processes that are measured: the simulated API server, ``typha serve``, and those of the load.

1. None outlives its ``with`` block, however it is left.
2. The server gets none of this process's own settings: no ``TYPHA_*``, no ``K8S_*``.
3. CPU and memory are of one process, read from the kernel, its threads included.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self

import psutil

from typha.observe.status import Latency

POD_FIELDS: Final = ("metadata.labels", "spec.nodeName", "status.podIP", "status.phase")
PODS_TOPIC: Final[Mapping[str, Any]] = {
    "resource": "v1/pods",
    "fields": list(POD_FIELDS),
    "filters": {"node": "spec.nodeName"},
}
# A first list of 100,000 pods takes 3 s on a quiet machine; a bench must not hang on a busy one.
READY_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.02
_STOP_S: Final = 10.0
# uvloop is used where it is installed; this is how to measure without it.
_WITHOUT_UVLOOP: Final = (
    "import sys; sys.modules['uvloop'] = None; sys.argv[0] = 'typha'; from typha.__main__ import main; main()"
)
_PROBE_NAMESPACE: Final = "team-000"
_PROBE: Final = "bench-probe"
# With an address it is a workload endpoint too.
_PROBE_STATUS: Final = {"phase": "Running", "podIP": "10.254.0.1", "podIPs": [{"ip": "10.254.0.1"}]}


class BenchError(Exception):
    """A process did not do what the bench needs; the message says which and why."""


class Cluster(Protocol):
    """An API server that somebody runs."""

    @property
    def kubeconfig(self) -> Path:
        """How to reach it."""


class Child:
    """A child process with a folder of its own."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="typha-bench-")))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def spawn(self, command: Sequence[str], *, stdin: int = subprocess.DEVNULL, **environment: str) -> IO[bytes]:
        """Start it with its stderr in ``folder/log``; gives its stdout."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("TYPHA_", "K8S_", "DATASTORE_"))
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=log, env=inherited | environment
            )
        assert self.process.stdout is not None
        return self.process.stdout

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close_pipes()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout) if self.process is not None else ():
            if pipe is not None:
                pipe.close()

    @property
    def usage(self) -> psutil.Process:
        """The process as the kernel sees it."""
        if self.process is None:
            raise BenchError("the process was not started")
        return psutil.Process(self.process.pid)

    def cpu_s(self) -> float:
        """User and system time so far."""
        times = self.usage.cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        """Resident memory now."""
        return int(self.usage.memory_info().rss)

    def peak_rss_bytes(self) -> int:
        """Most resident memory so far; Linux only, elsewhere that of now."""
        if self.process is not None and (status := Path(f"/proc/{self.process.pid}/status")).exists():
            for line in status.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return self.rss_bytes()

    def last_line(self) -> str:
        """Of its log."""
        lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "no log"


class Simulation(Child):
    """``python -m typha.simulation``; waits until it serves. ``hold``: no changes before ``begin``."""

    def __init__(
        self,
        *,
        pods: int,
        nodes: int = 100,
        churn: float = 0.0,
        hold: bool = False,
        watch_list: bool = True,
        calico: bool = False,
        only: str = "",
        bare: bool = False,
        runtime_ids: bool = False,
    ) -> None:
        super().__init__()
        self.kubeconfig = self.folder / "kubeconfig"
        command = [sys.executable, "-m", "typha.simulation", "--pods", str(pods), "--nodes", str(nodes)]
        command += ["--churn", str(churn), "--kubeconfig", str(self.kubeconfig)]
        command += [] if watch_list else ["--no-watch-list"]
        command += (["--calico"] if calico else []) + (["--hold"] if hold else []) + (["--only", only] if only else [])
        command += (["--runtime-ids"] if runtime_ids else []) + (["--bare"] if bare else [])
        line = self.spawn(command).readline()
        if not line:
            raise BenchError(f"the simulation did not start: {self.last_line()}")
        host, port = json.loads(line)["url"].removeprefix("http://").split(":")
        self.port = int(port)
        self._http = http.client.HTTPConnection(host, self.port, timeout=30)
        self._stack.callback(self._http.close)

    def begin(self) -> None:
        """Let the changes begin."""
        self.usage.send_signal(signal.SIGUSR1)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One API call; BenchError where it is refused."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._http.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise BenchError(f"simulation: {method} {path}: {answer.status} {content[:200]!r}")
        decoded: dict[str, Any] = json.loads(content)
        return decoded

    def create_probe(self) -> None:
        """The pod whose label ``touch_probe`` changes."""
        metadata = {"name": _PROBE, "namespace": _PROBE_NAMESPACE, "labels": {"bench": "0"}}
        body = {"metadata": metadata, "spec": {"nodeName": "node-0000"}, "status": _PROBE_STATUS}
        self.request("POST", f"/api/v1/namespaces/{_PROBE_NAMESPACE}/pods", body)

    def touch_probe(self) -> tuple[int, int]:
        """Change the probe; its new resourceVersion, and monotonic ns from before the request was sent."""
        sent_ns = time.monotonic_ns()
        path = f"/api/v1/namespaces/{_PROBE_NAMESPACE}/pods/{_PROBE}"
        changed = self.request("PATCH", path, {"metadata": {"labels": {"bench": str(sent_ns)}}})
        return int(changed["metadata"]["resourceVersion"]), sent_ns


class Server(Child):
    """``typha serve`` on a cluster; ``settings`` are keys of the configuration file.

    With ``built_in_feeds`` there is no topic ``pods``: the feeds have their own. ``verify`` sets TYPHA_VERIFY.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        uvloop: bool = True,
        built_in_feeds: Sequence[str] = (),
        verify: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.port, self.health, self.admin = _free_ports(3)
        self.cluster = cluster
        self._uvloop = uvloop
        self._verify = "1" if verify else "0"
        config: dict[str, Any] = {
            **(
                {"calico": {"feeds": list(built_in_feeds)}}
                if built_in_feeds
                else {"topics": {"pods": dict(PODS_TOPIC)}}
            ),
            "listen": f"127.0.0.1:{self.port}",
            "health": f"127.0.0.1:{self.health}",
            "admin": f"127.0.0.1:{self.admin}",
            "log": {"level": "warning"},
        }
        # JSON is YAML.
        (self.folder / "typha.yaml").write_text(json.dumps(config | settings), encoding="utf-8")
        self.started_at = 0.0

    def start(self) -> None:
        """Returns at once."""
        run = ["-m", "typha"] if self._uvloop else ["-c", _WITHOUT_UVLOOP]
        command = [sys.executable, *run, "serve", "--config", str(self.folder / "typha.yaml")]
        self.started_at = time.monotonic()
        self.spawn(command, KUBECONFIG=str(self.cluster.kubeconfig), TYPHA_VERIFY=self._verify)

    def wait_ready(self) -> float:
        """Seconds from ``start`` to /readyz 200."""
        while time.monotonic() - self.started_at < READY_TIMEOUT_S:
            if self.process is None or self.process.poll() is not None:
                raise BenchError(f"the server ended before it was ready: {self.last_line()}")
            if self._get(self.health, "/readyz")[0] == 200:
                return time.monotonic() - self.started_at
            time.sleep(_POLL_S)
        raise BenchError(f"the server was not ready in {READY_TIMEOUT_S:g} s: {self.last_line()}")

    def status(self) -> dict[str, Any]:
        """/status, made for this request."""
        code, body = self._get(self.admin, "/status")
        if code != 200:
            raise BenchError(f"/status answers {code}")
        decoded: dict[str, Any] = json.loads(body)
        return decoded

    def loop_lag(self) -> Latency:
        """How late its event loop was, since its start."""
        return Latency(*self.status()["loop_lag"])

    @staticmethod
    def _get(port: int, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()


class Readers(Child):
    """A process with many raw readers, told what to do line by line (``commands``)."""

    def __init__(self, *command: str) -> None:
        super().__init__()
        self._answers = self.spawn(command, stdin=subprocess.PIPE)

    def tell(self, do: str, **arguments: Any) -> None:
        """Send a command without waiting for its answer."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer. BenchError where the command failed."""
        line = self._answers.readline()
        decoded: dict[str, Any] = json.loads(line) if line else {"error": f"the agents ended: {self.last_line()}"}
        if "error" in decoded:
            raise BenchError(decoded["error"])
        return decoded

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Command and answer."""
        self.tell(do, **arguments)
        return self.answer()


class Agents(Readers):
    """``python -m bench.agents``: subscribers of a server.

    ``niceness`` above 0: agents of other machines, which must not take the processor from those that are measured.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", niceness: int = 0) -> None:
        nice = ("nice", "-n", str(niceness)) if niceness else ()
        super().__init__(*nice, sys.executable, "-m", "bench.agents", str(port), host)


class Watchers(Readers):
    """``python -m bench.watchers``: watches of an API server."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(sys.executable, "-m", "bench.watchers", str(cluster.kubeconfig))


class PeakRss:
    """Samples a process's memory while the block runs: ``bytes`` is the most that was seen."""

    def __init__(self, child: Child, every_s: float = 0.01) -> None:
        self._child, self._every_s = child, every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.bytes = child.rss_bytes()

    def _sample(self) -> None:
        while not self._done.wait(self._every_s):
            self.bytes = max(self.bytes, self._child.rss_bytes())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
