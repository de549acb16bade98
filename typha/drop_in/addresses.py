"""Every address of the machine, as Go means it by an empty host: both families where there are two.

1. "" makes asyncio bind 0.0.0.0 and [::]; where the machine has no IPv6 that would fail, so it is 0.0.0.0 there.
2. A name that has both families is bound by IPv4, as Go does.
"""

from __future__ import annotations

import os
import socket

from typha.config import HostPort
from typha.observe.ports import MAX_CONNECTIONS, ObserveError


def every_address() -> str:
    """The host to give to asyncio's create_server."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return "0.0.0.0"  # noqa: S104 - what Typha's parameters ask for
    return ""


def listen(name: str, address: HostPort) -> socket.socket:
    """A listening socket; "" is every address. Raises ObserveError, with ``name`` as what to change."""
    try:
        if not address.host:
            return socket.create_server(("::", address.port), family=socket.AF_INET6, dualstack_ipv6=True)
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        found.sort(key=lambda each: each[0] is not socket.AF_INET)
        family, _, _, _, target = found[0]
        dual = family is socket.AF_INET6 and address.is_wildcard and socket.has_dualstack_ipv6()
        return socket.create_server(target[:2], family=family, backlog=MAX_CONNECTIONS, dualstack_ipv6=dual)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ObserveError(name, address, reason) from error
