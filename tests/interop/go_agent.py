"""The Go agent: built once into the cache, run as a process, its JSON lines as they come.

What is missing fails the test with what to do; nothing is skipped.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane import go_program

SOURCES: Final = Path(__file__).parent / "gomodule"
Line = dict[str, Any]


class GoAgentError(Exception):
    """The agent ended or kept silent where it should not."""


def find_or_build() -> Path:
    """The agent's binary. Raises ControlPlaneError that says what to do."""
    return go_program.find_or_build("interop", SOURCES)


class GoAgent:
    """``agent [flags] HOST:PORT`` as an async context: its lines so far, and waiting for those to come."""

    def __init__(self, address: str, *flags: str) -> None:
        self.lines: list[Line] = []
        self._command = (str(find_or_build()), *flags, address)
        self._changed = asyncio.Condition()
        self._ended = False

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=2**26
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # Reads both pipes to their end, and closes them with the process.
        await self._reading
        await self._process.wait()

    def of(self, kind: str, agent: int = 0) -> list[Line]:
        """The lines of one agent and kind, without these two fields."""
        return [
            {name: value for name, value in line.items() if name not in {"agent", "is"}}
            for line in self.lines
            if line["is"] == kind and line["agent"] == agent
        ]

    def state(self, agent: int = 0) -> dict[str, str]:
        """What the KVs printed so far add up to (one connection; not with -quiet)."""
        held: dict[str, str] = {}
        for line in self.of("kv", agent):
            if line["value"] is None:
                held.pop(line["key"], None)
            else:
                held[line["key"]] = line["value"]
        return held

    async def wait(self, what: str, holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Until ``holds`` after some line. Raises GoAgentError with ``what`` otherwise."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: holds() or self._ended)
        except TimeoutError:
            pass
        if not holds():
            raise GoAgentError(f"{what}: not in {timeout_s} s; last lines {self.lines[-3:]}")

    async def wait_count(self, kind: str, count: int, timeout_s: float = 20.0) -> None:
        """Until so many lines of a kind came, of whichever agents."""

        def enough() -> bool:
            return sum(1 for line in self.lines if line["is"] == kind) >= count

        await self.wait(f"{count} lines of {kind!r}", enough, timeout_s)

    async def digests(self, agents: int, timeout_s: float = 20.0) -> list[tuple[int, str]]:
        """(keys, digest) of every agent's state, as they are now."""
        asked = sum(line["is"] == "state" for line in self.lines)
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        await self.wait_count("state", asked + agents, timeout_s)
        answers = [line for line in self.lines if line["is"] == "state"][asked:]
        return [(line["keys"], line["digest"]) for line in sorted(answers, key=lambda line: int(line["agent"]))]

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open, nothing is read. (With a -read-timeout that is long enough.)"""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        async for text in self._process.stdout:
            async with self._changed:
                self.lines.append(json.loads(text))
                self._changed.notify_all()
        errors = (await self._process.stderr.read()).decode()
        async with self._changed:
            self._ended = True
            if errors:
                self.lines.append({"agent": -1, "is": "stderr", "text": errors})
            self._changed.notify_all()


def digest_of(state: dict[str, str]) -> tuple[int, str]:
    """What an agent with this state answers: SHA-256 over key, 0, value, 0 of all keys in byte order."""
    digest = hashlib.sha256()
    for key in sorted(state, key=str.encode):
        digest.update(f"{key}\0{state[key]}\0".encode())
    return len(state), digest.hexdigest()
