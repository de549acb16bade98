"""The server's side of TLS: a certificate of its own, and optionally a CA that clients must come from."""

from __future__ import annotations

import ssl
from pathlib import Path


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
