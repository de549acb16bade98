"""Why an agent is not served: its own error, the server's log and doctor name one cause. Real handshakes, both loops.

The API server's own words on tokens (another audience, a pod that is gone) are in `tests/e2e/test_identity.py`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.downstream.conftest import Running, until
from tests.downstream.stage import AGENT, Stage, stage
from tests.kit.pems import authority
from typha.config.identity import TlsConfig
from typha.doctor.findings import Outcome
from typha.doctor.tls import examine_tls
from typha.downstream.identity import Peer
from typha.downstream.rights import Rights, Rule
from typha.downstream.token_reviews import TokenRefusedError
from typha.downstream.tokens import Reviewed
from typha.wire.identity import SERVICE_ACCOUNT
from typha_client import CertificateRefusedError, Client, RefusedError, ServerNotTrustedError, Tls, connect
from typha_client.__main__ import main as typha_client

__all__ = ["stage"]

AUDIENCE = 'token audiences ["another"] is invalid for the target audiences ["typha"]'


@dataclass
class Case:
    """What the agent brings; ``cause`` is what its error, its doctor and (but for what only it sees) the log say."""

    error: type[Exception]
    cause: str
    tls: Tls
    logged: str = ""
    topics: tuple[str, ...] = ("pods",)
    token: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    doctor_there: str = ""
    before: Callable[[Running, Client], Any] | None = None


Prepare = Callable[[Stage, Path], Case]


def wrong_name(stage: Stage, _: Path) -> Case:
    stage.asked["wanted"] = [AGENT]
    cause = "the certificate is of cn:other, dns:localhost; wanted is cn:agent"
    return Case(RefusedError, cause, stage.agent(stage.pki.issue("other", common_name="other")), logged=cause)


def wrong_ca(stage: Stage, folder: Path) -> Case:
    other = authority(folder / "other").issue("agent", common_name="agent")
    return Case(
        CertificateRefusedError,
        "the server refuses our certificate: it trusts no CA that has signed it",
        stage.agent(other),
        logged="unknown_ca the agent's certificate is not accepted: unable to get local issuer certificate",
    )


def expired(stage: Stage, _: Path) -> Case:
    old = stage.pki.issue("agent", common_name="agent", valid_s=(-7200, -3600))
    return Case(
        CertificateRefusedError,
        "the server refuses our certificate: it has expired",
        stage.agent(old),
        logged="expired the agent's certificate is not accepted: certificate has expired",
    )


def no_certificate(stage: Stage, _: Path) -> Case:
    return Case(
        CertificateRefusedError,
        "the server refuses our certificate: it asks for one, and none was shown",
        Tls(ca=stage.pki.ca_file),
        logged="no_certificate the agent showed no certificate",
    )


def by_token(stage: Stage, known: dict[str, Reviewed | Exception]) -> None:
    async def review(token: str) -> Reviewed:
        answer = known[token]
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage.verify = ssl.CERT_OPTIONAL
    stage.asked["takes_tokens"] = True
    stage.review = review


def revoked_token(stage: Stage, _: Path) -> Case:
    known: dict[str, Reviewed | Exception] = {"t": Reviewed(Peer((f"{SERVICE_ACCOUNT}:a/one",), ""), float("inf"))}
    by_token(stage, known)

    async def revoke(running: Running, client: Client) -> None:
        await client.wait_synced(10)
        known["t"] = TokenRefusedError("the pod is gone")
        assert running.server.identifying.reviews is not None
        for token in running.server.identifying.reviews._book._good.values():
            token.review_at = 0.0
        running.server.identifying.look(time.monotonic())

    cause = "the token was refused: the pod is gone"
    return Case(RefusedError, cause, Tls(ca=stage.pki.ca_file), logged=cause, token="t", before=revoke)


def wrong_audience(stage: Stage, _: Path) -> Case:
    by_token(stage, {"t": TokenRefusedError(AUDIENCE)})
    cause = f"the token was refused: {AUDIENCE}"
    return Case(RefusedError, cause, Tls(ca=stage.pki.ca_file), logged=cause, token="t")


def forbidden_topic(stage: Stage, _: Path) -> Case:
    rule = Rule("agents", (AGENT,), topics=("pods",))
    stage.asked["rights"] = Rights([rule], {"all": ("pods", "hosts")})
    cause = "topic 'hosts' for cn:agent, dns:localhost: no rule of `rights` allows it; allowed: topics pods"
    return Case(RefusedError, cause, stage.agent(), logged=cause, topics=("hosts",))


def too_many_connections(stage: Stage, _: Path) -> Case:
    cause = "1 connections are open; try another server"
    return Case(RefusedError, cause, stage.agent(), logged=cause, settings={"max_connections": 1})


def the_server_of_another_name(stage: Stage, _: Path) -> Case:
    cause = "the server is not who it must be: the certificate is of cn:typha-server, uri:spiffe://c/typha, "
    cause += "dns:localhost; wanted is cn:other"
    return Case(ServerNotTrustedError, cause, stage.agent(server_names=["cn:other"]))


def the_server_of_another_ca(stage: Stage, folder: Path) -> Case:
    tls = Tls(ca=authority(folder / "other").ca_file)
    stage.verify = ssl.CERT_NONE
    stage.asked.clear()
    return Case(ServerNotTrustedError, "the server's certificate is not accepted: self-signed certificate in", tls)


def the_servers_chain_with_a_gap(stage: Stage, folder: Path) -> Case:
    """Its certificate is followed by a CA that has not signed it."""
    other = authority(folder / "other")
    files = other.issue("agent", common_name="agent")
    stage.server_files = other.issue("server")
    stage.server_files.cert.write_bytes(stage.server_files.cert.read_bytes() + stage.pki.ca_file.read_bytes())
    return Case(
        ServerNotTrustedError,
        "the server's certificate is not accepted: unable to get local issuer certificate",
        stage.agent(files),
        doctor_there="has not signed the one before it",
    )


def the_server_expired(stage: Stage, _: Path) -> Case:
    stage.server_files = stage.pki.issue("server", valid_s=(-7200, -3600))
    return Case(
        ServerNotTrustedError,
        "the server's certificate is not accepted: certificate has expired",
        stage.agent(),
        doctor_there="the certificate has expired on",
    )


CASES: list[Prepare] = [
    wrong_name,
    wrong_ca,
    expired,
    no_certificate,
    revoked_token,
    wrong_audience,
    forbidden_topic,
    too_many_connections,
    the_server_of_another_name,
    the_server_of_another_ca,
    the_servers_chain_with_a_gap,
    the_server_expired,
]


@pytest.mark.parametrize("prepare", CASES, ids=lambda prepare: prepare.__name__)
def test_error_log_and_doctor_name_one_cause(
    prepare: Prepare, stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare(stage, tmp_path)

    async def scene(running: Running) -> None:
        async with full(running, stage, case):
            error = await error_of(running, case)
            assert case.cause in str(error)
            await until(lambda: not case.logged or stage.warnings())
            assert all(case.logged in said for said in stage.warnings())
            failures = await doctor(running, case, tmp_path, capsys)
            assert len(failures) == 1
            assert case.cause in failures[0]["what"]
            assert failures[0]["hint"]

    stage.play(scene, **case.settings)
    files = stage.server_files
    there = examine_tls(TlsConfig(cert=files.cert, key=files.key, client_ca=files.ca), time.time())
    failed = [finding for finding in there if finding.outcome is Outcome.FAIL]
    assert bool(failed) is bool(case.doctor_there)
    assert all(case.doctor_there in finding.what and finding.hint for finding in failed)


@asynccontextmanager
async def full(running: Running, stage: Stage, case: Case) -> AsyncIterator[None]:
    """Where one connection is allowed it is taken."""
    if not case.settings:
        yield
        return
    async with connect(f"127.0.0.1:{running.port}", node="n0", topics=["pods"], tls=stage.agent()) as first:
        await first.wait_synced(10)
        yield


async def error_of(running: Running, case: Case) -> Exception:
    """The typed error of a client that is not served."""
    async with connect(
        f"127.0.0.1:{running.port}", node="n1", topics=case.topics, tls=case.tls, token=case.token, max_backoff_s=0.01
    ) as client:
        if case.before is not None:
            await case.before(running, client)
        await until(lambda: isinstance(client.last_error, case.error))
        assert client.last_error is not None
        return client.last_error


async def doctor(
    running: Running, case: Case, folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, str]]:
    """What ``python -m typha_client doctor`` finds amiss, with the agent's own files."""
    asked = [f"127.0.0.1:{running.port}", "-o", "json", "--timeout", "5", "--tls-ca", str(case.tls.ca)]
    if case.tls.cert is not None:
        asked += ["--tls-cert", str(case.tls.cert), "--tls-key", str(case.tls.key)]
    for name in case.tls.server_names:
        asked += ["--server-name", name]
    for topic in case.topics:
        asked += ["--topic", topic]
    if case.token is not None:
        (folder / "token").write_text(case.token)
        asked += ["--token-file", str(folder / "token")]
    assert await asyncio.to_thread(typha_client, ["doctor", *asked]) == 1
    checks: list[dict[str, str]] = json.loads(capsys.readouterr().out)["checks"]
    return [check for check in checks if check["outcome"] == "fail"]
