"""The simulated etcd and the rules of its objects: one resourceVersion, tables, lists in pages, restore.

Place: written by `cluster`, by tests and by the HTTP side; read by `api_server` and `watches`. Pure: no I/O, no clock.

Invariants:
1. Every change of any resource takes the next resourceVersion; no two changes share one.
2. All pages of one list show the state at one rv, or the list ends with 410 Expired.
3. Equal calls on stores of equal seed give equal bytes (uids and creation times come from seed and rv).
4. `rollback` restores objects and resourceVersion together and forgets the history: an etcd restored from a copy.

Not taken: validation, defaulting and cascading deletion of the real server; what is written is served.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec

from typha.simulation import status
from typha.simulation.discovery import BUILT_IN, Resource
from typha.simulation.selectors import EVERYTHING, Selection
from typha.simulation.table import Event, EventType, Stored, Table, key_range, rest_of, stamp

# Events kept per resource (up to twice as many before a trim), about what a real watch cache grows to for a busy one;
# the versions that they replaced are 30 to 60 MB of pods.
HISTORY_EVENTS: Final = 16_384
# A change that carries no time of its own happened a tenth of a second after the one before, from here on.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
# A page token with this rv continues at whatever is there now (apiserver `storage/continue.go`).
INCONSISTENT_RV: Final = -1


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list at `rv`; `token` continues it ("": complete); `remaining` is None where a selector hides it."""

    rows: list[Stored]
    rv: int
    token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of everything, as `etcdctl snapshot save` takes it."""

    rv: int
    objects: dict[Resource, dict[str, Stored]]


class _Identity(msgspec.Struct):
    uid: str = ""
    creationTimestamp: str = ""  # noqa: N815 (the API's name)


class _Identified(msgspec.Struct):
    metadata: _Identity


_IDENTITY: Final = msgspec.json.Decoder(_Identified)


class _Token(msgspec.Struct):
    rv: int
    start: str
    v: str = "meta.k8s.io/v1"


class Store:
    """Resources, their objects and their history under one resourceVersion."""

    def __init__(
        self, *, seed: int = 0, history_limit: int = HISTORY_EVENTS, resources: Iterable[Resource] = BUILT_IN
    ) -> None:
        self.seed = seed
        self.resource_version = 1
        self.compacted_rv = 0
        self.life = 0  # counts restores
        self._history_limit = history_limit
        self._tables: dict[str, Table] = {}
        self._listeners: list[Callable[[Table], None]] = []
        for resource in resources:
            self.register(resource)

    # Resources

    def register(self, resource: Resource) -> Table:
        """Serve `resource` from now on (a CRD was created); ValueError where its name is taken."""
        if resource.name in self._tables:
            raise ValueError(f"resource {resource.name} is registered already; unregister it first")
        table = Table(resource, history_limit=self._history_limit, rv=self.resource_version)
        self._tables[resource.name] = table
        return table

    def unregister(self, name: str) -> None:
        """A CRD was deleted: its objects go one by one, its watches end, requests answer 404."""
        table = self.table(name)
        for key in list(table.objects):
            self._commit(table, "DELETED", key, rest_of(table.objects[key].tail))
        table.closed = True
        del self._tables[table.resource.name]
        self._tell(table)

    def resources(self) -> tuple[Resource, ...]:
        """All that is served now."""
        return tuple(table.resource for table in self._tables.values())

    def table(self, name: str) -> Table:
        """The table of `[group/]version/plural`, or of a plural that is unique; KeyError names what there is."""
        table = self._tables.get(name)
        if table is not None:
            return table
        found = [each for each in self._tables.values() if each.resource.plural == name]
        if len(found) == 1:
            return found[0]
        wrong = "is ambiguous" if found else "is not registered"
        raise KeyError(f"resource {name!r} {wrong}; registered: {', '.join(sorted(self._tables))}")

    def subscribe(self, listener: Callable[[Table], None]) -> Callable[[], None]:
        """Call `listener` with the table after each change; returns the way to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Objects

    def create(self, name: str, obj: dict[str, Any]) -> Stored:
        """Add an object; uid and creationTimestamp are filled in where absent; 409 where it exists."""
        table = self.table(name)
        key = self._key(table.resource, obj)
        if key in table.objects:
            raise status.already_exists(table.resource, obj["metadata"]["name"])
        rv = self.resource_version + 1
        defaults = {"uid": self.uid(rv), "creationTimestamp": timestamp(rv)}
        return self._commit(table, "ADDED", key, _encode(obj, defaults))

    def replace(self, name: str, obj: dict[str, Any]) -> Stored:
        """Put a whole object in the place of one; 404 where there is none, 409 where `obj` has another rv than it."""
        table = self.table(name)
        key = self._key(table.resource, obj)
        held = self._held(table, key)
        wanted = obj["metadata"].get("resourceVersion")
        if wanted and wanted != str(held.rv):
            raise status.conflict(table.resource, obj["metadata"]["name"])
        before = _IDENTITY.decode(b"{" + held.tail).metadata
        defaults = {each: value for each, value in msgspec.structs.asdict(before).items() if value}
        rest = _encode(obj, defaults)
        # As the real server: a write that changes nothing is no change.
        return held if rest == rest_of(held.tail) else self._commit(table, "MODIFIED", key, rest)

    def patch(self, name: str, key: str, patch: dict[str, Any]) -> Stored:
        """JSON merge patch (RFC 7386) of the object `key`; None deletes a field."""
        table = self.table(name)
        obj = decode(self._held(table, key))
        version = (patch.get("metadata") or {}).get("resourceVersion")
        merged = _merge(obj, patch)
        if version is None:
            merged["metadata"].pop("resourceVersion", None)
        return self.replace(name, merged)

    def put_encoded(self, name: str, key: str, rest: bytes) -> Stored:
        """Create or replace without looking inside; the fast way in for `cluster`.

        `rest` is the object's JSON after its resourceVersion, see `table.stamp`.
        """
        table = self._tables.get(name) or self.table(name)
        return self._commit(table, "MODIFIED" if key in table.objects else "ADDED", key, rest)

    def delete(self, name: str, key: str) -> Stored:
        """Remove the object `key`; returns its last version under the deletion's rv; 404 where there is none."""
        table = self.table(name)
        return self._commit(table, "DELETED", key, rest_of(self._held(table, key).tail))

    def get(self, name: str, key: str) -> Stored:
        """The object `key` (`namespace/name`, or `name`); 404 where there is none."""
        return self._held(self.table(name), key)

    def uid(self, number: int) -> str:
        """A uid that depends on the seed and `number` alone."""
        return f"{self.seed & 0xFFFFFFFF:08x}-{number >> 48 & 0xFFFF:04x}-4000-8000-{number & 0xFFFFFFFFFFFF:012x}"

    # Lists and history

    def list_page(
        self,
        name: str,
        *,
        namespace: str = "",
        selection: Selection = EVERYTHING,
        limit: int = 0,
        token: str = "",
        exact_rv: int | None = None,
    ) -> Page:
        """Objects in order of key: the present ones, those at `exact_rv`, or the page that `token` continues.

        410 Expired where that rv is no longer known; for a token with another one that continues inconsistently.
        """
        table = self.table(name)
        after, rv = "", self.resource_version if exact_rv is None else exact_rv
        if token:
            start = _decode_token(token)
            after, rv = start.start, self.resource_version if start.rv == INCONSISTENT_RV else start.rv
        if rv > self.resource_version:
            raise status.too_large(rv, self.resource_version)
        if not table.can_serve(rv):
            raise status.expired_continue(_encode_token(INCONSISTENT_RV, after)) if token else status.expired_list()
        if not selection and not table.events_after(rv, 1):
            rows, remaining = table.head_rows(namespace, after, limit)
        else:
            rows, remaining = _select(table.rows_at(rv, keep=bool(limit)), namespace, after, limit, selection)
        if not remaining:
            table.forget(rv)
            return Page(rows, rv)
        return Page(rows, rv, _encode_token(rv, rows[-1].key), None if selection else remaining)

    def history(self, name: str, since_rv: int) -> list[Event]:
        """All events above `since_rv`, oldest first; 410 Expired where some of them are forgotten."""
        table = self.table(name)
        if since_rv < table.trimmed_rv:
            raise status.expired_watch(since_rv, table.trimmed_rv)
        return table.events_after(since_rv, len(table.events))

    def compact(self, rv: int | None = None) -> None:
        """Forget the history up to `rv` (default: all): older watches and pages answer 410 Expired."""
        rv = self.resource_version if rv is None else min(rv, self.resource_version)
        self.compacted_rv = max(self.compacted_rv, rv)
        for table in self._tables.values():
            table.compact(rv)

    def snapshot(self) -> Snapshot:
        """A copy to go back to; costs references, no bytes."""
        return Snapshot(self.resource_version, {t.resource: dict(t.objects) for t in self._tables.values()})

    def rollback(self, copy: Snapshot) -> None:
        """Be again what `copy` shows: objects, resources, resourceVersion; no history from before it."""
        self.resource_version = self.compacted_rv = copy.rv
        self.life += 1
        kept = {resource.name for resource in copy.objects}
        for gone in [table for name, table in self._tables.items() if name not in kept]:
            gone.closed = True
            del self._tables[gone.resource.name]
            self._tell(gone)
        for resource, objects in copy.objects.items():
            table = self._tables.get(resource.name) or self.register(resource)
            table.reset(objects, copy.rv)
            self._tell(table)

    def _commit(self, table: Table, kind: EventType, key: str, rest: bytes) -> Stored:
        rv = self.resource_version = self.resource_version + 1
        stored = Stored(key, rv, stamp(rv, rest))
        table.commit(Event(kind, rv, stored, table.objects.get(key)))
        self._tell(table)
        return stored

    def _tell(self, table: Table) -> None:
        for listener in self._listeners:
            listener(table)

    @staticmethod
    def _held(table: Table, key: str) -> Stored:
        held = table.objects.get(key)
        if held is None:
            raise status.not_found(table.resource, key.rpartition("/")[2])
        return held

    @staticmethod
    def _key(resource: Resource, obj: dict[str, Any]) -> str:
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise status.StatusError(
                422, f"{resource.kind} is invalid: metadata.name: Required value", reason="Invalid"
            )
        if not resource.namespaced:
            return str(metadata["name"])
        if not metadata.get("namespace"):
            raise status.StatusError(422, f"{resource.kind} is invalid: metadata.namespace: Required value")
        return f"{metadata['namespace']}/{metadata['name']}"


