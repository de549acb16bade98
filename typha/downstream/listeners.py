"""What accepts agents, with TLS or without: one listener for each socket that `listening` has opened.

Place: `server` opens and closes it; ``make_protocol`` makes each connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from typha.downstream.listening import UNIX, bound_port, open_sockets, remove_socket
from typha.downstream.server_tls import ServerTls
from typha.downstream.settings import DownstreamSettings
from typha.downstream.tls_listener import TlsListener

# A Refused or Close must reach the peer, but a peer that does not read must not keep the socket.
FAREWELL_S: Final = 5.0


class Listeners:
    """See the module. ``tls`` None: plain text."""

    def __init__(
        self, make_protocol: Callable[[], asyncio.Protocol], tls: ServerTls | None, settings: DownstreamSettings
    ) -> None:
        self._make_protocol = make_protocol
        self._tls = tls
        self._settings = settings
        self._open: list[asyncio.Server | TlsListener] = []
        self._host = ""

    async def open(self, host: str, port: int) -> int:
        """Bind and listen (see `listening`); gives the first port. Raises OSError."""
        sockets = await open_sockets(host, port)
        self._host = host
        if self._tls is not None:
            listener = TlsListener(
                self._make_protocol,
                self._tls,
                limit=self._settings.max_handshakes,
                handshake_timeout_s=self._settings.handshake_timeout_s,
                shutdown_timeout_s=FAREWELL_S,
            )
            listener.start(sockets)
            self._open.append(listener)
        else:
            loop = asyncio.get_running_loop()
            serve = loop.create_unix_server if host.startswith(UNIX) else loop.create_server
            for opened in sockets:
                self._open.append(await serve(self._make_protocol, sock=opened))
        return bound_port(sockets[0])

    def close(self) -> None:
        """Accept nobody any more."""
        for listener in self._open:
            listener.close()
        remove_socket(self._host)

    async def wait_closed(self) -> None:
        """Until nothing is under way."""
        for listener in self._open:
            await listener.wait_closed()
