"""Node, and the minimal client's one package, ready to run; and the running client as a process that is read.

Invariants
1. The repository is not written to: packages go to `$XDG_CACHE_HOME/typha-minimal` (else `~/.cache`), keyed by the
   lock file; the client runs from a copy beside them.
2. What is missing fails the test with what to do; it never skips it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

SOURCES: Final = Path(__file__).parents[2] / "client" / "minimal"
INSTALL_TIMEOUT_S: Final = 90
Line = dict[str, Any]


def node() -> str:
    """The path of Node, version 20 or newer."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.fail("node and npm are not on PATH: install Node.js 20 or newer (the minimal client is a Node program)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.fail(f"{found} is {version}: the minimal client needs Node.js 20 or newer")
    return found


def install_packages() -> Path:
    """`npm ci` once per lock file; the folder that holds `node_modules`."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "typha-minimal"
    key = hashlib.sha256(b"".join((SOURCES / name).read_bytes() for name in ("package.json", "package-lock.json")))
    folder = root / key.hexdigest()[:16]
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            folder.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCES / name, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
            )
            if done.returncode:
                pytest.fail(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
            (folder / "done").touch()
    return folder


def project(folder: Path, *sources: Path) -> Path:
    """A copy of the client (and of `sources`) in `folder`, its packages beside it."""
    (folder / "node_modules").symlink_to(install_packages() / "node_modules")
    for source in (SOURCES / "client.mjs", SOURCES / "package.json", *sources):
        shutil.copy(source, folder)
    return folder


class NodeClient:
    """`node client.mjs SERVERS TOPIC...`: its lines, and the copies that they add up to."""

    def __init__(self, folder: Path, server: str, *topics: str) -> None:
        self.lines: list[Line] = []
        self.copies: dict[str, dict[str, tuple[int, Any]]] = {topic: {} for topic in topics}
        self.cursors: dict[str, int] = {}
        self.broken: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [node(), "client.mjs", server, *topics],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="node client")
        self._errors = threading.Thread(target=self._read_errors, name="node client errors")
        self.errors = ""
        self._reader.start()
        self._errors.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._errors.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if kind is not None:
            sys.stderr.write(f"node client, last lines: {self.lines[-5:]}\n{self.errors}")

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Until `holds` after some line; fails the test with `what` otherwise."""
        deadline_at = time.monotonic() + timeout_s
        with self._changed:
            while not holds():
                rest_s = deadline_at - time.monotonic()
                if rest_s <= 0 or self._process.poll() is not None:
                    pytest.fail(f"{what}: not in {timeout_s} s; last lines {self.lines[-3:]}; {self.errors}")
                self._changed.wait(min(rest_s, 0.5))

    def wait_cursor(self, topic: str, rv: int) -> None:
        """Until the client was told that it holds everything up to `rv`."""
        self.wait(f"{topic} at {rv}", lambda: self.cursors.get(topic, 0) >= rv)

    def modes(self, topic: str) -> list[str]:
        """How each connection so far brought the topic up to date."""
        return [line["mode"] for line in self.lines if line["op"] == "welcome" and line["topic"] == topic]

    def _read(self) -> None:
        for text in self._process.stdout or ():
            line: Line = json.loads(text)
            with self._changed:
                self._apply(line)
                self.lines.append(line)
                self._changed.notify_all()

    def _apply(self, line: Line) -> None:
        match line["op"]:
            case "put":
                held = self.copies[line["topic"]].get(line["key"])
                if held is not None and held[1] == line["value"]:
                    self.broken.append(f"the same value twice: {line}")
                self.copies[line["topic"]][line["key"]] = (line["rv"], line["value"])
            case "delete":
                if self.copies[line["topic"]].pop(line["key"], None) is None:
                    self.broken.append(f"a delete of what was never put: {line}")
            case "bookmark":
                self.cursors[line["topic"]] = line["rv"]
            case "reset":
                self.cursors.pop(line["topic"], None)

    def _read_errors(self) -> None:
        for text in self._process.stderr or ():
            self.errors += text
