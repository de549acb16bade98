"""The socket of one session: bytes to it, bytes from it, its timer. No rule of the protocol is here.

Its place: TCP or TLS -> *connection* -> session. Invariants
1. The session's events reach the owner in order, from the loop, never nested.
2. Session closed: what it still had to say (Close) is flushed for at most ``LINGER_S``, then the socket goes.
3. While the session is held its bytes are bounded: reading stops at ``HELD_LIMIT_BYTES``.

Road not taken: streams. StreamReader copies every read once more and Python 3.11's callbacks log CancelledErrors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.errors import RefusedError, RemoteProtocolError
from typha.wire.question import Question
from typha.wire.states import CloseCode
from typha_client.endpoints import Target, socket_path
from typha_client.events import Closed, Event
from typha_client.session import Session
from typha_client.tls import TlsSource, explain

CONNECT_TIMEOUT_S: Final = 10.0
LINGER_S: Final = 1.0
# One frame at most is 16 MiB; a move takes seconds, in which no healthy stream brings more than this.
HELD_LIMIT_BYTES: Final = 16 * 1024 * 1024
# 5,000 agents reconnecting: asyncio's default of 60 s would keep dead handshakes.
TLS_SHUTDOWN_TIMEOUT_S: Final = 2.0
# The host name to look for in the certificate of who listens on a socket of this machine.
LOCAL_NAME: Final = "localhost"
QUESTION_TIMEOUT_S: Final = 5.0

OnEvents = Callable[["Connection", list[Event]], None]


class Connection(asyncio.Protocol):
    """One connection. ``attach`` gives it its session; until then nothing is expected from the server."""

    def __init__(self, target: Target, on_events: OnEvents) -> None:
        self.target = target
        self.session: Session | None = None
        self.welcomed_at: float | None = None
        self.settled = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._on_events = on_events
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lost = asyncio.Event()
        self.loss: Exception | None = None
        self._early = bytearray()
        self._question: Question | None = None
        self._answer: asyncio.Future[m.Welcome] | None = None

    # -- asyncio's side -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP (and TLS) stand."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's TLS is one without being its subclass

    def data_received(self, data: bytes) -> None:
        """Bytes from the server."""
        if self.session is None:
            self._receive_early(data)
            return
        self._deliver(self.session.receive_data(data, self._loop.time()))
        if self.session.held_bytes > HELD_LIMIT_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The server is done; close our half too."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        self.loss = error
        self._lost.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(self._loss_reason()))
        if self.session is not None:
            self._deliver(self.session.receive_eof(self._loop.time(), self._loss_reason()))
        self._cancel_timer()

    # -- the owner's side -----------------------------------------------------------------------------------------

    async def ask(self, question: Question, timeout_s: float = QUESTION_TIMEOUT_S) -> m.Welcome:
        """How loaded the server is; before ``attach``. Raises RefusedError, RemoteProtocolError, OSError."""
        if self._transport is None or self._lost.is_set():
            raise ConnectionResetError(self._loss_reason())
        self._question, self._answer = question, self._loop.create_future()
        self._transport.write(question.data)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answer
        finally:
            self._question = self._answer = None

    def attach(self, session: Session) -> None:
        """Speak: the session's Hello goes out."""
        self.session = session
        self._flush()
        if self._early:
            self.data_received(bytes(self._early))
            self._early.clear()
        if self._lost.is_set():
            self._deliver(session.receive_eof(self._loop.time(), self._loss_reason()))

    def release(self) -> None:
        """The session may apply again what it held."""
        if self.session is not None and self.session.is_held:
            if self._transport is not None and not self._lost.is_set():
                self._transport.resume_reading()
            self._deliver(self.session.release(self._loop.time()))

    def close(self, code: str = CloseCode.DONE) -> None:
        """Say Close and go."""
        if self.session is not None:
            self._deliver(self.session.close(code))
        else:
            if self._transport is not None and not self._lost.is_set():
                self._transport.write(encode_message(m.Close(code, "")))
            self._go()

    async def wait_closed(self) -> None:
        """Until the socket is gone; it is aborted after ``LINGER_S``."""
        if self._transport is None:
            return
        try:
            async with asyncio.timeout(LINGER_S):
                await self._lost.wait()
        except TimeoutError:
            self._transport.abort()
            await self._lost.wait()

    @property
    def is_gone(self) -> bool:
        """The socket is closed."""
        return self._transport is None or self._lost.is_set()

    def stayed_s(self) -> float:
        """How long since Welcome."""
        return 0.0 if self.welcomed_at is None else self._loop.time() - self.welcomed_at

    @property
    def peer_certificate(self) -> Mapping[str, Any] | None:
        """The server's, as ``getpeercert`` gives it; None without TLS."""
        found = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if found is None else found.getpeercert()

    def abort(self) -> None:
        """Go without a word."""
        self._abort()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _receive_early(self, data: bytes) -> None:
        if self._question is None or self._answer is None or self._answer.done():
            self._early += data
            return
        try:
            if (welcome := self._question.receive_data(data)) is not None:
                self._answer.set_result(welcome)
        except (RefusedError, RemoteProtocolError) as error:
            self._answer.set_exception(error)

    def _deliver(self, events: list[Event]) -> None:
        self._flush()
        if events:
            self._on_events(self, events)
        if any(isinstance(event, Closed) for event in events):
            self._go()
            return
        self._arm()

    def _flush(self) -> None:
        if self.session is not None and self._transport is not None and not self._lost.is_set():
            data = self.session.data_to_send()
            if data:
                self._transport.write(data)

    def _arm(self) -> None:
        deadline = None if self.session is None or self._lost.is_set() else self.session.next_deadline()
        if deadline is None:
            self._cancel_timer()
        elif self._timer is None or self._timer.when() > deadline:
            # A deadline that moved back is noticed when the old one rings: one timer a read would fill the heap.
            self._cancel_timer()
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.session is not None:
            self._deliver(self.session.handle_timer(self._loop.time()))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go(self) -> None:
        self._cancel_timer()
        if self._transport is not None and not self._lost.is_set():
            self._transport.close()
            # A server that does not read would keep Close in our buffer, and the socket with it.
            self._loop.call_later(LINGER_S, self._abort)

    def _abort(self) -> None:
        if self._transport is not None and not self._lost.is_set():
            self._transport.abort()

    def _loss_reason(self) -> str:
        if self.loss is None:
            return "the server closed the connection"
        return f"connection lost: {explain(self.loss) or self.loss}"


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, each once, in the resolver's order; a socket's path is its own. Raises OSError."""
    if socket_path(host) is not None:
        return [host]
    import socket  # noqa: PLC0415 - asyncio has it loaded; the name is needed here only

    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def open_connection(
    target: Target, on_events: OnEvents, tls: TlsSource | None, timeout_s: float = CONNECT_TIMEOUT_S
) -> Connection:
    """A socket to one address, with TLS from the first byte where ``tls`` is given, and the server who it must be.

    Raises OSError (ssl.SSLError and TlsError are), TimeoutError.
    """
    loop = asyncio.get_running_loop()
    path = socket_path(target.address)
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {
            "ssl": tls.context(),
            "server_hostname": target.server.host if path is None else LOCAL_NAME,
            "ssl_handshake_timeout": timeout_s,
            "ssl_shutdown_timeout": TLS_SHUTDOWN_TIMEOUT_S,
        }
    connection = Connection(target, on_events)
    async with asyncio.timeout(timeout_s):
        if path is None:
            await loop.create_connection(lambda: connection, target.address, target.server.port, **secured)
        else:
            await loop.create_unix_connection(lambda: connection, path, **secured)
    if tls is not None:
        try:
            tls.check_server(connection.peer_certificate)
        except OSError:
            connection.abort()
            raise
    return connection
