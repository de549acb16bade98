"""The server's side of TLS: a certificate of its own, and optionally a CA that clients must come from."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from pathlib import Path
from typing import Final

# What a connection reads at a time. An agent says a Hello and Pongs of some 30 B.
READ_BYTES: Final = 4096


class _SmallReads(SSLProtocol):
    """asyncio's TLS sets ``max_size``, 256 KiB, aside for each connection: 286 KB where 27 are enough.

    In a class of its own, because reads from the API server want asyncio's value.
    """

    max_size = READ_BYTES


class TlsError(Exception):
    """A certificate, key or CA that cannot be used: names the file and what is wrong with it."""


def server_context(cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; with ``client_ca`` every client must show a certificate signed by it. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(
            f"tls.cert {cert} with tls.key {key}: {error}; do they belong together, and are both PEM?"
        ) from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"tls.client_ca {client_ca}: {error}; it must hold PEM certificates") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def open_tls(
    make_protocol: Callable[[], asyncio.Protocol],
    accepted: socket.socket,
    context: ssl.SSLContext,
    *,
    handshake_timeout_s: float,
    shutdown_timeout_s: float,
) -> None:
    """Shake hands on a socket that was accepted; then it is the protocol's. Raises OSError (ssl.SSLError is one)."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        # uvloop: its TLS is its own, and of its buffers only what was used is memory.
        await loop.connect_accepted_socket(
            make_protocol,
            accepted,
            ssl=context,
            ssl_handshake_timeout=handshake_timeout_s,
            ssl_shutdown_timeout=shutdown_timeout_s,
        )
        return
    waiter = loop.create_future()

    def small_reads() -> SSLProtocol:
        return _SmallReads(
            loop,
            make_protocol(),
            context,
            waiter,
            server_side=True,
            ssl_handshake_timeout=handshake_timeout_s,  # type: ignore[arg-type]  # float, as in create_server
            ssl_shutdown_timeout=shutdown_timeout_s,
        )

    transport, _ = await loop.connect_accepted_socket(small_reads, accepted)
    try:
        await waiter
    except BaseException:
        transport.abort()
        raise
