"""Who is refused, and that the server's log and the client's error name one cause: real handshakes, on both loops."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.downstream.calico_peer import HELLO, CalicoPeer
from tests.downstream.conftest import Running, until
from tests.kit.pems import Authority, authority
from typha.downstream.authentication import Authentication
from typha.downstream.identity import Peer
from typha.downstream.rights import Rights, Rule
from typha.downstream.server_tls import ServerTls
from typha.downstream.settings import DownstreamSettings
from typha.downstream.tls import TlsFiles, server_context
from typha.downstream.token_reviews import Review, ReviewFailedError, TokenRefusedError
from typha.downstream.tokens import Reviewed
from typha.wire.identity import SERVICE_ACCOUNT, WantedName, parse_wanted
from typha_client import CertificateRefusedError, RefusedError, ServerNotTrustedError, Tls, TlsError, connect

Scene = Callable[[Running], Awaitable[None]]
LOOPS = ("asyncio", "uvloop")
AGENT = WantedName("cn:agent")


class Stage:
    """A server with its CA; what the test asks of agents is set before `play`."""

    def __init__(self, pki: Authority, loop: str, caplog: pytest.LogCaptureFixture) -> None:
        self.pki = pki
        self.server_files = pki.issue("server", common_name="typha-server", uri="spiffe://c/typha")
        self.verify = ssl.CERT_REQUIRED
        self.asked: dict[str, Any] = {"asks_certificate": True}
        self.review: Review | None = None
        self._loop = loop
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def play(self, scene: Scene, *, calico: bool = False, **settings: Any) -> None:
        loop = asyncio if self._loop == "asyncio" else pytest.importorskip("uvloop")

        async def main() -> None:
            files = TlsFiles(self.server_files.cert, self.server_files.key, self.pki.ca_file)
            tls = ServerTls(files, lambda found: server_context(found, verify=self.verify), now=time.time())
            fields = DownstreamSettings(round_pause_s=0.001, max_age_s=0.0, **settings)
            asked = Authentication(**self.asked)
            running = Running(fields, tls, calico=calico, authentication=asked, review=self.review)
            async with running.run():
                await scene(running)

        with asyncio.Runner(debug=True, loop_factory=loop.new_event_loop) as runner:
            runner.run(main())

    def agent(self, files: TlsFiles | None = None, **names: Any) -> Tls:
        """An agent's end, by default with a certificate of cn:agent."""
        files = files or self.pki.issue("agent", common_name="agent")
        return Tls(ca=self.pki.ca_file, cert=files.cert, key=files.key, **names)

    def warnings(self) -> list[str]:
        """What the server said, with its reasons."""
        return [
            f"{record.message} {vars(record).get('reason', '')} {vars(record).get('error', '')}"
            for record in self._caplog.records
            if record.levelno >= logging.WARNING and record.name.startswith("typha.downstream")
        ]


