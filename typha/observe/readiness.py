"""Is the process alive, is it ready, and why not: decided from the published picture alone.

1. Alive: the loop gave a sign of life within `HEARTBEAT_LIMIT_S`. Nothing else counts, least of all load.
2. Ready: every required topic was synced once in this life, or its resource does not exist; and not draining. A topic
   that went stale stays ready: its agents are told so, and taking the server away would take their data too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from typha.observe.status import Published, Status
from typha.wire.states import TopicState

# A round yields every 2 ms and the longest known pause of a loop is 3 s (a full collection at 100,000 pods as dicts);
# ten times that is a loop that does not come back. The kubelet's own patience comes on top.
HEARTBEAT_LIMIT_S: Final = 30.0


class Check(NamedTuple):
    """One condition: its name, whether it holds, and what is the case."""

    name: str
    holds: bool
    reason: str


def liveness(published: Published, now: float) -> list[Check]:
    """The loop's heartbeat."""
    silent_s = max(0.0, now - published.beat_at)
    return [Check("loop", silent_s <= HEARTBEAT_LIMIT_S, f"last sign of life {silent_s:.1f} s ago")]


def readiness(published: Published) -> list[Check]:
    """Draining, and every required topic."""
    status = published.status
    if status is None:
        return [Check("started", False, "starting: nothing was published yet")]
    draining = status.server.draining
    checks = [Check("accepting", not draining, "draining" if draining else "accepting connections")]
    checks.extend(_topic_checks(status))
    return checks


def _topic_checks(status: Status) -> list[Check]:
    checks = []
    for topic in status.topics:
        if not topic.required:
            continue
        holds = topic.has_synced or topic.state is TopicState.ABSENT
        why = f"{topic.state} for {topic.since_s:.0f} s" + (f": {topic.message}" if topic.message else "")
        checks.append(Check(f"topic {topic.name}", holds, why))
    return checks


def render(checks: list[Check], *, verbose: bool) -> str:
    """The body in the manner of the API server's own probes: reasons of what fails, with ``verbose`` of all."""
    failed = [check for check in checks if not check.holds]
    shown = checks if verbose else failed
    lines = [f"[{'+' if check.holds else '-'}] {check.name}: {check.reason}" for check in shown]
    lines.append("ok" if not failed else f"failed: {len(failed)} of {len(checks)} checks")
    return "\n".join(lines) + "\n"
