"""A script of faults: what the simulated API server does wrong, to which request, how often.

Place: `api_server` asks for a `Plan` per request, open watches (`watches`) are registered here. Tests write the script.

Invariants:
1. Deterministic: rules are matched in the order in which requests arrive, and used up by count, never by chance.
2. A rule changes how an answer travels, never what the store holds; only `rollback`, `create_*` and `do` do that.
3. Where a rule names a `verb`: `list` is a first page, `continue` a later one, `watch` any watch, `watchlist` one that
   asks for initial events, `discovery` all that is no resource; "" is every request. `resource` is a plural; "" is any.

Not taken: random fault rates; a failing test must fail again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from typha.simulation.status import StatusError, expired_watch
from typha.simulation.store import Snapshot, Store
from typha.simulation.table import Stored

# reset: TCP RST. end: as if complete. mid_line: half of the next line, then end. mid_line_reset: then RST.
How = Literal["reset", "end", "mid_line", "mid_line_reset"]
ALWAYS = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """End the body after so many events or bytes (None: not counted)."""

    how: How
    after_events: int | None = None
    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Insertion:
    """Before the event number `after_events` of a watch is written: call `do`, write `line`."""

    after_events: int
    line: bytes = b""
    do: Callable[[], object] | None = None


@dataclass(slots=True)
class Plan:
    """All that goes wrong with one request."""

    delay_s: float = 0.0
    answer: StatusError | None = None
    raw: tuple[int, bytes, str] | None = None  # status, body, content type
    silent: Literal["headers", "body"] | None = None
    cut: Cut | None = None
    insertions: list[Insertion] = field(default_factory=list)


@dataclass(slots=True)
class _Rule:
    apply: Callable[[Plan], object]
    verb: str
    resource: str
    times: int
    skip: int

    def matches(self, verb: str, resource: str) -> bool:
        wanted = self.verb in {"", verb} or (self.verb == "watch" and verb == "watchlist")
        return wanted and self.resource in {"", resource}


class OpenStream(Protocol):
    """What a rule can do to a watch that runs."""

    resource: str

    def insert(self, line: bytes) -> None:
        """Write `line` after what was written."""

    def cut(self, how: How) -> None:
        """End now."""


class Faults:
    """The script of one server.

    Each rule takes `verb`, `resource`, `times` (`ALWAYS`: no end) and `skip` (so many requests pass first).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: list[_Rule] = []
        self._forbidden: set[str] = set()
        self._frozen: set[str] = set()
        self._thawed = asyncio.Event()
        self.token: str | None = None
        self.streams: set[OpenStream] = set()

    # Rules for requests to come

    def answer(
        self,
        code: int,
        *,
        verb: str = "",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
        retry_after_s: int | None = None,
        message: str = "",
        reason: str = "",
    ) -> None:
        """Answer with a `Status` of `code` (410 for `verb="continue"` is a list that expires between two pages)."""
        error = StatusError(code, message, reason=reason, retry_after_s=retry_after_s)
        self._add(lambda plan: setattr(plan, "answer", error), verb, resource, times, skip)

    def answer_raw(
        self,
        body: bytes,
        *,
        code: int = 200,
        content_type: str = "application/json",
        verb: str = "",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Answer with `body` as it is: a proxy's error page, cut JSON, a list of a shape that nobody knows."""
        self._add(lambda plan: setattr(plan, "raw", (code, body, content_type)), verb, resource, times, skip)

    def delay(self, delay_s: float, *, verb: str = "", resource: str = "", times: int = 1, skip: int = 0) -> None:
        """Answer `delay_s` later."""
        self._add(lambda plan: setattr(plan, "delay_s", delay_s), verb, resource, times, skip)

    def silence(
        self,
        stage: Literal["headers", "body"] = "headers",
        *,
        verb: str = "",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Accept and send nothing, from the headers on or from the body on, until the client goes."""
        self._add(lambda plan: setattr(plan, "silent", stage), verb, resource, times, skip)

    def cut(
        self,
        how: How = "reset",
        *,
        after_events: int | None = None,
        after_bytes: int | None = None,
        verb: str = "watch",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Cut the answer after so many events (watches) or bytes of its body (all); exactly one is given."""
        if (after_events is None) == (after_bytes is None):
            raise ValueError("a cut counts either after_events or after_bytes: give exactly one")
        plan_cut = Cut(how, after_events, after_bytes)
        self._add(lambda plan: setattr(plan, "cut", plan_cut), verb, resource, times, skip)

    def insert(
        self,
        line: bytes,
        *,
        after_events: int = 0,
        verb: str = "watch",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Put a line into the next watch: garbage, an object of unknown shape, an ERROR."""
        insertion = Insertion(after_events, line=line)
        self._add(lambda plan: plan.insertions.append(insertion), verb, resource, times, skip)

    def while_streaming(
        self,
        do: Callable[[], object],
        *,
        after_events: int,
        verb: str = "watchlist",
        resource: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Call `do`, which changes the store, after so many events: MODIFIED and DELETED among the initial ones."""
        insertion = Insertion(after_events, do=do)
        self._add(lambda plan: plan.insertions.append(insertion), verb, resource, times, skip)

    def on_request(
        self, do: Callable[[], object], *, verb: str = "", resource: str = "", times: int = 1, skip: int = 0
    ) -> None:
        """Call `do` when the request arrives, before it is answered."""
        self._add(lambda _plan: do(), verb, resource, times, skip)

    # States

    def forbid(self, resource: str) -> None:
        """403 for all verbs of `resource` until `allow`; watches that run go on, as with RBAC."""
        self._forbidden.add(resource)

    def allow(self, resource: str) -> None:
        """Take back `forbid`."""
        self._forbidden.discard(resource)

    def is_forbidden(self, resource: str) -> bool:
        """Whether `forbid` holds."""
        return resource in self._forbidden

    def require_token(self, token: str | None) -> None:
        """401 for requests without this bearer token; None asks for none."""
        self.token = token

    def freeze(self, resource: str = "") -> None:
        """Send nothing more, on open streams too (SIGSTOP), for one resource or for the whole server."""
        self._frozen.add(resource)

    def thaw(self) -> None:
        """Go on where `freeze` stopped; nothing is lost."""
        self._frozen.clear()
        self._thawed.set()
        self._thawed = asyncio.Event()

    async def wait_thawed(self, resource: str) -> None:
        """Return when neither the server nor `resource` is frozen."""
        while "" in self._frozen or resource in self._frozen:
            await self._thawed.wait()

    def clear(self) -> None:
        """Forget all rules and states."""
        self._rules.clear()
        self._forbidden.clear()
        self.token = None
        self.thaw()

    # Faults that act at once

    def cut_open(self, how: How = "reset", *, resource: str = "") -> int:
        """End the watches that run; returns how many."""
        chosen = [stream for stream in self.streams if resource in {"", stream.resource}]
        for stream in chosen:
            stream.cut(how)
        return len(chosen)

    def insert_open(self, line: bytes, *, resource: str = "") -> None:
        """Put a line into the watches that run."""
        for stream in self.streams:
            if resource in {"", stream.resource}:
                stream.insert(line)

    def expire_open(self, *, resource: str = "") -> None:
        """410 Expired as an ERROR event to the watches that run, and end them."""
        head = self._store.resource_version
        error = expired_watch(max(0, head - 1), head)
        self.insert_open(error_line(error), resource=resource)
        self.cut_open("end", resource=resource)

    def rollback(self, copy: Snapshot, *, keep_streams: bool = False) -> None:
        """The cluster's past comes back (etcd restored from `copy`).

        Watches are reset, as when the API server restarts with it. With `keep_streams` they stay: silent, and deaf to
        events at or below the rv where they stood, as on a real server whose etcd alone was restored.
        """
        self._store.rollback(copy)
        if not keep_streams:
            self.cut_open("reset")

    def create_huge(self, resource: str, name: str, size_bytes: int, *, namespace: str = "default") -> Stored:
        """An object with an annotation of `size_bytes` characters (a real server would refuse above 1.5 MB)."""
        metadata: dict[str, Any] = {"name": name, "annotations": {"example.com/huge": "x" * size_bytes}}
        return self._create(resource, metadata, namespace, {})

    def create_misshapen(self, resource: str, name: str, *, namespace: str = "default") -> Stored:
        """An object whose `spec` and `status` have types that no schema has."""
        fields = {"spec": ["not", "a", "map"], "status": "odd"}
        return self._create(resource, {"name": name}, namespace, fields)

    # For the server

    def plan(self, verb: str, resource: str) -> Plan:
        """What goes wrong with this request; uses up the rules that match."""
        plan = Plan()
        for rule in list(self._rules):
            if not rule.matches(verb, resource):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.times != ALWAYS:
                rule.times -= 1
                if rule.times <= 0:
                    self._rules.remove(rule)
            rule.apply(plan)
        return plan

    def _add(self, apply: Callable[[Plan], object], verb: str, resource: str, times: int, skip: int) -> None:
        self._rules.append(_Rule(apply, verb, resource, times, skip))

    def _create(self, resource: str, metadata: dict[str, Any], namespace: str, fields: dict[str, Any]) -> Stored:
        if self._store.table(resource).resource.namespaced:
            metadata["namespace"] = namespace
        return self._store.create(resource, {"metadata": metadata, **fields})


def error_line(error: StatusError) -> bytes:
    """An ERROR event of a watch."""
    return b'{"type":"ERROR","object":%b}\n' % error.body()
