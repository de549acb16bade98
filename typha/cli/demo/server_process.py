"""The server of the demo: ``typha serve`` as a child process, so that it can be killed like one.

1. The child gets none of this process's own settings: no ``TYPHA_*`` (but TYPHA_VERIFY), no ``K8S_*``.
2. It outlives the demo only where that was itself killed with SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import yaml

from typha.cli.exits import CliError

# Importing the Kubernetes client takes a second without bytecode, three on a busy machine; then comes the first list.
READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.05
# The heading, and enough rows to see what they are like.
LOOK_LINES: Final = 7


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def config_text(topics: Mapping[str, Any], port: int, health: int, admin: int) -> str:
    """The child's configuration file; `topics` is the part of it that says what is served."""
    return yaml.safe_dump(
        {
            **topics,
            "listen": f"127.0.0.1:{port}",
            "health": f"127.0.0.1:{health}",
            "admin": f"127.0.0.1:{admin}",
            # A change that agents cannot see (a node's heartbeat) moves their position with the next bookmark only.
            "timing": {"bookmark_interval_s": 1},
        }
    )


class ServerProcess:
    """Started, killed and started again on the same ports; its log is in ``folder``."""

    def __init__(self, folder: Path, kubeconfig: Path, topics: Mapping[str, Any]) -> None:
        self.port, self._health, self.admin = free_ports(3)
        self.starts = 0
        self._log = folder / "server.log"
        self._config = folder / "typha.yaml"
        self._config.write_text(config_text(topics, self.port, self._health, self.admin), encoding="utf-8")
        self._kubeconfig = kubeconfig
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it; returns at once."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TYPHA_", "K8S_", "DATASTORE_")) or name == "TYPHA_VERIFY"
        }
        environment["KUBECONFIG"] = str(self._kubeconfig)
        command = (sys.executable, "-m", "typha", "serve", "--config", str(self._config))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.starts += 1

    async def wait_ready(self) -> None:
        """Until /readyz says 200. Raises CliError with the log's last line."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not await self._is_ready():
                    if self._process is None or self._process.returncode is not None:
                        code = self._process.returncode if self._process is not None else None
                        raise CliError(f"the server ended with {code} before it was ready: {self._last_line()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise CliError(f"the server was not ready in {READY_TIMEOUT_S:g} s: {self._last_line()}") from None

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int | None:
        """SIGTERM, and the exit code; SIGKILL where that takes too long."""
        process = self._process
        if process is None:
            return None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                await self.kill()
        return process.returncode

    async def look(self) -> tuple[str, ...]:
        """The first lines of ``typha get workloadendpoints -A``, as a user would run it."""
        command = (
            sys.executable,
            "-m",
            "typha",
            "get",
            "workloadendpoints",
            "-A",
            "--server",
            f"127.0.0.1:{self.port}",
        )
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        if process.returncode:
            raise CliError(f"typha get workloadendpoints ended with {process.returncode}: {err.decode().strip()}")
        return tuple(out.decode().splitlines()[:LOOK_LINES])

    async def _is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._health)
        except OSError:
            return False
        try:
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.transport.abort()

    def _last_line(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return "no log"
        return lines[-1] if lines else "an empty log"
