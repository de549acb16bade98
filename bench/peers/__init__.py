"""Peers: what else carries the same bytes to the same sockets, and what that costs.

Here belong servers that are not ours, each behind one function that takes a ``Shape`` and gives its figures. A peer
that this machine cannot run raises PeerMissing, and its figures are "not run". Forbidden: figures of a peer that were
not measured on this machine in this run; those that were recorded elsewhere stand in ``bench.goals``, marked so.

    send_loop    a C loop of plain send(): what the kernel asks for the bytes, whoever writes them
    nats         NATS, publish and subscribe of the same deltas: what one would take who has no server like this one
    typha_go     Calico's Typha, on the same simulated cluster
    streams      how the load's readers count what a peer sends
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Final, NamedTuple

from bench.processes import BenchError, Child

# Calico's Typha lists the whole cluster before it listens.
_LISTEN_S: Final = 300.0
_POLL_S: Final = 0.1


class PeerMissing(BenchError):  # noqa: N818 - no error of the bench: a figure that is not there
    """This machine lacks what the peer needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A fan-out: ``deltas_per_s`` changes of ``delta_bytes`` each to every one of ``agents`` sockets.

    ``round_s``: what changed in that time is joined and sent at once; 0: each delta by itself.
    """

    agents: int
    deltas_per_s: float
    delta_bytes: float = 450.0
    round_s: float = 0.0
    seconds: float = 10.0

    @property
    def rounds_per_s(self) -> float:
        """Sends to each agent a second."""
        return 1 / self.round_s if self.round_s else self.deltas_per_s

    @property
    def deltas_per_round(self) -> float:
        """Deltas in each of them."""
        return self.deltas_per_s / self.rounds_per_s


class Cost(NamedTuple):
    """What a peer needed: CPU of its process alone, ``sends`` as it counts them, deltas that arrived at agents.

    Latencies are seconds, ascending; none where the peer's bytes carry no time, or where it has not kept up: then
    deliveries are those that it made in ``seconds``.
    """

    cpu_s: float
    seconds: float
    sends: int
    deliveries: int
    bytes: int
    reached_s: list[float]
    has_kept_up: bool = True


class Listener(Child):
    """A peer's server: a process that listens at ``host`` and ``port``, which was free a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self.host = "127.0.0.1"
        with socket.create_server((self.host, 0)) as free:
            self.port: int = free.getsockname()[1]

    def wait_listening(self, name: str) -> None:
        """Returns when it takes connections; BenchError when it ends or never does."""
        deadline_at = time.monotonic() + _LISTEN_S
        while True:
            try:
                socket.create_connection((self.host, self.port)).close()
            except OSError as error:
                if time.monotonic() > deadline_at or self.process is None or self.process.poll() is not None:
                    raise BenchError(f"{name} does not listen: {self.last_line()}") from error
                time.sleep(_POLL_S)
            else:
                return
