"""The server's side of TLS: contexts from files, and the handshake on a socket that was accepted."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# What a connection reads at a time. An agent says a Hello and Pongs of some 30 B.
READ_BYTES: Final = 4096


class _SmallReads(SSLProtocol):
    """asyncio's TLS sets ``max_size``, 256 KiB, aside for each connection: 286 KB where 27 are enough.

    In a class of its own, because reads from the API server want asyncio's value.
    """

    max_size = READ_BYTES


# The socket of the handshake that this task is about; `_AnsweringContext` asks for it.
_ACCEPTED: Final[ContextVar[socket.socket | None]] = ContextVar("accepted", default=None)


class _Handshake(ssl.SSLObject):
    """Says why it failed: OpenSSL has written its alert, and both loops close the socket without sending it."""

    parting: tuple[ssl.MemoryBIO, socket.socket] | None = None

    def do_handshake(self) -> None:
        """See ssl.SSLObject."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.parting is not None:
                outgoing, accepted = self.parting
                with suppress(OSError):
                    accepted.send(outgoing.read())
            raise
        if self.parting is not None:
            del self.parting


class _AnsweringContext(ssl.SSLContext):
    sslobject_class = _Handshake

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any) -> ssl.SSLObject:
        made = super().wrap_bio(incoming, outgoing, *args, **options)
        accepted = _ACCEPTED.get()
        if accepted is not None and isinstance(made, _Handshake):
            made.parting = outgoing, accepted
        return made


class TlsError(Exception):
    """A certificate, key or CA that cannot be used: names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one end; ``ca`` None: the peer is not asked for a certificate."""

    cert: Path
    key: Path
    ca: Path | None = None


def server_context(
    files: TlsFiles,
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ciphers: str = "",
    verify: ssl.VerifyMode = ssl.CERT_REQUIRED,
) -> ssl.SSLContext:
    """TLS 1.2 or newer; with a CA every client must (or, with CERT_OPTIONAL, may) show a certificate signed by it.

    Raises TlsError with the file's name.
    """
    context = _AnsweringContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = max(minimum, ssl.TLSVersion.TLSv1_2)
    if ciphers:
        context.set_ciphers(ciphers)
    load_pair(context, files.cert, files.key)
    if files.ca is not None:
        load_ca(context, files.ca)
        context.verify_mode = verify
    return context


def load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Certificate and key into the context. Raises TlsError with the files' names."""
    try:
        # No password: a key that asks for one would otherwise stop the server at a prompt that nobody sees.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise TlsError(f"certificate {cert} with key {key}: {error}; do they belong together, both PEM?") from None


def load_ca(context: ssl.SSLContext, ca: Path) -> None:
    """Trusted CAs into the context. Raises TlsError with the file's name."""
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise TlsError(f"CA {ca}: {error}; it must hold PEM certificates") from None


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
    _ACCEPTED.set(accepted)
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
