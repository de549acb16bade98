"""The server's two HTTP ports.

Path: `app` starts it before the first list and stops it last; `pages` decides what is answered, `ports` how.

1. The thread only reads the board. It never holds up the server's loop: what it asks of it goes through `Inquiries`,
   and its own loop goes on meanwhile.
2. A port that cannot be bound is an error of ``start``, in the caller's thread.
3. Beyond loopback the admin port has a ``door``: TLS, and only who is known. Without one it is open, and says so.
"""

from __future__ import annotations

import logging

from typha.config.kinds import HostPort
from typha.observe.answers import Answers
from typha.observe.controls import Controls
from typha.observe.door import Door
from typha.observe.history import History
from typha.observe.inquiries import Inquiries
from typha.observe.metrics import make_registry
from typha.observe.page_files import page_files
from typha.observe.pages import Pages
from typha.observe.ports import ObserveError, Port, PortsThread, listen
from typha.observe.status import Board

__all__ = ["ObserveError", "ObserveServer"]

log = logging.getLogger("typha.observe")


class ObserveServer:
    """Port health and port admin; ``None`` leaves one out.

    Without ``inquiries`` the admin port has the picture alone: no search, no list of subscribers.
    """

    def __init__(
        self,
        board: Board,
        *,
        health: HostPort | None,
        admin: HostPort | None,
        history: History | None = None,
        inquiries: Inquiries | None = None,
        door: Door | None = None,
    ) -> None:
        registry = make_registry(board)
        answers = Answers(board, history or History(), inquiries)
        is_local = admin is not None and admin.is_loopback
        controls = Controls(inquiries, is_local=is_local)
        more = {**answers.pages(), **controls.pages(), **page_files()}
        pages = Pages(board, registry, more, commands=controls.commands(), is_local=is_local)
        self._wanted = (
            ("health", health, Pages(board, registry).answer, None),
            (
                "admin",
                admin,
                pages.answer if door is None else door.before(pages.answer),
                None if door is None else door.tls,
            ),
        )
        self._is_open = admin is not None and not is_local and door is None
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
            for name, address, answer, tls in self._wanted:
                if address is not None:
                    self._ports[name] = Port(listen(name, address), answer, tls)
        except ObserveError:
            for port in self._ports.values():
                port.socket.close()
            raise
        if self._is_open:
            log.warning("the admin port shows nodes and objects, in plain HTTP, to whoever reaches it; see `insecure`")
        self._thread = PortsThread("typha-observe", list(self._ports.values()))
        self._thread.start()

    def stop(self) -> None:
        """Close the ports and end the thread; safe to call twice."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
