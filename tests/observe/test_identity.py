"""Certificates and tokens as metrics."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from tests.observe.pictures import picture
from typha.observe.identity import IdentityStatus
from typha.observe.metrics import make_registry, render
from typha.observe.status import Board

ALL = IdentityStatus(
    expires_at={"certificate": 1.8e9, "client_ca": 1.9e9},
    reloads_total={"ok": 3, "failed": 1},
    reload_pending=True,
    handshake_failures_total={"expired": 2},
    token_reviews_total={"ok": 5, "refused": 1, "failed": 0},
    tokens=4,
    revocations_total=1,
)


def samples(identity: IdentityStatus) -> dict[tuple[str, str], float]:
    board = Board(lambda: 100.0)
    board.publish(replace(picture(), identity=identity))
    body, _ = render(make_registry(board), "application/openmetrics-text; version=1.0.0")
    families = parse(body.decode())  # type: ignore[no-untyped-call]
    return {
        (one.name, next(iter(one.labels.values()), "")): one.value
        for family in families
        for one in family.samples
        if one.name.startswith(("typha_tls", "typha_token"))
    }


def test_with_tls_and_tokens() -> None:
    assert samples(ALL) == {
        ("typha_tls_certificate_expiry_timestamp_seconds", "certificate"): 1.8e9,
        ("typha_tls_certificate_expiry_timestamp_seconds", "client_ca"): 1.9e9,
        ("typha_tls_reload_pending", ""): 1,
        ("typha_tls_reloads_total", "ok"): 3,
        ("typha_tls_reloads_total", "failed"): 1,
        ("typha_tls_handshake_failures_total", "expired"): 2,
        ("typha_tokens", ""): 4,
        ("typha_token_reviews_total", "ok"): 5,
        ("typha_token_reviews_total", "refused"): 1,
        ("typha_token_reviews_total", "failed"): 0,
        ("typha_token_revocations_total", ""): 1,
    }


def test_in_plain_text_there_are_none() -> None:
    assert samples(IdentityStatus()) == {}
