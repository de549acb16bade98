"""Where the other servers are: a Service's EndpointSlices, or names that are resolved. This one may be among them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import NamedTuple

from typha.config.kinds import HostPort
from typha.replicas.slices import list_endpoints
from typha.upstream.api_session import ApiSession


class Place(NamedTuple):
    """One address to ask, and the name that it was found by ("" for one from an EndpointSlice)."""

    host: str
    port: int
    name: str = ""

    @property
    def address(self) -> str:
        """As agents are told it."""
        return str(HostPort(self.host, self.port))


async def in_slices(session: ApiSession, namespace: str, service: str, port_name: str) -> list[Place]:
    """The Service's endpoints that do not go. Raises UpstreamError."""
    found = await list_endpoints(session, namespace, service, port_name)
    return [Place(each.address, each.port) for each in found if each.port and not each.is_terminating]


async def by_name(addresses: Sequence[HostPort]) -> list[Place]:
    """Every address of every name. A name that does not resolve has none; raises OSError where none resolves."""
    loop, failed = asyncio.get_running_loop(), None
    found: dict[tuple[str, int], Place] = {}
    for each in addresses:
        try:
            answers = await loop.getaddrinfo(each.host, each.port, type=socket.SOCK_STREAM)
        except OSError as error:
            failed = error
            continue
        for *_, address in answers:
            host = str(address[0])
            found.setdefault((host, each.port), Place(host, each.port, each.host))
    if failed is not None and not found:
        raise failed
    return list(found.values())