@pytest.fixture(params=LOOPS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Stage:
    return Stage(authority(tmp_path / "pki"), request.param, caplog)


async def error_of(running: Running, tls: Tls | None, **asked: Any) -> Exception:
    """What a client that is not let in says about it."""
    asked.setdefault("topics", ["pods"])
    server = f"127.0.0.1:{running.port}"
    async with connect(server, node="n1", tls=tls, max_backoff_s=0.01, **asked) as client:
        await until(lambda: client.last_error)
        error = client.last_error
        assert error is not None
        if isinstance(error, RefusedError):
            with pytest.raises(RefusedError, match=r"unauthenticated|forbidden"):
                await client.wait_synced(5)
        else:
            with pytest.raises(TimeoutError) as waited:
                await client.wait_synced(0.01)
            assert type(error) is type(client.last_error)
            assert str(client.last_error) in str(waited.value)
        return error


async def is_served(running: Running, tls: Tls | None, **asked: Any) -> None:
    asked.setdefault("topics", ["pods"])
    async with connect(f"127.0.0.1:{running.port}", node="n1", tls=tls, **asked) as client:
        await client.wait_synced(10)
        assert "a" in client.topic("pods") or client.get("pods", "a") is not None or asked.get("where")


# --- certificates


def test_the_right_one_is_served(stage: Stage) -> None:
    stage.asked["wanted"] = [AGENT]

    async def scene(running: Running) -> None:
        await is_served(running, stage.agent())

    stage.play(scene)
    assert stage.warnings() == []


def test_wrong_name(stage: Stage) -> None:
    stage.asked["wanted"] = [AGENT]

    async def scene(running: Running) -> None:
        error = await error_of(running, stage.agent(stage.pki.issue("other", common_name="other")))
        assert isinstance(error, RefusedError)
        assert error.code == "unauthenticated"
        assert error.message == "the certificate is of cn:other, dns:localhost; wanted is cn:agent"
        assert stage.warnings()[0] == f"connection closed  {error}"
        assert running.server.counters.closed["refused_unauthenticated"] >= 1

    stage.play(scene)


def test_wrong_ca(stage: Stage, tmp_path: Path) -> None:
    files = authority(tmp_path / "other").issue("agent", common_name="agent")

    async def scene(running: Running) -> None:
        error = await error_of(running, stage.agent(files))
        assert isinstance(error, CertificateRefusedError)
        assert "it trusts no CA that has signed it" in str(error)
        said = stage.warnings()[0]
        assert said.startswith("TLS handshake failed unknown_ca the agent's certificate is not accepted: unable to get")
        assert f"trusted by {stage.pki.ca_file}: OU=Testing CA" in said

    stage.play(scene)


def test_expired(stage: Stage) -> None:
    files = stage.pki.issue("agent", common_name="agent", valid_s=(-7200, -3600))

    async def scene(running: Running) -> None:
        error = await error_of(running, stage.agent(files))
        assert isinstance(error, CertificateRefusedError)
        assert "it has expired" in str(error)
        said = stage.warnings()[0]
        assert said == "TLS handshake failed expired the agent's certificate is not accepted: certificate has expired"

    stage.play(scene)


def test_none_shown(stage: Stage) -> None:
    async def scene(running: Running) -> None:
        error = await error_of(running, Tls(ca=stage.pki.ca_file))
        assert isinstance(error, CertificateRefusedError)
        assert "it asks for one, and none was shown" in str(error)
        assert stage.warnings()[0] == "TLS handshake failed no_certificate the agent showed no certificate"

    stage.play(scene)


def test_with_tls_12_too(stage: Stage, tmp_path: Path) -> None:
    files = authority(tmp_path / "other").issue("agent", common_name="agent")

    async def scene(running: Running) -> None:
        old = ssl.create_default_context(cafile=stage.pki.ca_file)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.load_cert_chain(files.cert, files.key)
        error = await error_of(running, old)  # type: ignore[arg-type]
        assert isinstance(error, CertificateRefusedError)
        assert "unknown_ca" in stage.warnings()[0]

    stage.play(scene)


def test_older_than_tls_12_is_refused(stage: Stage) -> None:
    async def scene(running: Running) -> None:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")  # without it OpenSSL itself would not even offer TLS 1.1
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        error = await error_of(running, old)  # type: ignore[arg-type]
        assert isinstance(error, TlsError)
        assert str(error) == "no version of TLS that both sides speak; 1.2 is the oldest"
        assert stage.warnings()[0].startswith("TLS handshake failed version the agent speaks no version of TLS")

    stage.play(scene)


def test_an_agent_in_plain_text(stage: Stage) -> None:
    async def scene(running: Running) -> None:
        await error_of(running, None)
        assert stage.warnings()[0] == "TLS handshake failed not_tls what came is not TLS"

    stage.play(scene)


# --- the other way round


def test_the_server_must_be_who_it_must_be(stage: Stage) -> None:
    async def scene(running: Running) -> None:
        await is_served(running, stage.agent(server_names=["cn:other", "uri:spiffe://c/*"]))
        error = await error_of(running, stage.agent(server_names=["cn:other"]), token="secret")
        assert isinstance(error, ServerNotTrustedError)
        assert str(error) == (
            "the server is not who it must be: the certificate is of cn:typha-server, uri:spiffe://c/typha, "
            "dns:localhost; wanted is cn:other"
        )
        assert all(not connection.bytes_received for connection in running.connections)

    stage.play(scene)


def test_the_servers_ca(stage: Stage, tmp_path: Path) -> None:
    async def scene(running: Running) -> None:
        error = await error_of(running, replace(stage.agent(), ca=authority(tmp_path / "other").ca_file))
        assert isinstance(error, ServerNotTrustedError)
        assert "the server's certificate is not accepted: self-signed certificate in certificate chain" in str(error)

    stage.play(scene)


def test_an_agent_that_refuses_the_server_says_so(stage: Stage) -> None:
    """As agents in other languages do; asyncio closes without a word."""

    async def scene(running: Running) -> None:
        def shake_hands() -> None:
            with socket.create_connection(("127.0.0.1", running.port)) as agent:
                ssl.create_default_context().wrap_socket(agent, server_hostname="localhost")

        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(shake_hands)
        await until(stage.warnings)
        said = "TLS handshake failed agent_refused the agent refused this server's certificate (TLS alert unknown ca)"
        assert stage.warnings() == [said]

    stage.play(scene)


def test_the_servers_end(stage: Stage) -> None:
    stage.server_files = stage.pki.issue("server", valid_s=(-7200, -3600))

    async def scene(running: Running) -> None:
        error = await error_of(running, stage.agent())
        assert isinstance(error, ServerNotTrustedError)
        assert str(error) == "the server's certificate is not accepted: certificate has expired"

    stage.play(scene)


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
