"""Who sees the admin port beyond loopback by a token, and by a rule."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.observe.entry import ACCOUNT, OPERATOR, Entry, by_token, entry, lines, of, until
from typha.downstream.rights import Rule
from typha.downstream.token_reviews import ReviewFailedError, TokenRefusedError
from typha.observe.door import REVIEWS, bearer_token

__all__ = ["by_token", "entry"]


# --- tokens


async def test_a_token_instead_of_a_certificate(by_token: Entry) -> None:
    async with by_token.open() as entry:
        assert [(await entry.with_token("good")).code for _ in range(3)] == [200, 200, 200]
        assert entry.asked == ["good"]
        assert (await entry.get(entry.operator())).code == 200


async def test_tokens_alone(by_token: Entry) -> None:
    by_token.asks_certificate = False
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        answer = await entry.get()
        assert answer.code == 401
        assert answer.error == "this server needs a token of a ServiceAccount, and none came"


async def test_no_token_and_no_certificate_hears_what_is_needed(by_token: Entry) -> None:
    async with by_token.open() as entry:
        for header in ("", "Basic Z29vZA==", "Bearer "):
            answer = await entry.get(Authorization=header)
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.error == "this server needs a token of a ServiceAccount or a certificate, and none came"
        assert entry.asked == []


async def test_a_token_that_is_refused(by_token: Entry, caplog: pytest.LogCaptureFixture) -> None:
    async with by_token.open() as entry:
        for files in (None, entry.operator()):  # whoever brings both must be right with both
            answer = await entry.with_token("bad", files)
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.error == "the token was refused: the API server does not know it"
        assert entry.asked == ["bad"]
        assert not any("bad" in str(line.get("error")) for line in lines(caplog))


async def test_a_token_is_reviewed_again_when_it_is_shown_later(by_token: Entry) -> None:
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        entry.known["good"] = ReviewFailedError("connection refused")
        entry.now = 301.0  # an outage of the API server turns nobody away who was known
        assert (await entry.with_token("good")).code == 200
        entry.known["good"] = TokenRefusedError("the pod is gone")
        answer = await entry.with_token("good")
        assert (answer.code, answer.error) == (401, "the token was refused: the pod is gone")
        assert entry.asked == ["good"] * 3


async def test_no_review_is_possible(by_token: Entry) -> None:
    async with by_token.open() as entry:
        answer = await entry.with_token("away")
        assert (answer.code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.error == "the token cannot be reviewed now: connection refused"


async def test_a_review_that_takes_too_long(by_token: Entry) -> None:
    by_token.timeout_s = 0.05
    by_token.pause = asyncio.Event()
    async with by_token.open() as entry:
        answer = await entry.with_token("good")
        assert (answer.code, answer.error) == (503, "the token cannot be reviewed now: no answer within 0.05 s")
        by_token.pause.set()
        by_token.pause = None
        # The one that was under way has told the answer meanwhile.
        assert (await entry.with_token("good")).code == 200
        assert entry.asked == ["good"]


async def test_reviews_for_the_page_take_few_of_the_places(by_token: Entry) -> None:
    by_token.pause = asyncio.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * REVIEWS + 2))  # each waits on a thread
    async with by_token.open() as entry:
        waiting = [asyncio.create_task(entry.with_token(f"made up {number}")) for number in range(2 * REVIEWS)]
        await until(lambda: len(entry.asked) == REVIEWS)
        # Neither probes nor who shows a certificate wait for them.
        assert (await entry.get(entry.operator())).code == 200
        assert len(entry.asked) == REVIEWS
        by_token.pause.set()
        assert {answer.code for answer in await asyncio.gather(*waiting)} == {401}
        assert len(entry.asked) == 2 * REVIEWS


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("Bearer", ""), ("", ""), ("abc", "")],
)
def test_the_token_of_a_header(header: str, token: str) -> None:
    assert bearer_token(header) == token


# --- rules


async def test_with_rules_only_who_has_one_for_the_page_sees_it(by_token: Entry) -> None:
    by_token.rules = (
        Rule("agents", (OPERATOR,), topics=("pods",)),
        Rule("operators", (ACCOUNT,), admin=True),
    )
    by_token.known["agent"] = of("agents/agent")
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        answer = await entry.get(entry.operator())
        assert answer.code == 403
        assert answer.error == (
            "the status page for cn:operator, dns:localhost: no rule of `rights` with `admin: true` is for it"
        )
        assert (await entry.with_token("agent")).code == 403
        # Known by both: what both allow together.
        assert (await entry.with_token("good", entry.operator())).code == 200
