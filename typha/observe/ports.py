"""HTTP ports on a thread with a loop of its own, so that a busy server still answers its probes.

Place: `http` has the two of the server (health, admin); others bring their own answers and sockets.

1. What a stranger can cost is bounded: connections per port, bytes of a request, time for it, one request each.
   When all connections of a port are taken, the one that has waited longest for its request is closed, so that idle
   connections cannot keep the kubelet out. A connection counts from its accept: a handshake is part of the wait.
2. A port is bound by who makes it, in that thread: what cannot be had is an error there.

Not taken: http.server, which spends a thread per connection and reads headers of any total size; aiohttp, whose
26 MB the server has anyway, but which brings keep-alive, bodies and everything else that is forbidden here;
asyncio.start_server, which shakes hands with any number at a time and tells nobody why a handshake failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from typha.config.kinds import HostPort
from typha.downstream.listening import shown_peer
from typha.downstream.tls import open_tls
from typha.observe.pages import TEXT, Request, Response

log = logging.getLogger("typha.observe")

# A probe's request has 200 bytes, Prometheus' 500; a browser's with cookies stays below 8 KiB.
MAX_REQUEST_BYTES: Final = 8192
# Two kubelet probes, a few scrapers and somebody looking.
MAX_CONNECTIONS: Final = 64
REQUEST_TIMEOUT_S: Final = 5.0
# A status page of 10,000 subscribers has some 5 MB; through a port-forward that takes a while.
RESPONSE_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 2.0
# asyncio's own pause where there are no file handles or buffers left.
_ACCEPT_RETRY_S: Final = 1.0
# The first byte of a TLS handshake record (RFC 8446, 5.1).
_HANDSHAKE: Final = b"\x16"

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


Answer = Callable[[Request], Awaitable[Response]]
"""What a port does with a request; while it waits, the port's other connections go on."""

NOT_TLS: Final = Response(400, TEXT, b"this port speaks TLS: ask for https://\n")


class PortTls(NamedTuple):
    """HTTPS: ``context`` is asked at each handshake; ``failed`` is told of one that failed, and the peer's address."""

    context: Callable[[], ssl.SSLContext]
    failed: Callable[[ssl.SSLError, str], None] = lambda _error, _address: None


class ObserveError(Exception):
    """A port cannot be opened."""

    def __init__(self, name: str, address: HostPort, reason: str) -> None:
        self.name, self.address, self.reason = name, address, reason
        super().__init__(f"{name}: cannot listen on {address}: {reason}; set `{name}` to another address, or to off")


