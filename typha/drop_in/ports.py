"""Typha's two HTTP ports on one thread of their own: health, and metrics over HTTP or HTTPS.

Place: `app` starts it beside `observe`'s server and stops it last; it reads the same board, and `Figures`.

1. The thread only reads what was published: a busy loop never fails a probe before it is dead by `health`'s rule.
2. What a stranger can cost is bounded, with the limits of `observe.http`: connections per port, a request's bytes, time
   for it, one request each. When all are taken, the one that has waited longest for its request makes room.
3. A port that cannot be bound is an ObserveError of ``start``. Certificates that cannot be used are not (`https`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable

from typha.drop_in.addresses import listen
from typha.drop_in.health import health
from typha.drop_in.https import ReloadingContext
from typha.drop_in.metrics import CONTENT_TYPE, Exposition
from typha.drop_in.settings import DropIn
from typha.drop_in.statistics import Figures
from typha.observe.http import (
    MAX_CONNECTIONS,
    MAX_REQUEST_BYTES,
    REQUEST_TIMEOUT_S,
    RESPONSE_TIMEOUT_S,
    STOP_TIMEOUT_S,
    encode,
    parse_request,
)
from typha.observe.pages import TEXT, Response
from typha.observe.status import Board

log = logging.getLogger("typha.drop_in")

Answer = Callable[[str], Response]
"""Path -> response."""

_NOT_FOUND = Response(404, TEXT, b"404 page not found\n")


def health_pages(board: Board) -> Answer:
    """/liveness and /readiness."""

    def answer(path: str) -> Response:
        if path not in {"/liveness", "/readiness"}:
            return _NOT_FOUND
        found = health(board.read(), board.now())
        is_good = found.is_live if path == "/liveness" else found.is_ready
        return Response(200 if is_good else 503, TEXT, found.table.encode())

    return answer


def metrics_pages(exposition: Exposition) -> Answer:
    """/metrics."""

    def answer(path: str) -> Response:
        return Response(200, CONTENT_TYPE, exposition.render()) if path == "/metrics" else _NOT_FOUND

    return answer


class DropInPorts:
    """The ports that ``drop_in`` asks for, and no thread where it asks for none."""

    def __init__(self, drop_in: DropIn, board: Board, figures: Figures) -> None:
        self._drop_in = drop_in
        self._board = board
        self._figures = figures
        self._listeners: dict[str, _Listener] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()

    @property
    def health_port(self) -> int | None:
        """The port that was bound, None where health is off."""
        return self._listeners["HealthPort"].port if "HealthPort" in self._listeners else None

    @property
    def metrics_port(self) -> int | None:
        """The port that was bound, None where metrics are off."""
        name = "PrometheusMetricsPort"
        return self._listeners[name].port if name in self._listeners else None

    def start(self) -> None:
        """Bind and start the thread. Raises ObserveError where a port cannot be had."""
        try:
            self._bind()
        except BaseException:
            self._close()
            raise
        if self._listeners:
            self._thread = threading.Thread(target=self._run, name="typha-drop-in", daemon=True)
            self._thread.start()
            self._started.wait(STOP_TIMEOUT_S)

    def _bind(self) -> None:
        wanted, metrics = self._drop_in, self._drop_in.metrics
        if wanted.health is not None:
            bound = listen("TYPHA_HEALTHPORT", wanted.health)
            self._listeners["HealthPort"] = _Listener(bound, health_pages(self._board), None)
        if metrics is not None:
            tls = ReloadingContext(metrics.tls).context if metrics.tls is not None else None
            exposition = Exposition(self._figures, runtime=metrics.runtime, process=metrics.process)
            bound = listen("TYPHA_PROMETHEUSMETRICSPORT", metrics.listen)
            self._listeners["PrometheusMetricsPort"] = _Listener(bound, metrics_pages(exposition), tls)

    def stop(self) -> None:
        """Close the ports and end the thread; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            if self._loop is not None and self._stop is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                    self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(STOP_TIMEOUT_S)
            if thread.is_alive():
                log.warning("the drop-in thread did not end in time", extra={"timeout_s": STOP_TIMEOUT_S})
        self._close()

    def _close(self) -> None:
        for listener in self._listeners.values():
            listener.socket.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            try:
                runner.run(self._serve())
            except Exception:
                log.exception("the drop-in thread has ended")
            finally:
                self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            for listener in self._listeners.values():
                await stack.enter_async_context(listener)
            self._started.set()
            await self._stop.wait()


class _Listener:
    """One listening socket and its connections, oldest first."""

    def __init__(self, bound: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
        self.socket = bound
        self.port: int = bound.getsockname()[1]
        self._answer = answer
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._waiting: dict[asyncio.Task[None], None] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> None:
        self._server = await asyncio.start_server(
            self._accept,
            sock=self.socket,
            limit=MAX_REQUEST_BYTES,
            ssl=self._tls,
            ssl_handshake_timeout=REQUEST_TIMEOUT_S if self._tls else None,
            ssl_shutdown_timeout=REQUEST_TIMEOUT_S if self._tls else None,
        )

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [*self._waiting, *self._answering]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # start_server always runs a coroutine callback as a task
            raise RuntimeError("not in a task")
        if len(self._waiting) + len(self._answering) >= MAX_CONNECTIONS:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                writer.transport.abort()
                return
            del self._waiting[oldest]
            oldest.cancel()
        self._waiting[task] = None
        try:
            await self._exchange(task, reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The peer went, was too slow, sent too much, or had to make room.
            writer.transport.abort()
        finally:
            self._waiting.pop(task, None)
            self._answering.discard(task)

    async def _exchange(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
        self._waiting.pop(task, None)
        self._answering.add(task)
        method, response = self._respond(head)
        async with asyncio.timeout(RESPONSE_TIMEOUT_S):
            writer.write(encode(response, with_body=method != "HEAD"))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    def _respond(self, head: bytes) -> tuple[str, Response]:
        request = parse_request(head)
        if request is None:
            return "GET", Response(400, TEXT, b"not an HTTP/1 request\n")
        method, target, _ = request
        if method not in {"GET", "HEAD"}:
            return method, Response(405, TEXT, b"only GET and HEAD\n")
        try:
            return method, self._answer(target.partition("?")[0])
        except Exception:
            # One page's bug must not take the probes with it.
            log.exception("a page failed", extra={"page": target.partition("?")[0]})
            return method, Response(500, TEXT, b"this page failed; the log says why\n")
