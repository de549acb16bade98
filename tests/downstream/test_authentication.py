"""Who is let in: by certificate, by token, by either."""

from __future__ import annotations

from typing import Any

import pytest

from typha.downstream.authentication import ANYBODY, Authentication, Caller
from typha.downstream.identity import NOBODY, Peer
from typha.wire.errors import RefusedError
from typha.wire.identity import parse_wanted

TOKEN = Peer(("serviceaccount:a/b",), "n2")
WANTED = [parse_wanted("cn:system:node:*")]


def certificate(common_name: str) -> dict[str, Any]:
    return {"subject": ((("commonName", common_name),),)}


def caller(of: Authentication, shown: dict[str, Any] | None, by_token: Peer | None = None) -> Caller:
    made = of.caller(shown)
    if by_token is not None and made.needs_review("token"):
        made.reviewed(by_token)
    return made


def admitted(of: Authentication, shown: dict[str, Any] | None, by_token: Peer | None = None) -> Peer:
    made = caller(of, shown, by_token)
    made.check()
    return made.peer


def refusal(of: Authentication, shown: dict[str, Any] | None, by_token: Peer | None = None) -> str:
    with pytest.raises(RefusedError) as caught:
        caller(of, shown, by_token).check()
    assert caught.value.code == "unauthenticated"
    return caught.value.message


def test_where_nobody_is_asked_anything_nobody_is_known() -> None:
    assert admitted(Authentication(), certificate("x"), TOKEN) is NOBODY
    ANYBODY.check()
    assert not ANYBODY.needs_review("token")


def test_by_certificate() -> None:
    asking = Authentication(asks_certificate=True, wanted=WANTED)
    assert admitted(asking, certificate("system:node:n1")) == Peer(("cn:system:node:n1",), "n1")
    assert refusal(asking, certificate("n1")) == "the certificate is of cn:n1; wanted is cn:system:node:*"
    assert "no certificate" in refusal(asking, None)


def test_by_token() -> None:
    asking = Authentication(takes_tokens=True)
    assert admitted(asking, None, TOKEN) == TOKEN
    assert refusal(asking, None) == "this server needs a token of a ServiceAccount, and none came"
    assert not asking.caller(None).needs_review(None)


def test_by_either_and_whoever_brings_both_is_right_with_both() -> None:
    asking = Authentication(asks_certificate=True, wanted=WANTED, takes_tokens=True)
    assert admitted(asking, None, TOKEN) == TOKEN
    assert admitted(asking, certificate("system:node:n1")).node == "n1"
    both = admitted(asking, certificate("system:node:n1"), TOKEN)
    assert both == Peer(("cn:system:node:n1", "serviceaccount:a/b"), "n2")
    assert "wanted is" in refusal(asking, certificate("other"), TOKEN)
    assert "a token of a ServiceAccount or a certificate" in refusal(asking, None)


def test_a_token_is_reviewed_once() -> None:
    made = Authentication(takes_tokens=True).caller(None)
    assert made.needs_review("token")
    made.reviewed(TOKEN)
    assert not made.needs_review("token")