def listen(name: str, address: HostPort) -> socket.socket:
    """A listening socket; a wildcard of IPv6 takes IPv4 too. Raises ObserveError, with ``name`` as what to change."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, target = found[0]
        both = family == socket.AF_INET6 and address.is_wildcard and socket.has_dualstack_ipv6()
        return socket.create_server(target[:2], family=family, backlog=MAX_CONNECTIONS, dualstack_ipv6=both)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ObserveError(name, address, reason) from error


class PortsThread:
    """Serves ``ports`` on a thread called ``name``; none of them: no thread."""

    def __init__(self, name: str, ports: Sequence[Port]) -> None:
        self._name = name
        self._ports = tuple(ports)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()

    def start(self) -> None:
        """Start the thread, and wait until its ports answer."""
        if self._ports:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
            self._started.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Close the ports and end the thread; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            if self._loop is not None and self._stop is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                    self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(STOP_TIMEOUT_S)
            if thread.is_alive():
                log.warning("a thread did not end in time", extra={"thread": self._name, "timeout_s": STOP_TIMEOUT_S})
        for port in self._ports:
            port.socket.close()

    def _run(self) -> None:
        # Not uvloop, not the caller's policy: this loop has a handful of requests a minute.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            try:
                runner.run(self._serve())
            except Exception:
                log.exception("a thread has ended", extra={"thread": self._name})
            finally:
                self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            for port in self._ports:
                await stack.enter_async_context(port)
            self._started.set()
            await self._stop.wait()


class Port:
    """One bound socket and its connections; with ``tls``, HTTPS."""

    def __init__(self, bound: socket.socket, answer: Answer, tls: PortTls | None = None) -> None:
        self.socket = bound
        self.port: int = bound.getsockname()[1]
        self._answer = answer
        self._tls = tls
        self._accepting: asyncio.Task[None] | None = None
        # Connections in the order of their age, with whether their request is complete.
        self._waiting: dict[asyncio.Task[None], None] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> None:
        self.socket.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._waiting, *self._answering] + ([self._accepting] if self._accepting is not None else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self.socket)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                log.warning("cannot accept", extra={"error": str(error), "retry_after_s": _ACCEPT_RETRY_S})
                await asyncio.sleep(_ACCEPT_RETRY_S)
                continue
            if self._has_room():
                task = loop.create_task(self._serve(accepted, shown_peer(address)))
                self._waiting[task] = None
                task.add_done_callback(partial(self._ended, accepted))
            else:
                accepted.close()
            await asyncio.sleep(0)  # sock_accept does not wait where somebody is there: the others have their turn

    def _has_room(self) -> bool:
        """Whether one more may come; one that waits for its request may have to go for it."""
        if len(self._waiting) + len(self._answering) < MAX_CONNECTIONS:
            return True
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        del self._waiting[oldest]
        oldest.cancel()
        return True

    def _ended(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._waiting.pop(task, None)
        self._answering.discard(task)
        if task.cancelled():
            accepted.close()  # it may not even have begun
        elif (error := task.exception()) is not None:
            log.error("a connection failed", exc_info=error)

    async def _serve(self, accepted: socket.socket, address: str) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                reader, writer, is_safe = await self._open(accepted)
            await self._exchange(reader, writer, address, self._answer if is_safe else _ask_for_tls)
        except ssl.SSLError as error:
            if self._tls is not None and writer is None:
                self._tls.failed(error, address)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the peer went, was too slow, or had to make room; nothing of ours is lost with it
        finally:
            if writer is not None:
                writer.transport.abort()
            else:
                accepted.close()

    async def _open(self, accepted: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bool]:
        """The streams, and whether they are as this port wants them. Raises OSError (ssl.SSLError is one)."""
        loop = asyncio.get_running_loop()
        made: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = asyncio.StreamReader(limit=MAX_REQUEST_BYTES)
            return asyncio.StreamReaderProtocol(reader, lambda *streams: made.append(streams))

        wants_tls = self._tls is not None and await _first_byte(accepted) == _HANDSHAKE
        if self._tls is not None and wants_tls:
            await open_tls(
                protocol,
                accepted,
                self._tls.context(),
                handshake_timeout_s=REQUEST_TIMEOUT_S,
                shutdown_timeout_s=REQUEST_TIMEOUT_S,
            )
        else:
            await loop.connect_accepted_socket(protocol, accepted)
        return *made[0], wants_tls or self._tls is None

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, answer: Answer
    ) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            response = Response(431, TEXT, f"a request has at most {MAX_REQUEST_BYTES} bytes\n".encode())
            method = "GET"
        except TimeoutError:
            response = Response(408, TEXT, f"no request within {REQUEST_TIMEOUT_S:g} s\n".encode())
            method = "GET"
        except asyncio.IncompleteReadError:
            return
        else:
            if (task := asyncio.current_task()) is not None:
                self._waiting.pop(task, None)
                self._answering.add(task)
            method, response = await self._respond(head, writer.get_extra_info("peercert"), address, answer)
        async with asyncio.timeout(RESPONSE_TIMEOUT_S):
            writer.write(encode(response, with_body=method != "HEAD"))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    @staticmethod
    async def _respond(
        head: bytes, certificate: Mapping[str, Any] | None, address: str, answer: Answer
    ) -> tuple[str, Response]:
        request = parse_request(head)
        if request is None:
            return "GET", Response(400, TEXT, b"not an HTTP/1 request\n")
        try:
            return request.method, await answer(request._replace(certificate=certificate, address=address))
        except Exception:
            # One page's bug must not take the probes with it.
            log.exception("a page failed", extra={"page": request.target.partition("?")[0]})
            return request.method, Response(500, TEXT, b"this page failed; the log says why\n")


async def _ask_for_tls(_: Request) -> Response:
    return NOT_TLS


async def _first_byte(accepted: socket.socket) -> bytes:
    """The first byte that comes, left where it is; empty where the peer has gone."""
    loop = asyncio.get_running_loop()
    has_come = asyncio.Event()
    loop.add_reader(accepted, has_come.set)
    try:
        await has_come.wait()
    finally:
        loop.remove_reader(accepted)
    return accepted.recv(1, socket.MSG_PEEK)


def parse_request(head: bytes) -> Request | None:
    """The request of that head, None where it is no HTTP/1 request. Of a header given twice the last one counts."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        return None
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return Request(parts[0], parts[1], headers)


def encode(response: Response, *, with_body: bool = True) -> bytes:
    """The response as bytes; the connection ends with it."""
    more = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    head = (
        f"HTTP/1.1 {response.code} {REASONS[response.code]}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"{more}"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (response.body if with_body else b"")
