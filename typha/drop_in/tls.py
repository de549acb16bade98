"""Typha's TLS parameters in our words: the two names that a peer may have, versions, cipher suites; an agent's context.

Place: `mapping` reads the parameters with it; the rule on names is `typha.wire.identity`'s, contexts are
`typha.downstream.tls`'s.

1. A peer is let in when its chain is good **and** its common name is the wanted one **or** a URI among its alternative
   names is. With one of the two configured, that one must match. With none, the chain alone counts.
2. TLS is 1.2 or newer, whatever is asked for. No host name is checked in either direction: the identity replaces it.

Source of the rule: Calico, typha/pkg/tlsutils and crypto/pkg/tls.
"""

from __future__ import annotations

import ssl
from typing import Final, NamedTuple

from typha.downstream.tls import TlsFiles, load_ca, load_pair
from typha.wire.identity import COMMON_NAME, URI, WantedName

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


def wanted_names(common_name: str, uri_san: str) -> tuple[WantedName, ...]:
    """Who the peer must be, of which one suffices; none: whoever the CA has signed. Both are compared whole."""
    wanted = [WantedName(f"{COMMON_NAME}:{common_name}")] if common_name else []
    return (*wanted, WantedName(f"{URI}:{uri_san}")) if uri_san else tuple(wanted)


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


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """An agent's end: shows a certificate, checks the server's chain and no host name. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_pair(context, files.cert, files.key)
    if files.ca is not None:
        load_ca(context, files.ca)
    return context
