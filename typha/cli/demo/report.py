"""What `typha demo` knows while it runs and at its end: options, progress, report. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from typha.cli.demo.proof import Verdict

KEPT_LATENCIES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    agents: int = 50
    pods: int = 2000
    churn_per_s: float = 50.0
    seconds: float = 20.0
    sabotage: bool = False
    calico: bool = False


@dataclass(slots=True)
class Progress:
    """What is going on, for who looks; the play writes, the view reads."""

    phase: str = "starting"
    changes: int = 0
    deliveries: int = 0
    in_sync: int = 0
    server_pid: int | None = None
    server_starts: int = 0
    elapsed_s: float = 0.0
    watches: int = 0
    direct_watches: int = 0
    objects: dict[str, int] = field(default_factory=dict)
    at_head: dict[str, int] = field(default_factory=dict)
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LATENCIES))


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended; `as_dict` is the page of ``-o json``.

    `bytes_direct`: what the agents would have received from the API server without typha. `objects`: topic -> entries
    of the truth. `look`: lines of a last look at what the server holds.
    """

    options: Options
    progress: Progress
    verdict: Verdict
    bytes_to_agents: int
    bytes_direct: int
    outage_s: float
    modes: dict[str, int]
    sabotaged: str
    server_exit: int | None
    objects: dict[str, int]
    look: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "ok": self.verdict.holds,
            "proof": self.verdict.line,
            "agents": self.verdict.agents,
            "agents_equal": self.verdict.agents - len(self.verdict.differing),
            "differing": dict(self.verdict.differing),
            "objects": self.objects,
            "digest": self.verdict.digest,
            "changes": self.progress.changes,
            "deliveries": self.progress.deliveries,
            "latency_ms": latency_ms(self.progress.latencies_s),
            "restart": {"outage_s": round(self.outage_s, 3), **self.modes},
            "api_watches": {"typha": self.progress.watches, "direct": self.progress.direct_watches},
            "bytes": {"typha": self.bytes_to_agents, "direct": self.bytes_direct},
            "sabotaged": self.sabotaged or None,
            "server_exit": self.server_exit,
            "look": list(self.look),
        }


def latency_ms(latencies_s: deque[float]) -> dict[str, float]:
    """p50, p99 and maximum in milliseconds; empty where nothing was measured."""
    ordered = sorted(latencies_s)
    if not ordered:
        return {}
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000, 2) for name, part in at.items()
    }
