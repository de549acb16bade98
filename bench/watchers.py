"""``python -m bench.watchers KUBECONFIG``: agents without typha, each with a watch of its own. See ``commands``.

    watch    {path, count, accept}     open so many; answers when the API server has accepted all of them
    marked   {marker, timeout_s}       wait until every one has read these bytes, which the last change carries
    drop     {}                        close all

Raw HTTP/1.1 over TLS, as a Python agent speaks it (aiohttp, urllib3); one epoll loop that decrypts and counts, and
decodes nothing: the API server is measured, not its clients.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.commands import serve

_READ_BYTES: Final = 256 * 1024
_ACCEPT_S: Final = 30.0
# More than an event: a marker that was read before it is asked for is found, and one that was cut.
_TAIL_BYTES: Final = 16 * 1024


class _Watch:
    """One stream. ``tail`` is the end of what was read before: a marker may be cut."""

    __slots__ = ("bytes", "is_marked", "socket", "tail")

    def __init__(self, connected: ssl.SSLSocket) -> None:
        self.socket = connected
        self.bytes = 0
        self.tail = b""
        self.is_marked = False


class Watchers:
    """All watches of this process."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self._address = urlsplit(cluster["server"])
        self._token = config["users"][0]["user"]["token"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._epoll = select.epoll()
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._watches: dict[int, _Watch] = {}
        self._marker = b""

    # --- commands

    def watch(self, path: str, count: int, accept: str) -> dict[str, Any]:
        """See the module."""
        for _ in range(count):
            watch = _Watch(self._open(path, accept))
            self._watches[watch.socket.fileno()] = watch
            self._epoll.register(watch.socket.fileno(), select.EPOLLIN)
        return {"watches": len(self._watches)}

    def marked(self, marker: str, timeout_s: float) -> dict[str, Any]:
        """See the module."""
        self._marker = marker.encode()
        for watch in self._watches.values():
            watch.is_marked = self._marker in watch.tail
        deadline_at = time.monotonic() + timeout_s
        while missing := sum(not watch.is_marked for watch in self._watches.values()):
            self.poll(0.05)
            if time.monotonic() > deadline_at:
                raise TimeoutError(f"{missing} watches have not read {marker} after {timeout_s:g} s")
        return {"bytes": sum(watch.bytes for watch in self._watches.values())}

    def drop(self) -> dict[str, Any]:
        """See the module."""
        for watch in self._watches.values():
            watch.socket.close()
        count = len(self._watches)
        self._watches.clear()
        return {"watches": count}

    # --- sockets

    def _open(self, path: str, accept: str) -> ssl.SSLSocket:
        """Connected, and with the head of the answer read. Raises ConnectionError that says what was answered."""
        host, port = self._address.hostname or "", self._address.port or 443
        plain = socket.create_connection((host, port), timeout=_ACCEPT_S)
        opened = self._tls.wrap_socket(plain, server_hostname=host)
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            f"Authorization: Bearer {self._token}",
            f"Accept: {accept}",
        )
        opened.sendall("\r\n".join((*lines, "", "")).encode())
        head = opened.recv(_READ_BYTES)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"the API server answers {head[:200]!r}")
        opened.setblocking(False)
        return opened

    def poll(self, timeout_s: float) -> bool:
        """Read whatever there is; True where a command waits."""
        waiting = False
        for handle, _ in self._epoll.poll(timeout_s, 4096):
            watch = self._watches.get(handle)
            if watch is None:
                waiting = handle == sys.stdin.fileno()
            else:
                self._read(watch)
        return waiting

    def _read(self, watch: _Watch) -> None:
        try:
            # All that TLS has decrypted: epoll knows only what is left in the kernel.
            while data := watch.socket.recv(_READ_BYTES):
                watch.bytes += len(data)
                read = watch.tail + data
                watch.is_marked |= bool(self._marker) and self._marker in read
                watch.tail = read[-_TAIL_BYTES:]
        except ssl.SSLWantReadError:
            return
        raise ConnectionError("the API server ended a watch")


if __name__ == "__main__":
    watchers = Watchers(Path(sys.argv[1]))
    serve((watchers.watch, watchers.marked, watchers.drop), watchers.poll)
