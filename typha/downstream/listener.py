"""Accepts connections: a bounded number is opened at a time, whoever else comes waits in the kernel's backlog.

5,000 agents that come at once would be 1 s in which no subscriber is served; an mTLS handshake costs the loop
1.3 ms, which makes it 7 s.

Invariants
1. At most ``limit`` of those that are being opened, or were a moment ago, hold a place, and while none is free nothing
   is accepted; no deadline runs yet for who waits in the backlog.
2. A handshake that lasts longer than STALL_S gives its place up and goes on without it: peers that connect and say
   nothing stop nobody.
3. ``handshake_timeout_s`` after accept it is over, however far it came. A failed handshake is one line in the log.

Road not taken: the loop's own server. It accepts the whole backlog in one turn of the loop, and shakes hands with all.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

from typha.downstream.listening import bound_port, open_sockets, remove_socket, shown_peer
from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import open_tls

log = logging.getLogger("typha.downstream")

# Several round trips between regions; a handshake inside a cluster takes a few turns of the loop.
STALL_S: Final = 0.25
# Without TLS to open one costs 0.1 ms: so many are as long as a round's own turn.
_PLAIN: Final = 16
# Then its place is free: 8,000 a second. Without a rest uvloop accepted 4,096 in a second and read nothing of them. A
# handshake over TLS has been read already.
_BREATH_S: Final = 0.002
# asyncio's own pause where there are no file handles or buffers left.
_RETRY_S: Final = 1.0


class Listener:
    """``make_protocol`` is called at accept, with the socket; its ``connection_made`` when hands are shaken, where
    there is ``tls``. ``max_handshakes`` and the times are of TLS.
    """

    def __init__(
        self,
        make_protocol: Callable[[socket.socket], asyncio.Protocol],
        tls: ServerTls | None,
        *,
        max_handshakes: int,
        handshake_timeout_s: float,
        shutdown_timeout_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._make_protocol = make_protocol
        self._tls = tls
        self._limit, self._breath_s = (_PLAIN, _BREATH_S) if tls is None else (max_handshakes, 0.0)
        self._handshake_timeout_s = handshake_timeout_s
        self._shutdown_timeout_s = shutdown_timeout_s
        self._sockets: list[socket.socket] = []
        self._host = ""
        self._opening: set[asyncio.Task[None]] = set()
        self._places: set[asyncio.Task[None]] = set()
        self._is_accepting = False
        self._retry: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> int:
        """Bind and listen (see `listening`); gives the first port. Raises OSError."""
        self._sockets = await open_sockets(host, port)
        self._host = host
        self._go_on()
        return bound_port(self._sockets[0])

    def close(self) -> None:
        """Accept nobody any more, and end the handshakes that are under way."""
        self._pause()
        if self._retry is not None:
            self._retry.cancel()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
        remove_socket(self._host)
        for handshake in self._opening:
            handshake.cancel()

    async def wait_closed(self) -> None:
        """Until no handshake is under way."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    @property
    def opening(self) -> int:
        """Under way now, those without a place included."""
        return len(self._opening)

    def _go_on(self) -> None:
        if self._is_accepting or len(self._places) >= self._limit:
            return
        self._is_accepting = True
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept_some, listening)

    def _pause(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            for listening in self._sockets:
                self._loop.remove_reader(listening)

    def _accept_some(self, listening: socket.socket) -> None:
        while self._is_accepting and self._accept(listening):
            pass

    def _accept(self, listening: socket.socket) -> bool:
        try:
            accepted, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:  # no file handles or buffers: as soon as some are free
            log.warning("cannot accept", extra={"error": str(error), "retry_after_s": _RETRY_S})
            self._pause()
            self._retry = self._loop.call_later(_RETRY_S, self._go_on)
            return False
        accepted.setblocking(False)
        handshake = self._loop.create_task(self._open(accepted, shown_peer(address)), name="typha accept")
        self._opening.add(handshake)
        self._places.add(handshake)
        stall = self._loop.call_later(STALL_S, self._leave, handshake)

        def ended(handshake: asyncio.Task[None]) -> None:
            stall.cancel()
            if handshake.cancelled():
                accepted.close()  # it may not even have begun
            self._opening.discard(handshake)
            self._loop.call_later(self._breath_s, self._leave, handshake)

        handshake.add_done_callback(ended)
        if len(self._places) >= self._limit:
            self._pause()
        return True

    def _leave(self, handshake: asyncio.Task[None]) -> None:
        self._places.discard(handshake)
        if self._sockets:
            self._go_on()

    async def _open(self, accepted: socket.socket, address: str) -> None:
        def make_protocol() -> asyncio.Protocol:
            return self._make_protocol(accepted)

        try:
            if self._tls is None:
                await self._loop.connect_accepted_socket(make_protocol, accepted)
                return
            await open_tls(
                make_protocol,
                accepted,
                self._tls.context,
                handshake_timeout_s=self._handshake_timeout_s,
                shutdown_timeout_s=self._shutdown_timeout_s,
            )
        except ssl.SSLError as error:
            reason, meaning = ("other", str(error)) if self._tls is None else self._tls.explain(error)
            log.warning("TLS handshake failed", extra={"address": address, "reason": reason, "error": meaning})
        except OSError as error:  # a load balancer's probe connects and goes: that is no news
            log.debug("connection ended before it was open", extra={"address": address, "error": str(error)})
