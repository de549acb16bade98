"""HTTPS of the metrics port: certificates are read anew when their files have changed, at the next handshake.

Place: `ports` gives `ReloadingContext.context` to its listener.

1. A handshake after a change of the files is made with the new ones: certificate, key and CA.
2. Files that cannot be used leave the last good ones in force, and are one warning per change. With none ever good the
   handshake fails, and the next one tries again: Typha, too, goes on without its metrics.
3. TLS is 1.2 or newer. A client's certificate is verified wherever one is asked for.

Source: Calico, libcalico-go/lib/metricsserver.
"""

from __future__ import annotations

import logging
import ssl
from typing import Final

from typha.downstream.tls import TlsError, load_ca, load_pair
from typha.drop_in.settings import MetricsTls
from typha.file_stamps import FileStamps

log = logging.getLogger("typha.drop_in")

_VERIFY: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAnyClientCert": ssl.CERT_REQUIRED,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class ReloadingContext:
    """``context`` picks the newest certificates for each handshake."""

    def __init__(self, settings: MetricsTls) -> None:
        self._settings = settings
        self._stamps = FileStamps((settings.cert, settings.key, settings.ca))
        self._current: ssl.SSLContext | None = None
        self.context = self._empty()
        self.context.sni_callback = self._choose
        self._load()

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        """Called in each handshake, with or without a server name."""
        if self._stamps.look():
            self._load()
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None

    def _load(self) -> None:
        settings, context = self._settings, self._empty()
        try:
            load_pair(context, settings.cert, settings.key)
            if settings.ca is not None and settings.client_auth != "NoClientCert":
                load_ca(context, settings.ca)
                # The listener's own context decides what is asked of the client.
                load_ca(self.context, settings.ca)
        except TlsError as error:
            log.warning("the metrics port cannot use its certificates", extra={"error": str(error)})
        else:
            self._current = context

    def _empty(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = _VERIFY[self._settings.client_auth]
        return context
