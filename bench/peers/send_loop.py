"""The C loop of plain send() as a process: compiled where it is run, by the machine's own ``cc``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from bench.compiled import NotCompiledError, compiled
from bench.peers import Cost, PeerMissing, Shape
from bench.processes import Agents, BenchError, Child

_SOURCE: Final = Path(__file__).with_name("send_loop.c")


def measure(shape: Shape) -> Cost:
    """CPU and sends of one run of that shape. PeerMissing without a C compiler, or on a system without epoll."""
    with SendLoop(shape.agents) as loop, Agents(loop.port) as agents:
        agents.ask("connect", count=shape.agents, language="raw")
        loop.accepted()
        agents.ask("record")
        found = loop.send(shape)
        read = agents.ask("stop", probes=[])
    if read["bytes"] > found["bytes"]:
        raise BenchError(f"the readers took {read['bytes']} bytes of {found['bytes']}")
    deliveries = round(found["bytes"] / shape.delta_bytes)
    return Cost(found["cpu_s"], found["seconds"], found["sends"], deliveries, found["bytes"], [])


class SendLoop(Child):
    """``port`` is where the readers connect, ``sockets`` of them."""

    def __init__(self, sockets: int) -> None:
        super().__init__()
        self._output = self.spawn([str(self._compile()), str(sockets)], stdin=subprocess.PIPE)
        self.port = int(self._answer()["port"])

    def _compile(self) -> Path:
        try:
            return compiled(_SOURCE, self.folder / "send_loop")
        except NotCompiledError as why:
            raise PeerMissing(str(why)) from None

    def accepted(self) -> None:
        """Returns when every reader is there."""
        self._answer()

    def send(self, shape: Shape) -> dict[str, Any]:
        """cpu_s, seconds, sends, bytes, partial of one run."""
        assert self.process is not None
        assert self.process.stdin is not None
        rounds, size = round(shape.seconds * shape.rounds_per_s), round(shape.deltas_per_round * shape.delta_bytes)
        self.process.stdin.write(f"{rounds} {1e6 / shape.rounds_per_s:.3f} {size}\n".encode())
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._output.readline()
        if not line:
            raise BenchError(f"send_loop ended: {self.last_line()}")
        decoded: dict[str, Any] = json.loads(line)
        return decoded
