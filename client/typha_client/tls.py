"""TLS of the agent's end: what it shows, whom it trusts, who the server must be; and what a failure means in words.

Place: connect (``tls=``) -> `TlsSource` -> each attempt of the connector; `check_server` before a Hello (and a token).

Invariants
1. Files are looked at before each attempt. Changed ones that cannot be used leave the last good ones in force, with
   one error in the log per change; a connection that stands is never touched.
2. TLS 1.2 or newer. With ``server_names`` the names decide and the host name is not looked at, without them the host
   name must be in the certificate.
3. A server that is not who it must be hears nothing from us.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typha.file_stamps import FileStamps
from typha.wire.identity import WantedName, parse_wanted, refusal_of

_log: Final = logging.getLogger("typha_client")

PathLike = str | os.PathLike[str]

# OpenSSL's names of what the server's alert said of our certificate.
_ALERTS: Final = {
    "UNKNOWN_CA": "it trusts no CA that has signed it",
    "CERTIFICATE_REQUIRED": "it asks for one, and none was shown",
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REVOKED": "it is revoked",
    "BAD_CERTIFICATE": "it is not valid",
    "UNSUPPORTED_CERTIFICATE": "it is of a kind that the server does not take, or for another purpose",
    "CERTIFICATE_UNKNOWN": "it is not acceptable",
    "DECRYPT_ERROR": "its key does not belong to it",
}


class TlsError(ConnectionError):
    """TLS did not come about, or the server is not who it must be; the text says which side refused, and why."""


class ServerNotTrustedError(TlsError):
    """We refuse the server: its certificate, or who it is of."""


class CertificateRefusedError(TlsError):
    """The server refuses our certificate, or that there is none."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) and names, given to ``connect``; files that change are read anew at the next connection.

    ca: whom to trust, None for the system's CAs. cert, key: our own, where the server asks for one (mTLS).
    server_names: who the server must be, one of ``cn:NAME``, ``uri:spiffe://...``, ``dns:NAME`` (a ``*`` at the end
    stands for any rest); empty: the host name that was connected to.
    """

    ca: PathLike | None = None
    cert: PathLike | None = None
    key: PathLike | None = None
    server_names: Sequence[str] = ()

    def source(self) -> TlsSource:
        """Raises ValueError or TypeError: files that cannot be used, names that are none."""
        if (self.cert is None) is not (self.key is None):
            raise ValueError("tls: cert and key go together, one of them is missing")
        if isinstance(self.server_names, str):
            raise TypeError(f"tls: server_names is a list, as [{self.server_names!r}]")
        return TlsSource(self, tuple(map(parse_wanted, self.server_names)))


class TlsSource:
    """Gives each attempt its context. Made by ``Tls.source`` or, of a context that somebody else made, ``fixed``."""

    def __init__(self, files: Tls | None, wanted: Sequence[WantedName], context: ssl.SSLContext | None = None) -> None:
        self._files = files
        self._wanted = tuple(wanted)
        self._stamps = FileStamps(_paths(files))
        self._context = context if context is not None else _context(files or Tls(), self._wanted)
        self.reloads = self.failed_reloads = 0

    @classmethod
    def fixed(cls, context: ssl.SSLContext) -> TlsSource:
        """A context that never changes."""
        return cls(None, (), context)

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        if self._files is not None and self._stamps.look():
            try:
                self._context = _context(self._files, self._wanted)
                self.reloads += 1
                _log.info("certificates read anew")
            except ValueError as error:
                self.failed_reloads += 1
                _log.error("changed certificates cannot be used, the last good ones stay error=%s", error)
        return self._context

    def check_server(self, certificate: Mapping[str, Any] | None) -> None:
        """Of ``getpeercert()``, before anything is said. Raises ServerNotTrustedError."""
        if self._wanted and (why := refusal_of(certificate, self._wanted)):
            raise ServerNotTrustedError(f"the server is not who it must be: {why}")


def explain(error: BaseException | None) -> TlsError | None:
    """What a failed handshake (or the alert that ended a connection) means; None where it is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = (error.verify_message or str(error)).rstrip(".")
        return ServerNotTrustedError(f"the server's certificate is not accepted: {said}")
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or str(error)
    for alert, meaning in _ALERTS.items():
        if reason.endswith(f"ALERT_{alert}"):
            return CertificateRefusedError(f"the server refuses our certificate: {meaning} ({_spoken(alert)})")
    if reason.endswith(("ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")):
        return TlsError("no version of TLS that both sides speak; 1.2 is the oldest")
    if reason == "WRONG_VERSION_NUMBER":
        return TlsError("the server does not speak TLS on this port")
    return TlsError(f"TLS failed: {reason}")


def _spoken(alert: str) -> str:
    return f"TLS alert {alert.lower().replace('_', ' ')}"


def _paths(files: Tls | None) -> list[Path]:
    named = () if files is None else (files.ca, files.cert, files.key)
    return [Path(each) for each in named if each is not None]


def _context(files: Tls, wanted: Sequence[WantedName]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise ValueError(f"tls: ca {files.ca}: {error}; it must hold PEM certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if wanted:
        context.check_hostname = False
    if files.cert is not None and files.key is not None:
        try:
            # No password: a key that asks for one would otherwise stop the agent at a prompt that nobody sees.
            context.load_cert_chain(files.cert, files.key, password="")
        except (OSError, ValueError) as error:
            raise ValueError(
                f"tls: cert {files.cert} with key {files.key}: {error}; do they belong together, both unencrypted PEM?"
            ) from None
    return context
