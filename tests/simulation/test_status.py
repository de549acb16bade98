"""Status: complete bodies, as clients read them."""

from __future__ import annotations

import msgspec

from typha.simulation import status
from typha.simulation.discovery import Resource
from typha.simulation.status import StatusError

CERTS = Resource("example.com", "v1", "certs", "Cert")


def test_a_body_says_everything() -> None:
    error = StatusError(429, retry_after_s=7)
    assert error.headers() == {"Retry-After": "7"}
    assert msgspec.json.decode(error.body()) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Too many requests, please try again later.",
        "reason": "TooManyRequests",
        "details": {"retryAfterSeconds": 7},
        "code": 429,
    }


def test_groups_are_named() -> None:
    assert status.not_found(CERTS, "c").message == 'certs.example.com "c" not found'
    assert 'cannot list resource "certs" in API group "example.com"' in status.forbidden(CERTS, "list").message


def test_expired_pages_offer_an_inconsistent_token() -> None:
    body = msgspec.json.decode(status.expired_continue("token").body())
    assert (body["code"], body["reason"], body["metadata"]) == (410, "Expired", {"continue": "token"})


def test_unknown_codes_still_make_a_status() -> None:
    assert msgspec.json.decode(StatusError(418).body())["reason"] == "Unknown"
