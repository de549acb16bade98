"""What is known of tokens: for how long, by whom, and what is forgotten."""

from __future__ import annotations

from typha.downstream import tokens
from typha.downstream.identity import Peer
from typha.downstream.tokens import REFUSED_S, Reviewed, TokenBook

A = Peer(("serviceaccount:ns/a",))


def book() -> TokenBook[str]:
    return TokenBook(60.0)


def test_good_until_its_end() -> None:
    kept = book()
    kept.accept("t", Reviewed(A, 100.0), 0.0, 0.0)
    found = kept.find("t", 99.9)
    assert found is not None
    assert found.peer == A
    assert kept.find("t", 100.0) is None
    assert kept.find("other", 0.0) is None


def test_reviews_are_due_for_what_is_held_and_asked_for_once() -> None:
    kept = book()
    kept.hold(kept.accept("held", Reviewed(A, 1000.0), 0.0, 0.0), "c1")
    kept.accept("idle", Reviewed(A, 1000.0), 0.0, 0.0)
    assert kept.due(59.9, 10) == []
    assert kept.due(60.0, 10) == ["held"]
    assert kept.due(60.0, 10) == []
    assert kept.due(120.0, 0) == []
    assert kept.due(120.0, 10) == ["held"]


def test_jitter_brings_reviews_forward() -> None:
    kept = book()
    assert kept.accept("a", Reviewed(A, 1000.0), 0.0, 0.5).review_at == 54.0


def test_a_refusal_names_its_holders_and_stays_a_while() -> None:
    kept = book()
    token = kept.accept("t", Reviewed(A, 1000.0), 0.0, 0.0)
    kept.hold(token, "c1")
    kept.hold(token, "c2")
    kept.release("c2")
    assert kept.refuse("t", "revoked", 1.0) == ["c1"]
    assert kept.find("t", 1.0) is None
    assert kept.refusal("t", 1.0 + REFUSED_S - 0.1) == "revoked"
    assert kept.refusal("t", 1.0 + REFUSED_S) == ""
    assert kept.refuse("t", "revoked", 30.0) == []


def test_a_token_that_is_good_after_all_is_refused_no_more() -> None:
    kept = book()
    kept.refuse("t", "too early", 0.0)
    kept.accept("t", Reviewed(A, 10.0), 1.0, 0.0)
    assert kept.refusal("t", 1.0) == ""


def test_who_holds_an_ended_token_is_told_once() -> None:
    kept = book()
    kept.hold(kept.accept("t", Reviewed(A, 10.0), 0.0, 0.0), "c1")
    assert kept.expired(9.9) == []
    assert kept.expired(10.0) == ["c1"]
    assert kept.expired(10.0) == []
    assert len(kept) == 0
    kept.release("c1")


def test_a_holder_holds_one() -> None:
    kept = book()
    kept.hold(kept.accept("old", Reviewed(A, 10.0), 0.0, 0.0), "c1")
    kept.hold(kept.accept("new", Reviewed(A, 100.0), 0.0, 0.0), "c1")
    assert kept.expired(10.0) == []
    assert kept.expired(100.0) == ["c1"]


def test_it_is_bounded() -> None:
    kept = book()
    kept.hold(kept.accept("held", Reviewed(A, 1e9), 0.0, 0.0), "c1")
    for number in range(tokens.MAX_TOKENS + 5):
        kept.accept(f"t{number}", Reviewed(A, 1e9), 0.0, 0.0)
    assert len(kept) == tokens.MAX_TOKENS
    assert kept.find("held", 0.0) is not None
    assert kept.find("t0", 0.0) is None
    for number in range(tokens.MAX_REFUSED + 5):
        kept.refuse(f"r{number}", "no", 0.0)
    assert kept.refusal("r0", 0.0) == ""
    assert kept.refusal(f"r{tokens.MAX_REFUSED}", 0.0) == "no"


def test_no_repr_has_the_text() -> None:
    assert "secret" not in repr(book().accept("secret", Reviewed(A, 1.0), 0.0, 0.0))
