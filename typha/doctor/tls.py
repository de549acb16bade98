"""The TLS files: the agents' port and the way to the API server, through `typha.tls_files`. Findings only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typha.config.identity import TlsConfig
from typha.doctor.findings import Finding, ok
from typha.tls_files import Report, Use
from typha.tls_files import examine as examine_files
from typha.upstream.kubernetes_client import Configuration

__all__ = ["examine_credentials", "examine_tls"]


def examine_tls(tls: TlsConfig, now: float) -> Iterator[Finding]:
    """The agents' port. ``now`` is Unix seconds."""
    if tls.cert is None:
        yield ok("TLS", "off: agents are served in plain TCP")
        return
    yield from _told("TLS", examine_files(cert=tls.cert, key=tls.key, ca=tls.client_ca, use=Use.SERVER, now=now))


def examine_credentials(configuration: Configuration, now: float) -> Iterator[Finding]:
    """The files that a kubeconfig or K8S_* name (or the loader has written)."""
    cert, key, ca = (
        Path(path) if path else None
        for path in (configuration.cert_file, configuration.key_file, configuration.ssl_ca_cert)
    )
    yield from _told("credentials", examine_files(cert=cert, key=key, ca=ca, use=Use.CLIENT, now=now))


def _told(check: str, report: Report) -> Iterator[Finding]:
    for each in report.findings:
        yield Finding(f"{check} {each.file.name}", each.outcome, f"{each.file} {each.what}", each.hint)
