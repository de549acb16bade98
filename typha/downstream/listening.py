"""Opens what agents connect to: every address of a host, both families at once for ``[::]``, or a unix socket.

1. ``::`` is one socket for IPv6 and IPv4, as it is for other servers of Kubernetes; elsewhere a family is a family.
2. A socket file that nobody listens on any more is replaced; one that somebody listens on is an error.
3. A unix socket is open to its owner and group (mode 0660): that is its protection, in place of TLS.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

UNIX: Final = "unix:"
# A storm of agents waits here while others shake hands; the kernel cuts it to somaxconn (4,096 by default).
_BACKLOG: Final = 4096
# Of the kernel's memory for a socket that does not drain (it takes twice that): 2.5 GB for 5,000, where its own limit
# would be 20. A storm of joiners then fits into the processor's cache: 3.3 GB/s between two bare loops of send and
# receive, 1.8 to 3.9 without it. Over a link of 100 ms it is 5 MB/s for each agent.
SEND_BUFFER_BYTES: Final = 256 * 1024
_MODE: Final = 0o660
_MAPPED: Final = "::ffff:"


async def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound and listening. ``host``: a name, an address, ``""`` (all) or ``unix:/path``. Raises OSError."""
    if host.startswith(UNIX):
        return [_open_unix(Path(host.removeprefix(UNIX)))]
    if host == "::":
        return [_listening(socket.AF_INET6, ("::", port), is_dual=True)]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            opened.append(_listening(family, address))
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                continue  # a kernel without IPv6; the other addresses will do
            for each in opened:
                each.close()
            raise
    if not opened:
        raise OSError(errno.EADDRNOTAVAIL, f"no address of {host!r} can be listened on")
    return opened


def bound_port(opened: socket.socket) -> int:
    """0 of a unix socket."""
    return 0 if opened.family == socket.AF_UNIX else int(opened.getsockname()[1])


def remove_socket(host: str) -> None:
    """The file of ``unix:/path``, if it is there; of other hosts there is nothing to remove."""
    if host.startswith(UNIX):
        with suppress(OSError):
            Path(host.removeprefix(UNIX)).unlink()


def shown_peer(peer: Any) -> str:
    """``getpeername`` for logs: an agent that came over IPv4 is one, whatever socket it came through."""
    if not isinstance(peer, tuple):
        return "unix"
    host = str(peer[0]).removeprefix(_MAPPED)
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"


def _listening(family: int, address: Any, *, is_dual: bool = False) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)  # EAFNOSUPPORT: as it is
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit both.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
        opened.setblocking(False)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise OSError(error.errno, f"cannot listen on {address[0]} port {address[1]}: {error.strerror}") from None
    return opened


def _open_unix(path: Path) -> socket.socket:
    _remove_stale(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The mode holds from the first moment: nobody slips in between bind and chmod.
        before = os.umask(0o777 & ~_MODE)
        try:
            opened.bind(str(path))
        finally:
            os.umask(before)
        opened.setblocking(False)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise OSError(error.errno, f"cannot listen on {UNIX}{path}: {error.strerror}") from None
    return opened


def _remove_stale(path: Path) -> None:
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return  # nothing there, or bind will say what is wrong
    if not is_socket:
        raise OSError(errno.EEXIST, f"cannot listen on {UNIX}{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, f"cannot listen on {UNIX}{path}: another server does")
