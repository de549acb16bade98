"""One server as a child process: start, wait until it answers, stop, freeze, and no orphan whatever happens to Python.

Invariants
1. A child dies with the Python process that started it, even of SIGKILL: a shell waits on a pipe and kills it.
2. Children run in sessions of their own: Ctrl-C reaches Python only, which then stops them in order.
3. A failed start raises with the last lines of the log; nothing is left running.

Road not taken: PR_SET_PDEATHSIG. It fires when the *thread* that forked ends, so a server restarted through
`asyncio.to_thread` would die with that test's event loop; and `preexec_fn` is unsafe with threads.
"""

import contextlib
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOG_TAIL_LINES = 25
POLL_INTERVAL_S = 0.05  # 2 % of a start of 2.3 s
# Cold start 2.3 s on an idle machine; CI with all cores taken has been seen at ten times that.
START_TIMEOUT_S = 60.0
# Below Linux's ephemeral range (32768 and up): no outgoing connection can take a server's port while it is restarted.
PORT_RANGE = range(20_000, 32_000)

# A line on the pipe releases the child. End of file without one means that Python, the pipe's only writer, has gone.
_REAPER_SCRIPT = 'read -r released || kill -9 "$1"'


class ControlPlaneError(Exception):
    """The control plane cannot do what was asked; the text says why and what to do."""


def last_lines(log_path: Path, count: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, indented; says so where there are none."""
    try:
        lines = log_path.read_text(errors="replace").splitlines()[-count:]
    except OSError as error:
        return f"  ({log_path}: {error})"
    return "\n".join(f"  {line}" for line in lines) or f"  ({log_path} is empty)"


def free_ports(count: int) -> list[int]:
    """Distinct loopback TCP ports that nothing listens on now, outside the ephemeral range."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(PORT_RANGE, k=1_000):
        if len(ports) == count:
            break
        if port_is_free(port):
            ports.append(port)
    if len(ports) < count:
        raise ControlPlaneError(f"no {count} free ports among 1000 tried in {PORT_RANGE.start}-{PORT_RANGE.stop}")
    return ports


def port_is_free(port: int) -> bool:
    """Whether a listener could be bound on 127.0.0.1 now (TIME_WAIT does not count, as for Go's listeners)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class ServerProcess:
    """One run of one server. `name` is for messages; the log is appended to, so that restarts stay in one file.

    Thread-safe only as far as one thread at a time changes its state.
    """

    def __init__(self, name: str, command: Sequence[str], log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._reaper = subprocess.Popen(
            ["/bin/sh", "-c", _REAPER_SCRIPT, "reaper", str(self.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process exists; a frozen one does."""
        return self._process.poll() is None

    def wait_answering(self, answers: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Polls `answers` until true. Raises ControlPlaneError, the process killed, when it ends or takes longer."""
        deadline = time.monotonic() + timeout_s
        while not answers():
            if not self.is_running:
                what = f"{self.name} ended with exit code {self._process.returncode} before it was ready"
            elif time.monotonic() > deadline:
                what = f"{self.name} was not ready within {timeout_s:g} s"
            else:
                time.sleep(POLL_INTERVAL_S)
                continue
            self.stop()
            raise ControlPlaneError(
                f"{what}. Last lines of {self.log_path}:\n{last_lines(self.log_path)}\n"
                "What to do: `address already in use` is another process on a port that was free just now, start again;"
                " an unknown flag is one that this release does not have; `no space left` is the temporary folder"
                " (200 MB are needed; TMPDIR moves it); nothing wrong in the log is a machine that is too busy."
            )

    def stop(self, grace_s: float = 0.0) -> None:
        """SIGTERM, SIGKILL after `grace_s` (0: at once), waits for the end. A frozen process ends too. Idempotent."""
        if grace_s > 0 and self.is_running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self._process.kill()  # does nothing once it has been waited for
        self._process.wait()
        if self._reaper.poll() is None:
            self._reaper.communicate(b"released\n")

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, the kernel goes on accepting new ones, nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)
