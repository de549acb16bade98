"""The HTTP side: from a request to objects, a watch, or a `Status`.

Place: `serve` puts it on a socket; it reads `store` through `requests`, leaves watches to `watches`, asks `faults`.

Invariants:
1. Each request is counted once, by the verb and plural that RBAC would see, before anything is answered.
2. A body that is served is made of the store's bytes; only `Status`, discovery and page metadata are encoded here.
3. Faults act in the order of the real server: frozen, token, RBAC, script, then the request itself.

Not taken: a write path with validation, field managers, strategic merge; enough to change objects as tests need.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
from typing import Any, Final

import msgspec
from aiohttp import web

from typha.simulation import discovery, status
from typha.simulation.faults import Faults, How, Plan
from typha.simulation.requests import Options, Target, check_list, parse_options, parse_path
from typha.simulation.status import StatusError
from typha.simulation.store import Page, Store, decode
from typha.simulation.table import Stored, Table
from typha.simulation.watches import Settings, Statistics, StreamCutError, WatchStream

JSON: Final = "application/json"
# Not of the real server: its counters, for whoever measures from outside.
STATISTICS_PATH: Final = "/simulation/statistics"
# Room for huge objects; the real server stops at 3 MB per request.
MAX_BODY_BYTES: Final = 64 * 2**20
_WRITES: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_RBAC_VERBS: Final = {"continue": "list", "watchlist": "watch"}
_PATCH_TYPES: Final = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})
# SO_LINGER on, 0 s: close sends RST.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)


class ApiServer:
    """One simulated API server over a store."""

    def __init__(self, store: Store, faults: Faults, settings: Settings) -> None:
        self.store = store
        self.faults = faults
        self.settings = settings
        self._statistics = Statistics()
        self._streams: dict[Table, set[WatchStream]] = {}
        self._unsubscribe = store.subscribe(self._notify)

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    def close(self) -> None:
        """Stop listening to the store."""
        self._unsubscribe()

    def statistics(self) -> Statistics:
        """A copy of the counters, with the state of the store."""
        copy = dataclasses.replace(
            self._statistics,
            requests=self._statistics.requests.copy(),
            events_sent=self._statistics.events_sent.copy(),
            bytes_sent=self._statistics.bytes_sent.copy(),
            open_watches=self._statistics.open_watches.copy(),
        )
        copy.resource_version = self.store.resource_version
        copy.objects = {each.name: len(self.store.table(each.name).objects) for each in self.store.resources()}
        return copy

    def _notify(self, table: Table) -> None:
        for stream in self._streams.get(table, ()):
            stream.notify()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except StatusError as error:
            return web.Response(body=error.body(), status=error.code, content_type=JSON, headers=error.headers())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await self.faults.wait_thawed("")
        if request.path == STATISTICS_PATH:
            return _json(self.statistics())
        token = self.faults.token
        if token is not None and request.headers.get("Authorization") != f"Bearer {token}":
            raise StatusError(401)
        target = parse_path(self.store, request.path)
        if target is None:
            plan = self._count("discovery", "")
            failed = await self._fail(plan, request, "")
            return self._discover(request.path.strip("/")) if failed is None else failed
        options = parse_options(target, request.query)
        verb = _verb(request.method, target, options)
        resource = target.table.resource
        plan = self._count(verb, resource.plural)
        await self.faults.wait_thawed(resource.plural)
        if self.faults.is_forbidden(resource.plural):
            raise status.forbidden(resource, _RBAC_VERBS.get(verb, verb))
        failed = await self._fail(plan, request, resource.plural)
        if failed is not None:
            return failed
        if target.table.closed:
            return _page_not_found()
        if verb in {"watch", "watchlist"}:
            return await self._watch(request, target.table, options, plan)
        body = self._read(target, options) if request.method == "GET" else await self._write(verb, request, target)
        self._statistics.bytes_sent[resource.plural] += len(body)
        if plan.cut is not None and plan.cut.after_bytes is not None:
            return await _send_part(request, body[: plan.cut.after_bytes], plan.cut.how)
        return web.Response(body=body, status=201 if verb == "create" else 200, content_type=JSON)

    def _count(self, verb: str, plural: str) -> Plan:
        self._statistics.requests[f"{_RBAC_VERBS.get(verb, verb)} {plural}".strip()] += 1
        return self.faults.plan(verb, plural)

    async def _fail(self, plan: Plan, request: web.Request, plural: str) -> web.StreamResponse | None:
        """What the script says about this request; None where it is to be served."""
        if plan.delay_s:
            await asyncio.sleep(plan.delay_s)
        if plan.answer is not None:
            raise plan.answer
        if plan.raw is not None:
            code, body, content_type = plan.raw
            self._statistics.bytes_sent[plural] += len(body)
            return web.Response(body=body, status=code, content_type=content_type)
        if plan.silent == "body":
            await _open_stream(request)
        if plan.silent is not None:
            await asyncio.Event().wait()  # until the client goes: aiohttp then cancels this handler
        return None

    def _discover(self, path: str) -> web.Response:
        resources = self.store.resources()
        match path.split("/"):
            case ["version"]:
                return _json(discovery.version())
            case ["readyz" | "livez" | "healthz"]:
                return web.Response(text="ok")
            case ["api"]:
                return _json(discovery.api_versions())
            case ["apis"]:
                return _json(discovery.group_list(resources))
            case ["api", version]:
                return _json_or_404(discovery.resource_list(resources, "", version))
            case ["apis", group]:
                return _json_or_404(discovery.group(resources, group))
            case ["apis", group, version]:
                return _json_or_404(discovery.resource_list(resources, group, version))
            case _:
                return _page_not_found()

    def _read(self, target: Target, options: Options) -> bytes:
        table = target.table
        if target.name:
            return _whole(table, self.store.get(table.resource.name, target.key))
        page = self.store.list_page(
            table.resource.name,
            namespace=options.namespace,
            selection=options.selection,
            limit=options.limit,
            token=options.token,
            exact_rv=check_list(options, self.store.resource_version),
        )
        return _list_body(table, page)

    async def _write(self, verb: str, request: web.Request, target: Target) -> bytes:
        table, name = target.table, target.table.resource.name
        if verb == "delete":
            return _whole(table, self.store.delete(name, target.key))
        obj = await _read_object(request)
        if verb == "patch":
            if request.content_type not in _PATCH_TYPES:
                raise StatusError(415, f"patch type {request.content_type} is not served: use merge-patch+json")
            if target.subresource:
                obj = {each: obj[each] for each in ("metadata", "status") if each in obj}
            return _whole(table, self.store.patch(name, target.key, obj))
        metadata = obj.setdefault("metadata", {})
        for each, value in (("namespace", target.namespace), ("name", target.name)):
            if value and metadata.setdefault(each, value) != value:
                raise StatusError(400, f"the {each} of the object ({metadata[each]}) is not that of the URL ({value})")
        if verb == "create":
            return _whole(table, self.store.create(name, obj))
        if target.subresource:
            held = decode(self.store.get(name, target.key))
            held["metadata"]["resourceVersion"] = metadata.get("resourceVersion")
            obj = {**held, "status": obj.get("status", {})}
        return _whole(table, self.store.replace(name, obj))

    async def _watch(self, request: web.Request, table: Table, options: Options, plan: Plan) -> web.StreamResponse:
        if options.initial_events is not None and not self.settings.watch_list:
            message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise status.invalid_option("sendInitialEvents", message)
        head = self.store.resource_version
        if options.initial_events and (options.resource_version or 0) > head:
            raise status.too_large(options.resource_version or 0, head)
        plural = table.resource.plural
        stream = WatchStream(self.store, table, options, self.settings, self.faults, plan, self._statistics)
        response = await _open_stream(request)
        streams = self._streams.setdefault(table, set())
        streams.add(stream)
        self.faults.streams.add(stream)
        self._statistics.open_watches[plural] += 1
        try:
            await stream.run(response)
        except StreamCutError as cut:
            if cut.how in {"reset", "mid_line_reset"}:
                _reset(request)
        except ConnectionError:
            pass  # the client has gone: the end of most watches
        finally:
            streams.discard(stream)
            self.faults.streams.discard(stream)
            self._statistics.open_watches[plural] -= 1
            if table.closed and not streams:
                self._streams.pop(table, None)
        return response


def _verb(method: str, target: Target, options: Options) -> str:
    if method == "GET":
        return "get" if target.name else options.verb
    verb = _WRITES.get(method)
    if verb is None or (verb == "create") is bool(target.name):
        raise StatusError(405, "the server does not allow this method on the requested resource")
    return verb


def _whole(table: Table, stored: Stored) -> bytes:
    return table.prefix + stored.tail + b"\n"


def _list_body(table: Table, page: Page) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(page.rv)}
    if page.token:
        metadata["continue"] = page.token
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    resource = table.resource
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": []}
    items = b",{".join([row.tail for row in page.rows])
    return msgspec.json.encode(head)[: -len(b"]}")] + (b"{" + items if items else b"") + b"]}\n"


def _json(document: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type=JSON)


def _json_or_404(document: dict[str, Any] | None) -> web.Response:
    return _page_not_found() if document is None else _json(document)


def _page_not_found() -> web.Response:
    # Plain text, as the real server answers for a group, version or resource that it does not serve.
    return web.Response(text="404 page not found\n", status=404)


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        obj = msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise StatusError(400, f"the object provided is not a JSON object: {error}") from error
    if not isinstance(obj.setdefault("metadata", {}), dict):
        raise StatusError(400, "the object provided has a metadata that is not an object")
    return obj


async def _open_stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": JSON})
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


async def _send_part(request: web.Request, part: bytes, how: How) -> web.StreamResponse:
    response = await _open_stream(request)
    await response.write(part)
    if how in {"reset", "mid_line_reset"}:
        _reset(request)
    return response


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        transport.abort()
