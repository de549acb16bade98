"""Typha's TLS: who may connect, decided by one rule on a certificate whose chain is good; and contexts for both ends.

Place: `app` gives the agents' port `server_context` and asks `Identity.refusal` for each peer; a client of ours may ask
the same of a server's certificate.

1. A peer is let in when its chain is good **and** its common name is the wanted one **or** a URI among its alternative
   names is. With one of the two configured, that one must match. With none, the chain alone counts.
2. The leaf's common name is the last one in its subject, as Go gives it; comparison is exact.
3. TLS is 1.2 or newer, whatever is asked for. No host name is checked in either direction: the identity replaces it.
4. `refusal` never raises on what a certificate holds.

Source of the rule: Calico, typha/pkg/tlsutils and crypto/pkg/tls.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from typha.downstream.tls import TlsError

# Names as Go and IANA write them -> OpenSSL's. TLS 1.3's three have no choice to make: OpenSSL has them all on.
_TLS13: Final = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
_TLS12: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
CIPHER_SUITES: Final = (*sorted(_TLS13), *_TLS12)
"""What TLS_CIPHER_SUITES may name."""
MINIMUM_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
"""What TLS_MIN_VERSION may be, also with ``v``, ``TLS`` or ``VersionTLS`` before it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the peer must be. Both empty: whoever the CA has signed."""

    common_name: str = ""
    uri_san: str = ""

    def refusal(self, certificate: Mapping[str, Any] | None) -> str:
        """Why a peer with that certificate (``ssl.SSLObject.getpeercert()``) is not let in; "" where it is."""
        if not certificate:
            return "no certificate, or one that no trusted CA has signed"
        if not self.common_name and not self.uri_san:
            return ""
        names, uris = _common_name(certificate), _uris(certificate)
        if self.common_name and names == self.common_name:
            return ""
        if self.uri_san and self.uri_san in uris:
            return ""
        wanted = [f"common name {self.common_name!r}"] if self.common_name else []
        wanted += [f"URI {self.uri_san!r}"] if self.uri_san else []
        return f"certificate of {names[:200]!r} with URIs {str(uris)[:200]}; wanted is {' or '.join(wanted)}"


def _common_name(certificate: Mapping[str, Any]) -> str:
    found = ""
    for part in certificate.get("subject", ()):
        for name, value in part:
            if name == "commonName":
                found = str(value)
    return found


def _uris(certificate: Mapping[str, Any]) -> list[str]:
    return [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one end."""

    cert: Path
    key: Path
    ca: Path


def parse_minimum_version(text: str) -> ssl.TLSVersion:
    """``1.3``, ``TLSv1.3``, ``VersionTLS13``; 1.2 where empty. Raises ValueError that says what is allowed."""
    short = text.strip().upper().removeprefix("VERSION").removeprefix("TLS").removeprefix("V").replace("_", ".")
    short = {"12": "1.2", "13": "1.3", "": "1.2"}.get(short, short)
    try:
        return MINIMUM_VERSIONS[short]
    except KeyError:
        raise ValueError(f"{text!r} is no version that is served; allowed: {', '.join(MINIMUM_VERSIONS)}") from None


class CipherChoice(NamedTuple):
    """OpenSSL's names with colons, "" for its default; and whether TLS 1.2 is left without any."""

    openssl: str = ""
    is_tls13_only: bool = False


def parse_cipher_suites(text: str) -> CipherChoice:
    """A list with commas, empty for the default. Raises ValueError that names what is unknown."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in _TLS13 and name not in _TLS12]:
        raise ValueError(f"unknown: {', '.join(unknown)}; allowed: {', '.join(CIPHER_SUITES)}")
    chosen = ":".join(_TLS12[name] for name in names if name in _TLS12)
    return CipherChoice(chosen, bool(names) and not chosen)


def server_context(
    files: TlsFiles, *, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, ciphers: str = ""
) -> ssl.SSLContext:
    """The agents' port: every agent must show a certificate of the CA. Raises TlsError with the file's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _fill(context, files, minimum, ciphers)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """An agent's end: shows a certificate, checks the server's chain and no host name. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    _fill(context, files, ssl.TLSVersion.TLSv1_2, "")
    return context


def _fill(context: ssl.SSLContext, files: TlsFiles, minimum: ssl.TLSVersion, ciphers: str) -> None:
    context.minimum_version = max(minimum, ssl.TLSVersion.TLSv1_2)
    if ciphers:
        context.set_ciphers(ciphers)
    load_pair(context, files.cert, files.key)
    load_ca(context, files.ca)


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
