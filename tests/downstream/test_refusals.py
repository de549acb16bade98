"""Who is refused, and that the server's log and the client's error name one cause: real handshakes, on both loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from tests.downstream.conftest import Running, until
from tests.downstream.stage import AGENT, Stage, error_of, is_served, stage
from tests.kit.pems import authority
from typha_client import CertificateRefusedError, RefusedError, ServerNotTrustedError, Tls, TlsError

__all__ = ["stage"]


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
        await until(lambda: not running.connections)
        heard = running.server.counters.traffic.bytes_received
        error = await error_of(running, stage.agent(server_names=["cn:other"]), token="secret")
        assert isinstance(error, ServerNotTrustedError)
        assert str(error) == (
            "the server is not who it must be: the certificate is of cn:typha-server, uri:spiffe://c/typha, "
            "dns:localhost; wanted is cn:other"
        )
        assert running.server.counters.traffic.bytes_received == heard

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
