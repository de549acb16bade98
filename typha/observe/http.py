"""The server's two HTTP ports.

Path: `app` starts it before the first list and stops it last; `pages` decides what is answered, `ports` how.

1. The thread only reads the board. It never waits for the server's loop, but for the admin page's refresh, which has
   a time limit.
2. A port that cannot be bound is an error of ``start``, in the caller's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from typha.config.kinds import HostPort
from typha.observe.metrics import make_registry
from typha.observe.pages import Pages
from typha.observe.ports import ObserveError, Port, PortsThread, listen
from typha.observe.status import Board

__all__ = ["ObserveError", "ObserveServer"]

REFRESH_TIMEOUT_S: Final = 0.5


class ObserveServer:
    """Port health and port admin; ``None`` leaves one out.

    ``refresh(timeout_s)`` is called on this thread before /status is answered and may wait so long for a new picture.
    """

    def __init__(
        self,
        board: Board,
        *,
        health: HostPort | None,
        admin: HostPort | None,
        refresh: Callable[[float], None] | None = None,
    ) -> None:
        registry = make_registry(board)
        before_status = None if refresh is None else (lambda: refresh(REFRESH_TIMEOUT_S))
        self._wanted = (
            ("health", health, Pages(board, registry, admin=False)),
            ("admin", admin, Pages(board, registry, admin=True, refresh=before_status)),
        )
        self._ports: dict[str, Port] = {}
        self._thread: PortsThread | None = None

    @property
    def health_port(self) -> int | None:
        """The port that was bound, None where health is off."""
        return self._ports["health"].port if "health" in self._ports else None

    @property
    def admin_port(self) -> int | None:
        """The port that was bound, None where admin is off."""
        return self._ports["admin"].port if "admin" in self._ports else None

    def start(self) -> None:
        """Bind both ports and start the thread. Raises ObserveError where a port cannot be had."""
        try:
            for name, address, pages in self._wanted:
                if address is not None:
                    self._ports[name] = Port(listen(name, address), pages.answer)
        except ObserveError:
            for port in self._ports.values():
                port.socket.close()
            raise
        self._thread = PortsThread("typha-observe", list(self._ports.values()))
        self._thread.start()

    def stop(self) -> None:
        """Close the ports and end the thread; safe to call twice."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
