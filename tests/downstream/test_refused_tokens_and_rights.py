"""Who is refused for its token or its rights: the server's log and the client's error name one cause."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace
from math import inf

import pytest

from tests.downstream.calico_peer import HELLO, CalicoPeer
from tests.downstream.conftest import Running, until
from tests.downstream.stage import AGENT, Stage, error_of, is_served, stage
from typha.downstream.identity import Peer
from typha.downstream.rights import Rights, Rule
from typha.downstream.token_reviews import ReviewFailedError, TokenRefusedError
from typha.downstream.tokens import Reviewed
from typha.wire.identity import SERVICE_ACCOUNT, parse_wanted
from typha_client import RefusedError, Tls, connect

__all__ = ["stage"]


# --- tokens


class Reviews:
    """An API server's answers: token -> whose it is, or why it is none."""

    def __init__(self, **known: Reviewed | Exception) -> None:
        self.known = known
        self.asked: list[str] = []

    async def __call__(self, token: str) -> Reviewed:
        self.asked.append(token)
        answer = self.known.get(token, TokenRefusedError("the API server does not know it"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def of(account: str, node: str = "", expires_in_s: float = inf) -> Reviewed:
    return Reviewed(Peer((f"{SERVICE_ACCOUNT}:{account}",), node), expires_in_s)


def by_token(stage: Stage, **known: Reviewed | Exception) -> Reviews:
    stage.verify = ssl.CERT_OPTIONAL
    stage.asked["takes_tokens"] = True
    stage.review = reviews = Reviews(**known)
    return reviews


def test_a_token_instead_of_a_certificate(stage: Stage) -> None:
    reviews = by_token(stage, good=of("agents/agent"))
    only_ca = Tls(ca=stage.pki.ca_file)

    async def scene(running: Running) -> None:
        for _ in range(2):
            await is_served(running, only_ca, token="good")
        assert reviews.asked == ["good"]
        await is_served(running, stage.agent())
        error = await error_of(running, only_ca)
        assert isinstance(error, RefusedError)
        assert error.message == "this server needs a token of a ServiceAccount or a certificate, and none came"

    stage.play(scene)


def test_a_token_that_is_refused(stage: Stage) -> None:
    reviews = by_token(stage, bad=TokenRefusedError("invalid audiences"))

    async def scene(running: Running) -> None:
        for tls in (Tls(ca=stage.pki.ca_file), stage.agent()):  # whoever brings both is right with both
            error = await error_of(running, tls, token="bad")
            assert isinstance(error, RefusedError)
            assert error.code == "unauthenticated"
            assert error.message == "the token was refused: invalid audiences"
        assert stage.warnings()[0] == "connection closed  unauthenticated: the token was refused: invalid audiences"
        assert reviews.asked == ["bad"]

    stage.play(scene)


def test_no_review_is_possible_now(stage: Stage) -> None:
    by_token(stage, new=ReviewFailedError("connection refused"))

    async def scene(running: Running) -> None:
        async with connect(
            f"127.0.0.1:{running.port}", node="n1", topics=["pods"], tls=Tls(ca=stage.pki.ca_file), token="new"
        ) as client:
            await until(lambda: client.last_error)
            error = client.last_error
        assert isinstance(error, RefusedError)
        assert (error.code, error.message) == ("not_ready", "the token cannot be reviewed now: connection refused")
        assert error.retry_after_s

    stage.play(scene)


def test_a_revoked_token_ends_its_connection_alone(stage: Stage) -> None:
    reviews = by_token(stage, one=of("a/one"), two=of("a/two"))
    tls = Tls(ca=stage.pki.ca_file)

    async def scene(running: Running) -> None:
        server = f"127.0.0.1:{running.port}"
        async with (
            connect(server, node="n1", topics=["pods"], tls=tls, token="one", max_backoff_s=0.01) as one,
            connect(server, node="n2", topics=["pods"], tls=tls, token="two") as two,
        ):
            await one.wait_synced(10)
            await two.wait_synced(10)
            reviews.known["one"] = TokenRefusedError("the pod is gone")
            assert running.server.identifying.reviews is not None
            for token in running.server.identifying.reviews._book._good.values():
                token.review_at = 0.0
            running.server.identifying.look(time.monotonic())
            await until(lambda: isinstance(one.last_error, RefusedError))
            assert str(one.last_error) == "unauthenticated: the token was refused: the pod is gone"
            assert stage.warnings()[0] == "connection closed  the token was refused: the pod is gone"
            assert running.server.counters.closed["unauthenticated"] == 1
            assert two.is_synced
            assert two.last_error is None
            assert two.statistics()["connects"] == 1

    stage.play(scene)


def test_who_came_with_a_token_moves_before_its_end(stage: Stage) -> None:
    by_token(stage, short=of("a/one", expires_in_s=100.0))

    async def scene(running: Running) -> None:
        async with connect(
            f"127.0.0.1:{running.port}", node="n1", topics=["pods"], tls=Tls(ca=stage.pki.ca_file), token="short"
        ) as client:
            await client.wait_synced(10)
            running.server.identifying.look(time.monotonic() + 85.0)
            assert running.server.counters.go_aways.total() == 0
            running.server.identifying.look(time.monotonic() + 91.0)
            await until(lambda: client.statistics()["moves"] == 1)
            assert client.last_error is None

    stage.play(scene)


# --- rights


def limit(stage: Stage, **where: dict[str, str]) -> None:
    rule = Rule("agents", (AGENT, parse_wanted("cn:system:node:*")), topics=("pods",), where=where)
    stage.asked["rights"] = Rights([rule], {"all": ("pods", "hosts"), "felix": ("pods", "hosts"), "bgp": ("pods",)})


def test_forbidden_topic(stage: Stage) -> None:
    limit(stage)

    async def scene(running: Running) -> None:
        await is_served(running, stage.agent())
        error = await error_of(running, stage.agent(), topics=["pods", "hosts"])
        assert isinstance(error, RefusedError)
        assert error.code == "forbidden"
        assert error.message == (
            "topic 'hosts' for cn:agent, dns:localhost: no rule of `rights` allows it; allowed: topics pods"
        )
        assert stage.warnings()[0] == f"connection closed  {error}"
        forbidden = await error_of(running, stage.agent(), topics=[], feed="all")
        assert "topic 'hosts' for cn:agent" in str(forbidden)

    stage.play(scene)


def test_the_own_node_alone(stage: Stage) -> None:
    limit(stage, pods={"node": "%node"})
    tls = stage.agent(stage.pki.issue("n0", common_name="system:node:n0"))

    async def scene(running: Running) -> None:
        await is_served(running, tls, where={"pods": {"node": "n0"}})
        error = await error_of(running, tls, where={"pods": {"node": "n1"}})
        assert "rule 'agents' allows it only where node=n0; asked was node=n1" in str(error)
        assert "asked was no filter" in str(await error_of(running, tls))
        assert "this identity has no node" in str(await error_of(running, stage.agent()))

    stage.play(scene)


def test_a_name_that_is_not_there_tells_what_is_allowed_and_no_more(stage: Stage) -> None:
    limit(stage)

    async def scene(running: Running) -> None:
        server = f"127.0.0.1:{running.port}"
        async with connect(server, node="n1", topics=["pod"], tls=stage.agent()) as client:
            with pytest.raises(RefusedError, match=r"no topic 'pod' here; there are: pods$"):
                await client.wait_synced(10)

    stage.play(scene)


def test_calicos_agents_by_feed(stage: Stage) -> None:
    limit(stage)

    async def scene(running: Running) -> None:
        context = stage.agent().source().context()
        agent = await CalicoPeer(await running.peer(context)).joined(replace(HELLO, syncer_type="bgp"))
        assert agent.held
        refused = CalicoPeer(await running.peer(context))
        refused.send(HELLO)
        assert await refused.rest() == []
        await until(stage.warnings)
        said = "connection closed  forbidden: topic 'hosts' for cn:agent, dns:localhost: no rule of `rights` allows it"
        assert stage.warnings()[0].startswith(said)

    stage.play(scene, calico=True)


def test_a_calico_agent_of_another_name(stage: Stage) -> None:
    stage.asked["wanted"] = [AGENT]

    async def scene(running: Running) -> None:
        context = stage.agent(stage.pki.issue("other", common_name="other")).source().context()
        refused = CalicoPeer(await running.peer(context))
        refused.send(HELLO)
        assert await refused.rest() == []
        await until(stage.warnings)
        assert "unauthenticated: the certificate is of cn:other" in stage.warnings()[0]

    stage.play(scene, calico=True)
