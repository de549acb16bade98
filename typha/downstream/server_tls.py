"""The certificates of the agents' port: in force, on disk, and the change from one to the other.

Place: `access` makes it of the configuration; `tls_listener` takes ``context`` for each handshake, the server's tick
calls `look`, `observe` reads `statistics`.

Invariants
1. New files are in force from the next handshake on; connections that stand are never touched.
2. Files that cannot be used, that do not belong together, or that every agent would refuse (expired), leave the last
   good ones in force: one error in the log for each reason, and ``is_pending`` until what is on disk is in force.
3. A change counts when it has settled: certificate and key are seldom written at one moment.

Road not taken: loading into the live context. It is half done when the second file is wrong, and no CA can be unloaded.
"""

from __future__ import annotations

import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from typha.downstream.tls import TlsError, TlsFiles
from typha.file_stamps import FileStamps
from typha.outcome import Outcome

if TYPE_CHECKING:
    from typha.tls_files import Report

log = logging.getLogger("typha.downstream")

# A certificate that is valid from in a minute, and a file that came late: asked again without a change.
_RETRY_S: Final = 30.0

_REASONS: Final = {
    "CERTIFICATE_VERIFY_FAILED": "certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
    "UNSUPPORTED_PROTOCOL": "version",
    "NO_SHARED_CIPHER": "cipher",
    "HTTP_REQUEST": "not_tls",
    "WRONG_VERSION_NUMBER": "not_tls",
}


class TlsStatistics(NamedTuple):
    """Times are Unix seconds; ``handshake_failures``: reason (a bounded set) -> count."""

    expires_at: float | None
    ca_expires_at: float | None
    reloads: int
    failed_reloads: int
    is_pending: bool
    handshake_failures: dict[str, int]


class ServerTls:
    """``make`` builds a context of the files. Raises TlsError where they cannot be used at the start."""

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], ssl.SSLContext], *, now: float) -> None:
        self._files = files
        self._make = make
        self._stamps = FileStamps((files.cert, files.key, files.ca), settles=True)
        self._pending = ""
        self._retry_at = 0.0
        self._reloads = self._failed_reloads = 0
        self._handshake_failures: Counter[str] = Counter()
        self.context = self._hardened(make(files))
        self._report = _examine(files, now)
        for wrong in _failures(self._report):
            log.error("certificates that agents will refuse", extra={"file": str(files.cert), "reason": wrong})

    def look(self, now: float) -> None:
        """Whether the files have changed, and take them; ``now`` in Unix seconds. A few ``stat``."""
        is_changed = self._stamps.look()
        if is_changed or (self._pending and now >= self._retry_at):
            self._reload(now, is_changed=is_changed)

    def _reload(self, now: float, *, is_changed: bool) -> None:
        try:
            context = self._hardened(self._make(self._files))
            report = _examine(self._files, now)
            wrong = "; ".join(_failures(report))
        except TlsError as error:
            wrong = str(error)
        if wrong:
            self._failed_reloads += is_changed
            self._retry_at = now + _RETRY_S
            if wrong != self._pending:
                self._pending = wrong
                log.error("changed certificates cannot be used, the last good ones stay", extra={"reason": wrong})
            return
        self.context, self._report, self._pending = context, report, ""
        self._reloads += 1
        log.info(
            "certificates read anew", extra={"certificate": str(report.chain[0]), "expires_at": report.expires_at or 0}
        )

    @staticmethod
    def _hardened(context: ssl.SSLContext) -> ssl.SSLContext:
        # TLS 1.3: a ticket costs a quarter of a handshake, agents do not come back with it, and who did would skip the
        # check of its certificate. TLS 1.2 keeps them: without, OpenSSL's cache holds each session of two hours, 18 KB
        # with the agent's certificate, up to 20,480; Python has no word to switch it off.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_RENEGOTIATION  # as many handshakes as a client of TLS 1.2 likes, uncounted
        return context

    def explain(self, error: ssl.SSLError) -> tuple[str, str]:
        """An agent's failed handshake: its reason for the metric, and what it means for the log. Counts it."""
        reason, meaning = self.meaning(error)
        self._handshake_failures[reason] += 1
        return reason, meaning

    def meaning(self, error: ssl.SSLError, who: str = "agent") -> tuple[str, str]:
        """The same, and counts nothing; from any thread."""
        said = error.reason or str(error)
        reason = _REASONS.get(said, "agent_refused" if "_ALERT_" in said else "other")
        meaning = said
        if isinstance(error, ssl.SSLCertVerificationError):
            meaning = f"the {who}'s certificate is not accepted: {error.verify_message}"
            if error.verify_code in _UNKNOWN_CA:
                trusted = "; ".join(each.subject for each in self._report.trusted)
                meaning += f" (trusted by {self._files.ca}: {trusted})"
                reason = "unknown_ca"
            elif error.verify_code == _EXPIRED:
                reason = "expired"
        elif reason == "no_certificate":
            meaning = f"the {who} showed no certificate"
        elif reason == "version":
            meaning = f"the {who} speaks no version of TLS that is served; 1.2 is the oldest"
        elif reason == "agent_refused":
            alert = said.partition("_ALERT_")[2].lower().replace("_", " ")
            meaning = f"the {who} refused this server's certificate (TLS alert {alert})"
        elif reason == "not_tls":
            meaning = "what came is not TLS"
        return reason, meaning

    def statistics(self) -> TlsStatistics:
        """At this moment."""
        return TlsStatistics(
            self._report.expires_at,
            self._report.trust_expires_at,
            self._reloads,
            self._failed_reloads,
            bool(self._pending),
            dict(self._handshake_failures),
        )


# OpenSSL's X509_V_ERR_: no issuer found (locally), self-signed leaf or chain, a leaf that nothing signed.
_UNKNOWN_CA: Final = frozenset({2, 18, 19, 20, 21})
_EXPIRED: Final = 10


def _examine(files: TlsFiles, now: float) -> Report:
    # Here, not above: it brings 16 MB that a server without TLS never needs.
    from typha.tls_files import Use, examine  # noqa: PLC0415

    return examine(cert=files.cert, key=files.key, ca=files.ca, use=Use.SERVER, now=now)


def _failures(report: Report) -> list[str]:
    return [f"{finding.file}: {finding.what}" for finding in report.findings if finding.outcome is Outcome.FAIL]