def decode(stored: Stored) -> dict[str, Any]:
    """The object as a dict, without kind and apiVersion."""
    decoded: dict[str, Any] = msgspec.json.decode(b"{" + stored.tail)
    return decoded


def timestamp(rv: int) -> str:
    """The simulated time of the change `rv`, as in `creationTimestamp`."""
    return _format_time(rv // 10)


@lru_cache(maxsize=1024)
def _format_time(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encode(obj: dict[str, Any], defaults: dict[str, Any]) -> bytes:
    # `rest` of table.stamp; metadata is never empty (it has a name).
    metadata = {each: value for each, value in obj["metadata"].items() if each != "resourceVersion"}
    for each, value in defaults.items():
        metadata.setdefault(each, value)
    fields = {each: value for each, value in obj.items() if each not in {"kind", "apiVersion", "metadata"}}
    return msgspec.json.encode({"metadata": metadata, **fields})[len(b'{"metadata":{') :]


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _select(
    rows: list[Stored], namespace: str, after: str, limit: int, selection: Selection
) -> tuple[list[Stored], int]:
    start, end = key_range(rows, namespace, after, by=attrgetter("key"))
    if not selection:
        stop = min(start + limit, end) if limit else end
        return rows[start:stop], end - stop
    chosen: list[Stored] = []
    for index in range(start, end):
        if selection.matches(rows[index].tail):
            if limit and len(chosen) == limit:
                return chosen, 1
            chosen.append(rows[index])
    return chosen, 0


def _encode_token(rv: int, start: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Token(rv, start))).decode().rstrip("=")


def _decode_token(token: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=_Token)
    except (ValueError, msgspec.MsgspecError) as error:
        raise status.StatusError(400, "continue key is not valid: it must come from the page before") from error
