"""Who is let in: limits on connections, before and after their Hello. Pure.

Place: the server asks `enter` when a connection stands, tells it when one was heard and when one is lost.

Invariants
1. Each limit has a name, which is the label of its metric; a refusal says the limit, when to come back and where to go.
2. What is refused costs no more than its refusal: no topic was looked at, no walk begun.
3. Loopback has no limit per address: whoever is there is on this machine, behind a proxy or in a test.

Road not taken: to stop accepting. The kernel's backlog would hide from agents that another server has room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from ipaddress import ip_address
from typing import Final

from typha.downstream.settings import DownstreamSettings
from typha.wire.errors import RefusedError
from typha.wire.states import RefusalCode

CONNECTIONS: Final = "connections"
ADDRESS: Final = "address"
UNHEARD: Final = "unheard"
MEMORY: Final = "memory"
TOPICS: Final = "topics"
FILTERS: Final = "filters"
LIMITS: Final = (CONNECTIONS, ADDRESS, UNHEARD, MEMORY, TOPICS, FILTERS)


class OverLimitError(RefusedError):
    """Refused because of the limit with this name."""

    def __init__(
        self, limit: str, message: str, retry_after_s: float | None = None, code: RefusalCode = RefusalCode.OVERLOADED
    ) -> None:
        super().__init__(code, message, retry_after_s)
        self.limit = limit


class ConnectionLimits:
    """Counts what is open: in all, by address, and before its Hello."""

    def __init__(self, settings: DownstreamSettings) -> None:
        self._settings = settings
        self.joins_paused = ""
        """Why nobody may read a topic from its start now; "" where everybody may."""
        self._open = 0
        self._by_host: Counter[str] = Counter()
        self._unheard: set[Hashable] = set()

    @property
    def unheard(self) -> int:
        """Connections whose Hello is awaited."""
        return len(self._unheard)

    def enter(self, connection: Hashable, host: str, retry_after_s: float) -> OverLimitError | None:
        """One more connection from this host; the refusal where a limit is passed by it. ``leave`` follows anyway."""
        self._open += 1
        self._by_host[host] += 1
        settings, refusal = self._settings, None
        if self._open > settings.max_connections:
            refusal = (CONNECTIONS, f"{settings.max_connections} connections are open")
        elif settings.max_per_address and self._by_host[host] > settings.max_per_address and not _is_loopback(host):
            refusal = (ADDRESS, f"{settings.max_per_address} connections from {host} are open")
        elif len(self._unheard) >= settings.max_unheard:
            refusal = (UNHEARD, f"{settings.max_unheard} connections have not said Hello yet")
        else:
            self._unheard.add(connection)
        return (
            None if refusal is None else OverLimitError(refusal[0], f"{refusal[1]}; try another server", retry_after_s)
        )

    def pause(self, retry_after_s: float) -> OverLimitError | None:
        """The refusal of who would read a topic from its start, where nobody may."""
        return OverLimitError(MEMORY, self.joins_paused, retry_after_s) if self.joins_paused else None

    def heard(self, connection: Hashable) -> None:
        """It was welcomed, refused, or waits for its Welcome."""
        self._unheard.discard(connection)

    def leave(self, connection: Hashable, host: str) -> None:
        """It is gone; once for each that entered."""
        self._unheard.discard(connection)
        self._open -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a unix socket has no address
