"""Certificates, handshakes and tokens: how they stand, as part of the picture and as metrics.

Place: `app` asks for `IdentityStatus` with each picture; `metrics` renders it. Nothing here names an agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from typha.downstream.server_tls import ServerTls
    from typha.downstream.token_reviews import TokenReviews


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityStatus:
    """Times are Unix seconds. ``expires_at``: file (certificate, client_ca) -> end of the first certificate in it."""

    expires_at: Mapping[str, float] = field(default_factory=dict)
    reloads_total: Mapping[str, int] = field(default_factory=dict)  # result (ok, failed) -> changes of the files
    reload_pending: bool | None = None  # what is on disk is not in force; None without TLS
    handshake_failures_total: Mapping[str, int] = field(default_factory=dict)  # reason -> handshakes
    token_reviews_total: Mapping[str, int] = field(default_factory=dict)  # result (ok, refused, failed) -> reviews
    tokens: int | None = None  # good now; None where tokens are not looked at
    revocations_total: int = 0  # connections ended because their token is valid no more


def identity_of(served: ServerTls | None, reviews: TokenReviews[Any] | None) -> IdentityStatus:
    """At this moment; on the loop's thread."""
    tls = served.statistics() if served is not None else None
    expires_at = {} if tls is None else {"certificate": tls.expires_at, "client_ca": tls.ca_expires_at}
    return IdentityStatus(
        expires_at={name: at for name, at in expires_at.items() if at is not None},
        reloads_total={} if tls is None else {"ok": tls.reloads, "failed": tls.failed_reloads},
        reload_pending=None if tls is None else tls.is_pending,
        handshake_failures_total={} if tls is None else tls.handshake_failures,
        token_reviews_total={}
        if reviews is None
        else {
            "ok": reviews.reviews - reviews.refused - reviews.failed,
            "refused": reviews.refused,
            "failed": reviews.failed,
        },
        tokens=None if reviews is None else reviews.known,
        revocations_total=0 if reviews is None else reviews.revoked,
    )


def identity_families(identity: IdentityStatus) -> Iterator[Metric]:
    """Only what there is: a server in plain text has none of them."""
    if identity.reload_pending is not None:
        expiry = GaugeMetricFamily(
            "typha_tls_certificate_expiry_timestamp_seconds",
            "When the first certificate in the file that is in force ends, in Unix time.",
            labels=("file",),
        )
        for name, at in sorted(identity.expires_at.items()):
            expiry.add_metric((name,), at)
        yield expiry
        yield GaugeMetricFamily(
            "typha_tls_reload_pending",
            "1 while the certificates on disk cannot be used and the last good ones are in force.",
            value=identity.reload_pending,
        )
        yield _table("typha_tls_reloads_total", "Changes of the certificates.", "result", identity.reloads_total)
        yield _table(
            "typha_tls_handshake_failures_total",
            "Handshakes that failed, by reason.",
            "reason",
            identity.handshake_failures_total,
        )
    if identity.tokens is not None:
        yield GaugeMetricFamily("typha_tokens", "Tokens of agents that are good now.", value=identity.tokens)
        yield _table(
            "typha_token_reviews_total", "Reviews of tokens by the API server.", "result", identity.token_reviews_total
        )
        yield CounterMetricFamily(
            "typha_token_revocations_total",
            "Connections ended because their token is valid no more.",
            value=identity.revocations_total,
        )


def _table(name: str, text: str, label: str, table: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, count in sorted(table.items()):
        family.add_metric((key,), count)
    return family
