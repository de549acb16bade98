"""Accepts connections: a bounded number is opened at a time, whoever else comes waits in the kernel's backlog.

5,000 agents that come at once would be 1 s in which no subscriber is served; an mTLS handshake costs the loop
1.3 ms, which makes it 7 s.

Invariants
1. At most ``limit`` of those that are being opened hold a place, and while none is free nothing is accepted; no
   deadline runs yet for who waits in the backlog.
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

from typha.downstream.tls import open_tls

log = logging.getLogger("typha.downstream")

# Several round trips between regions; a handshake inside a cluster takes a few turns of the loop.
STALL_S: Final = 0.25
# Without TLS to open one costs 0.1 ms: so many are as long as a round's own turn.
_PLAIN: Final = 16
# asyncio's own pause where there are no file handles or buffers left.
_RETRY_S: Final = 1.0
# A storm of agents waits here while others are opened; the kernel cuts it to somaxconn (4,096 by default).
_BACKLOG: Final = 4096


class Listener:
    """``make_protocol`` is called at accept; its ``connection_made`` when hands are shaken, where there is a
    ``context``. ``max_handshakes`` and the times are of TLS.
    """

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        *,
        max_handshakes: int,
        handshake_timeout_s: float,
        shutdown_timeout_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._make_protocol = make_protocol
        self._context = context
        if context is None:
            self._limit = _PLAIN
        else:
            self._limit = max_handshakes
            # TLS 1.3: a ticket costs a quarter of a handshake, agents do not come back with it, and who did would skip
            # the check of its certificate. TLS 1.2 keeps them: without, OpenSSL's cache holds each session of two
            # hours, 18 KB with the agent's certificate, up to 20,480; Python has no word to switch it off.
            context.num_tickets = 0
            context.options |= ssl.OP_NO_RENEGOTIATION  # as many handshakes as a client of TLS 1.2 likes, uncounted
        self._handshake_timeout_s = handshake_timeout_s
        self._shutdown_timeout_s = shutdown_timeout_s
        self._sockets: list[socket.socket] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._places: set[asyncio.Task[None]] = set()
        self._is_accepting = False
        self._retry: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> int:
        """Bind every address of ``host`` and listen; gives the (first) port. Raises OSError."""
        found = await self._loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                opened = socket.socket(family, kind, protocol)
            except OSError:  # a kernel without IPv6; the other addresses will do
                continue
            self._sockets.append(opened)
            try:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # accepted sockets inherit it
                if family == socket.AF_INET6:
                    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                opened.setblocking(False)
                opened.bind(address)
                opened.listen(_BACKLOG)
            except OSError as error:
                self.close()
                raise OSError(error.errno, f"{error.strerror} (listening on {host!r}, port {port})") from None
        if not self._sockets:
            raise OSError(f"no address of {host!r} can be listened on")
        self._go_on()
        bound: int = self._sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        """Accept nobody any more, and end the handshakes that are under way."""
        self._pause()
        if self._retry is not None:
            self._retry.cancel()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
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
        handshake = self._loop.create_task(self._open(accepted, address[0]), name="typha accept")
        self._opening.add(handshake)
        self._places.add(handshake)
        stall = self._loop.call_later(STALL_S, self._leave, handshake)

        def ended(handshake: asyncio.Task[None]) -> None:
            stall.cancel()
            if handshake.cancelled():
                accepted.close()  # it may not even have begun
            self._opening.discard(handshake)
            self._leave(handshake)

        handshake.add_done_callback(ended)
        if len(self._places) >= self._limit:
            self._pause()
        return True

    def _leave(self, handshake: asyncio.Task[None]) -> None:
        self._places.discard(handshake)
        if self._sockets:
            self._go_on()

    async def _open(self, accepted: socket.socket, address: str) -> None:
        try:
            if self._context is None:
                await self._loop.connect_accepted_socket(self._make_protocol, accepted)
                return
            await open_tls(
                self._make_protocol,
                accepted,
                self._context,
                handshake_timeout_s=self._handshake_timeout_s,
                shutdown_timeout_s=self._shutdown_timeout_s,
            )
        except ssl.SSLError as error:
            log.warning("TLS handshake failed", extra={"address": address, "error": str(error)})
        except OSError as error:  # a load balancer's probe connects and goes: that is no news
            log.debug("connection ended before it was open", extra={"address": address, "error": str(error)})
