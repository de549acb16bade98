"""Typha's two HTTP ports on one thread of their own: health, and metrics over HTTP or HTTPS.

Place: `app` starts it beside `observe`'s server and stops it last; it reads the same board, and `Figures`.

1. The thread only reads what was published: a busy loop never fails a probe before it is dead by `health`'s rule.
2. A port that cannot be bound is an ObserveError of ``start``. Certificates that cannot be used are not (`https`).
"""

from __future__ import annotations

from typing import Final

from typha.drop_in.addresses import listen
from typha.drop_in.health import health
from typha.drop_in.https import ReloadingContext
from typha.drop_in.metrics import CONTENT_TYPE, Exposition
from typha.drop_in.settings import DropIn, MetricsTls
from typha.drop_in.statistics import Figures
from typha.observe.pages import TEXT, Request, Response
from typha.observe.ports import Answer, Port, PortsThread, PortTls
from typha.observe.status import Board

_NOT_FOUND: Final = Response(404, TEXT, b"404 page not found\n")
_ONLY_READ: Final = Response(405, TEXT, b"only GET and HEAD\n")
_METHODS: Final = frozenset({"GET", "HEAD"})


def health_pages(board: Board) -> Answer:
    """/liveness and /readiness."""

    async def answer(request: Request) -> Response:
        path = request.target.partition("?")[0]
        if request.method not in _METHODS:
            return _ONLY_READ
        if path not in {"/liveness", "/readiness"}:
            return _NOT_FOUND
        found = health(board.read(), board.now())
        is_good = found.is_live if path == "/liveness" else found.is_ready
        return Response(200 if is_good else 503, TEXT, found.table.encode())

    return answer


def metrics_pages(exposition: Exposition) -> Answer:
    """/metrics."""

    async def answer(request: Request) -> Response:
        if request.method not in _METHODS:
            return _ONLY_READ
        is_known = request.target.partition("?")[0] == "/metrics"
        return Response(200, CONTENT_TYPE, exposition.render()) if is_known else _NOT_FOUND

    return answer


def _tls_of(metrics: MetricsTls) -> PortTls:
    context = ReloadingContext(metrics).context
    return PortTls(lambda: context)


class DropInPorts:
    """The ports that ``drop_in`` asks for, and no thread where it asks for none."""

    def __init__(self, drop_in: DropIn, board: Board, figures: Figures) -> None:
        self._drop_in = drop_in
        self._board = board
        self._figures = figures
        self._health: Port | None = None
        self._metrics: Port | None = None
        self._thread: PortsThread | None = None

    @property
    def health_port(self) -> int | None:
        """The port that was bound, None where health is off."""
        return None if self._health is None else self._health.port

    @property
    def metrics_port(self) -> int | None:
        """The port that was bound, None where metrics are off."""
        return None if self._metrics is None else self._metrics.port

    def start(self) -> None:
        """Bind and start the thread. Raises ObserveError where a port cannot be had."""
        try:
            self._bind()
        except BaseException:
            self.stop()
            raise
        self._thread = PortsThread("typha-drop-in", self._bound())
        self._thread.start()

    def _bind(self) -> None:
        wanted, metrics = self._drop_in, self._drop_in.metrics
        if wanted.health is not None:
            self._health = Port(listen("TYPHA_HEALTHPORT", wanted.health), health_pages(self._board))
        if metrics is not None:
            tls = _tls_of(metrics.tls) if metrics.tls is not None else None
            exposition = Exposition(self._figures, runtime=metrics.runtime, process=metrics.process)
            bound = listen("TYPHA_PROMETHEUSMETRICSPORT", metrics.listen)
            self._metrics = Port(bound, metrics_pages(exposition), tls)

    def _bound(self) -> list[Port]:
        return [port for port in (self._health, self._metrics) if port is not None]

    def stop(self) -> None:
        """Close the ports and end the thread; safe to call twice."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        for port in self._bound():
            port.socket.close()
