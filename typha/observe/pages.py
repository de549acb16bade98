"""What the two ports answer: a request in, a response out. Path, query and headers decide; the sockets are `ports`'.

Port health: /livez, /readyz (both with ``?verbose``), /metrics. Port admin: the same again, /status, the questions of
`answers`, and the page with its files.

1. What is answered from the published picture costs the server's loop nothing; what needs the loop goes through
   `Inquiries`, which bounds it.
2. A wrong query is a 400 that says what was wrong and what there is.
3. A port on loopback answers only who calls it by a loopback name or an address: a web page that has its own name
   resolve to 127.0.0.1 (DNS rebinding) reads nothing.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry

from typha.observe import metrics, readiness
from typha.observe.queries import Parameters, QueryError
from typha.observe.status import Board

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

_LOOPBACK_NAMES: Final = frozenset({"", "localhost"})


class Request(NamedTuple):
    """One request without its body. ``target`` is path and query; names of ``headers`` are in lower case;
    ``certificate`` is the peer's (``getpeercert()``), where TLS asked for one.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    certificate: Mapping[str, Any] | None = None
    address: str = ""


class Response(NamedTuple):
    """What goes back: status code, content type, body, and headers beside those that every response has."""

    code: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[Request, Parameters], Awaitable[Response]]
"""The request and its decoded query -> response. Raises QueryError."""


def json_response(value: object, code: int = 200) -> Response:
    """``value`` as JSON."""
    # msgspec, not dataclasses.asdict and json: thousands of subscribers would hold the interpreter, and with it the
    # server's loop, a hundred times as long.
    return Response(code, JSON, msgspec.json.encode(value) + b"\n")


def error_response(code: int, message: str) -> Response:
    """``message`` as JSON, for pages that answer with JSON."""
    return json_response({"error": message}, code)


def is_local_name(host: str) -> bool:
    """Whether a Host header names an address or loopback itself (RFC 6761: localhost and what ends in it)."""
    name = urlsplit(f"//{host}").hostname or "" if host else ""
    if name in _LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Pages:
    """The pages of one port, by path: the probes and metrics, and ``more``.

    ``commands`` are what PUT may change. ``is_local``: the port is on loopback.
    """

    def __init__(
        self,
        board: Board,
        registry: CollectorRegistry,
        more: Mapping[str, Page] | None = None,
        *,
        commands: Mapping[str, Page] | None = None,
        is_local: bool = False,
    ) -> None:
        self._board = board
        self._registry = registry
        self._is_local = is_local
        self._commands = commands or {}
        self._pages: dict[str, Page] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            **(more or {}),
        }

    async def answer(self, request: Request) -> Response:
        """The page that the request asks for."""
        parts = urlsplit(request.target)
        is_command = request.method == "PUT" and parts.path in self._commands
        if request.method not in ("GET", "HEAD") and not is_command:
            return Response(405, TEXT, b"only GET and HEAD\n")
        host = request.headers.get("host", "")
        if self._is_local and not is_local_name(host):
            return Response(421, TEXT, b"this port answers to localhost and to addresses, not to other names\n")
        page = (self._commands if is_command else self._pages).get(parts.path)
        if page is None:
            known = " ".join(path for path in self._pages if "." not in path)
            return Response(404, TEXT, f"no such page; there are: {known}\n".encode())
        try:
            return await page(request, Parameters.parse(parts.query))
        except QueryError as error:
            return error_response(400, str(error))

    async def _livez(self, _: Request, query: Parameters) -> Response:
        checks = readiness.liveness(self._board.read(), self._board.now())
        return self._probe(checks, query)

    async def _readyz(self, _: Request, query: Parameters) -> Response:
        return self._probe(readiness.readiness(self._board.read()), query)

    @staticmethod
    def _probe(checks: list[readiness.Check], query: Parameters) -> Response:
        code = 200 if all(check.holds for check in checks) else 503
        return Response(code, TEXT, readiness.render(checks, verbose=query.flag("verbose")).encode())

    async def _metrics(self, request: Request, _: Parameters) -> Response:
        body, content_type = metrics.render(self._registry, request.headers.get("accept", ""))
        return Response(200, content_type, body)


def status_page(board: Board, *, subscribers: bool) -> Response:
    """The picture as JSON; a probe's verdict on it and its age in seconds come first."""
    published, now = board.read(), board.now()
    if published.status is None:
        return error_response(503, "starting: nothing was published yet")
    left_out = () if subscribers else ("subscribers",)
    fields = [field.name for field in dataclasses.fields(published.status) if field.name not in left_out]
    return json_response(
        {
            "age_s": round(max(0.0, now - published.status_at), 3),
            "ready": all(check.holds for check in readiness.readiness(published)),
            "live": all(check.holds for check in readiness.liveness(published, now)),
            **{name: getattr(published.status, name) for name in fields},
        }
    )
