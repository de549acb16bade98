"""Who is let in: by certificate, by token, by either."""

from __future__ import annotations

from typing import Any

import pytest

from typha.downstream.gate import NOTHING_SHOWN, Gate
from typha.downstream.identity import NOBODY, Peer
from typha.wire.errors import RefusedError
from typha.wire.identity import parse_wanted

TOKEN = Peer(("serviceaccount:a/b",), "n2")
WANTED = [parse_wanted("cn:system:node:*")]


def certificate(common_name: str) -> dict[str, Any]:
    return {"subject": ((("commonName", common_name),),)}


def refusal(gate: Gate, shown: dict[str, Any] | None, by_token: Peer | None = None) -> str:
    with pytest.raises(RefusedError) as caught:
        gate.check(gate.shown_by(shown), by_token=by_token)
    assert caught.value.code == "unauthenticated"
    return caught.value.message


def test_an_open_gate_knows_nobody() -> None:
    gate = Gate()
    assert gate.shown_by(certificate("x")) is NOTHING_SHOWN
    assert gate.check(NOTHING_SHOWN, by_token=None) is NOBODY


def test_by_certificate() -> None:
    gate = Gate(asks_certificate=True, wanted=WANTED)
    peer = gate.check(gate.shown_by(certificate("system:node:n1")), by_token=None)
    assert peer == Peer(("cn:system:node:n1",), "n1")
    assert refusal(gate, certificate("n1")) == "the certificate is of cn:n1; wanted is cn:system:node:*"
    assert "no certificate" in refusal(gate, None)


def test_by_token() -> None:
    gate = Gate(takes_tokens=True)
    assert gate.check(gate.shown_by(None), by_token=TOKEN) == TOKEN
    assert refusal(gate, None) == "this server needs a token of a ServiceAccount, and none came"


def test_by_either_and_whoever_brings_both_is_right_with_both() -> None:
    gate = Gate(asks_certificate=True, wanted=WANTED, takes_tokens=True)
    assert gate.check(gate.shown_by(None), by_token=TOKEN) == TOKEN
    assert gate.check(gate.shown_by(certificate("system:node:n1")), by_token=None).node == "n1"
    both = gate.check(gate.shown_by(certificate("system:node:n1")), by_token=TOKEN)
    assert both == Peer(("cn:system:node:n1", "serviceaccount:a/b"), "n2")
    assert "wanted is" in refusal(gate, certificate("other"), TOKEN)
    assert "a token of a ServiceAccount or a certificate" in refusal(gate, None)
