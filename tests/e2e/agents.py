"""A node agent under observation: a client of `typha_client` and a recorder on all its handlers.

Invariants
1. The recorder rebuilds each topic from what its handlers were told, so a change that is lost, told twice, or told
   with a wrong old value shows, also where the client's own copy is right.
2. Versions of a key only go up, unless the cluster itself went back (another `cluster` in the client's copy).
3. A handler's exception would only be logged by the client: breaches are collected, and `check` raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.truth import Contents, Json
from typha_client import Change, Client, StatusReport, connect
from typha_client.changes import decode_value


@dataclass(slots=True)
class Told:
    """What the handlers of one topic were told so far."""

    held: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    cluster: str | None = None
    states: list[str] = field(default_factory=list)


class Agent:
    """Start it with `async with`. `shows`: per topic, which values its filter lets through (for the comparison)."""

    def __init__(
        self, servers: list[str], node: str, *, shows: Mapping[str, Callable[[Json], bool]] | None = None, **wish: Any
    ) -> None:
        self.node = node
        self.shows = dict(shows or {})
        # Plain frames, so that byte counters mean the same everywhere; short pauses, so that tests are.
        self.client: Client = connect(servers, node=node, **{"compression": False, "max_backoff_s": 0.5} | wish)
        self.told: dict[str, Told] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.breaches: list[str] = []

    async def start(self) -> None:
        """Connects; handlers are in place before the first byte."""
        self.client.on_add(None, self._changed)
        self.client.on_update(None, self._changed)
        self.client.on_delete(None, self._changed)
        self.client.on_status(None, self._status)
        await self.client.__aenter__()

    async def stop(self) -> None:
        """Leaves."""
        await self.client.__aexit__(None, None, None)

    # --- reading

    def held(self, topic: str) -> Contents:
        """The client's copy."""
        return {entry.key: entry.value for entry in self.client.list(topic)}

    def told_contents(self, topic: str) -> Contents:
        """What the handlers know."""
        held = self.told[topic].held if topic in self.told else {}
        return {key: decode_value(encoded, key) for key, encoded in held.items()}

    def counters(self) -> Counter[str]:
        """Bytes and frames by type received over all connections, and modes of joins."""
        numbers = self.client.statistics()
        counted = Counter({name: numbers[name] for name in ("bytes_received", "resumes", "reconciles", "snapshots")})
        counted["moves"] = numbers["moves"]
        counted.update({f"frames_{name}": count for name, count in numbers["frames_received"].items()})
        return counted

    def state(self, topic: str) -> str:
        """The topic's state as this agent was told."""
        return str(self.client.topic(topic).state)

    def describe(self) -> str:
        """For a failure's message."""
        topics = {name: f"{self.state(name)} at {self.client.topic(name).cursor}" for name in self.client.topics}
        return f"agent {self.node}: {topics}, last error: {self.client.last_error}"

    def check(self) -> None:
        """Raises AssertionError where a handler was told something that it must not be told."""
        failures = self.client.statistics()["handler_failures"]
        assert not failures, f"agent {self.node}: {failures} handler calls failed, see the log"
        assert not self.breaches, f"agent {self.node} was told: " + "\n".join(self.breaches[:10])

    # --- handlers

    def _changed(self, change: Change) -> None:
        told = self.told.setdefault(change.topic, Told())
        cluster = self.client._replicas.topics[change.topic].cluster
        if cluster != told.cluster:
            told.cluster, told.versions = cluster, {}
        self.calls.append((change.topic, change.op, change.key))
        before = told.versions.get(change.key, -1)
        if change.rv < before:
            self.breaches.append(f"{change.topic} {change.key}: {change.op} at {change.rv} after {before}")
        if told.held.get(change.key) != change.old_encoded:
            self.breaches.append(f"{change.topic} {change.key}: {change.op} at {change.rv} with another old value")
        if change.encoded == change.old_encoded:
            self.breaches.append(f"{change.topic} {change.key}: {change.op} at {change.rv} changes nothing")
        told.versions[change.key] = change.rv
        if change.encoded is None:
            told.held.pop(change.key, None)
        else:
            told.held[change.key] = change.encoded

    def _status(self, report: StatusReport) -> None:
        self.told.setdefault(report.topic, Told()).states.append(str(report.state))
