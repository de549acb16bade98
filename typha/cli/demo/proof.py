"""The proof: what every agent holds is what a LIST of the API server says.

1. The truth is read over HTTP, in pages, after the last change; agents are compared when they hold that change.
2. Two digests: the client's own (SHA-256 over the bytes held) tells which agents of one role hold the same; one agent
   of each such group is decoded and compared with its part of the truth by a digest over canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typha.cli.demo.scene import Content, Role, Truth
    from typha_client import Client

# Of what differs so many keys are named: enough to see the pattern.
SHOWN_DIFFERENCES: Final = 3


def digest(contents: Mapping[str, Content]) -> str:
    """SHA-256 over topics, keys and values in canonical JSON."""
    canonical = json.dumps(contents, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the agents compare with the API server. ``differing``: node -> what is different, in words."""

    agents: int
    objects: int
    digest: str
    differing: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """True where every agent equals the API server."""
        return not self.differing

    @property
    def line(self) -> str:
        """The proof line."""
        if self.holds:
            return (
                f"PROOF HOLDS: {self.agents} of {self.agents} agents equal the API server's LIST "
                f"({self.objects} objects, sha256 {self.digest[:16]})"
            )
        node, why = next(iter(self.differing.items()))
        return (
            f"PROOF FAILS: {len(self.differing)} of {self.agents} agents differ from the API server's LIST "
            f"({self.objects} objects, sha256 {self.digest[:16]}); {node}: {why}"
        )


def compare(agents: Mapping[str, Client], roles: Mapping[str, Role], truth: Truth, late: Mapping[str, str]) -> Verdict:
    """Compare every agent with the truth. ``late``: agents that did not get the last change in time, and why."""
    differing = dict(late)
    judged: dict[tuple[object, ...], str] = {}
    for node, client in agents.items():
        if node in late:
            continue
        role = roles[node]
        filters = tuple((topic, *where.items()) for topic, where in role.where.items())
        group = (role.feed, filters, *(client.topic(topic).digest for topic in role.topics))
        if group not in judged:
            true = truth.seen_by(role)
            held = {topic: {entry.key: entry.value for entry in client.list(topic)} for topic in role.topics}
            judged[group] = "" if digest(held) == digest(true) else differences(true, held)
        if judged[group]:
            differing[node] = judged[group]
    contents = truth.contents
    return Verdict(len(agents), sum(map(len, contents.values())), digest(contents), differing)


def differences(true: Mapping[str, Content], held: Mapping[str, Content]) -> str:
    """What is missing, left over or different, in words; never empty."""
    found: list[str] = []
    for topic, content in true.items():
        mine = held.get(topic, {})
        found += [f"{topic} lacks {key}" for key in sorted(content.keys() - mine.keys())]
        found += [f"{topic} still has {key}" for key in sorted(mine.keys() - content.keys())]
        found += [
            f"{topic} has another {key}" for key in sorted(content.keys() & mine.keys()) if content[key] != mine[key]
        ]
    return _few(found) or "equal values, but another digest"


def _few(words: Sequence[str]) -> str:
    more = len(words) - SHOWN_DIFFERENCES
    return ", ".join(words[:SHOWN_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
