"""What the two ports answer: path, query and Accept header in, a response out. Pure, but for the board's clock.

Port health: /livez, /readyz (both with ``?verbose``), /metrics. Port admin: /status, and the same again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
from prometheus_client import CollectorRegistry

from typha.observe import metrics, readiness
from typha.observe.status import Board

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class Response(NamedTuple):
    """What goes back: status code, content type, body."""

    code: int
    content_type: str
    body: bytes


class Pages:
    """The pages of one port, by path. ``refresh`` may bring the picture up to date before /status is answered."""

    def __init__(
        self, board: Board, registry: CollectorRegistry, *, admin: bool, refresh: Callable[[], None] | None = None
    ) -> None:
        self._board = board
        self._registry = registry
        self._refresh = refresh
        self._pages: dict[str, Callable[[bool, str], Response]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }
        if admin:
            self._pages["/status"] = self._status

    def answer(self, method: str, target: str, accept: str) -> Response:
        """The page at ``target`` (path and query)."""
        if method not in ("GET", "HEAD"):
            return Response(405, TEXT, b"only GET and HEAD\n")
        parts = urlsplit(target)
        page = self._pages.get(parts.path)
        if page is None:
            known = " ".join(self._pages)
            return Response(404, TEXT, f"no such page; there are: {known}\n".encode())
        verbose = parse_qs(parts.query, keep_blank_values=True).get("verbose", ["false"])[0] not in ("0", "false")
        return page(verbose, accept)

    def _livez(self, verbose: bool, accept: str) -> Response:
        checks = readiness.liveness(self._board.read(), self._board.now())
        return self._probe(checks, verbose)

    def _readyz(self, verbose: bool, accept: str) -> Response:
        return self._probe(readiness.readiness(self._board.read()), verbose)

    @staticmethod
    def _probe(checks: list[readiness.Check], verbose: bool) -> Response:
        code = 200 if all(check.holds for check in checks) else 503
        return Response(code, TEXT, readiness.render(checks, verbose=verbose).encode())

    def _metrics(self, verbose: bool, accept: str) -> Response:
        body, content_type = metrics.render(self._registry, accept)
        return Response(200, content_type, body)

    def _status(self, verbose: bool, accept: str) -> Response:
        if self._refresh is not None:
            self._refresh()
        published, now = self._board.read(), self._board.now()
        if published.status is None:
            return Response(503, JSON, b'{"error":"starting: nothing was published yet"}\n')
        page = {
            "age_s": round(max(0.0, now - published.status_at), 3),
            "ready": all(check.holds for check in readiness.readiness(published)),
            "live": all(check.holds for check in readiness.liveness(published, now)),
            **{field.name: getattr(published.status, field.name) for field in dataclasses.fields(published.status)},
        }
        # msgspec, not dataclasses.asdict and json: thousands of subscribers would hold the interpreter, and with it the
        # server's loop, a hundred times as long.
        return Response(200, JSON, msgspec.json.encode(page) + b"\n")
