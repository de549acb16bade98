"""Certificates that change under a running server: what is in force, what is refused, and who is never touched."""

from __future__ import annotations

import logging
import shutil
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.downstream.conftest import Running, until
from tests.kit.pems import Authority, authority, namesake, replace, server_tls
from typha.downstream.authentication import Authentication
from typha.downstream.server_tls import ServerTls
from typha_client import Tls, connect

Start = Callable[..., Awaitable[Running]]
NOW = time.time()  # of the import: the tests may run half an hour later


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki", NOW)


@pytest.fixture
def tls(pki: Authority) -> ServerTls:
    files = pki.issue("server", common_name="first")
    return server_tls(files.cert, files.key, files.ca)


def settled(tls: ServerTls, now: float = NOW) -> None:
    """Two looks, as two ticks."""
    tls.look(now)
    tls.look(now)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record)["reason"]) for record in caplog.records if record.levelno == logging.ERROR]


def test_nothing_changed(tls: ServerTls) -> None:
    before = tls.context
    settled(tls)
    assert tls.context is before
    assert tls.statistics().reloads == 0


def test_a_renewal_is_in_force(tls: ServerTls, pki: Authority, caplog: pytest.LogCaptureFixture) -> None:
    before, expires_at = tls.context, tls.statistics().expires_at
    assert expires_at == pytest.approx(NOW + 86_400, abs=3600)
    pki.issue("server", common_name="second", valid_s=(-3600, 2 * 86_400))
    caplog.set_level(logging.INFO)
    tls.look(NOW)
    assert tls.context is before
    tls.look(NOW)
    assert tls.context is not before
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    seen = tls.statistics()
    assert (seen.reloads, seen.failed_reloads, seen.is_pending) == (1, 0, False)
    assert seen.expires_at == pytest.approx(NOW + 2 * 86_400, abs=3600)
    assert "CN=second" in str(vars(caplog.records[-1])["certificate"])


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
def test_nonsense_keeps_the_old(tls: ServerTls, pki: Authority, which: str, caplog: pytest.LogCaptureFixture) -> None:
    before = tls.context
    files = tls._files
    file = {"cert": files.cert, "key": files.key, "ca": pki.ca_file}[which]
    replace(file, b"nonsense")
    for _ in range(5):
        settled(tls)
    assert tls.context is before
    seen = tls.statistics()
    assert (seen.reloads, seen.failed_reloads, seen.is_pending) == (0, 1, True)
    (said,) = errors(caplog)
    assert str(file) in said


def test_a_key_of_another_certificate_keeps_the_old(
    tls: ServerTls, pki: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    before = tls.context
    other = pki.issue("other")
    shutil.copy(other.key, tls._files.key)
    settled(tls)
    assert tls.context is before
    assert "do they belong together" in errors(caplog)[0]
    shutil.copy(other.cert, tls._files.cert)
    settled(tls)
    assert tls.context is not before
    assert not tls.statistics().is_pending


def test_an_expired_certificate_keeps_the_old(tls: ServerTls, pki: Authority, caplog: pytest.LogCaptureFixture) -> None:
    before = tls.context
    pki.issue("server", valid_s=(-7200, -3600))
    settled(tls)
    assert tls.context is before
    assert "the certificate has expired on" in errors(caplog)[0]


def test_a_certificate_that_begins_later_is_taken_then(tls: ServerTls, pki: Authority) -> None:
    before = tls.context
    pki.issue("server", valid_s=(600, 7200))
    settled(tls)
    tls.look(NOW + 29)
    assert tls.context is before
    tls.look(NOW + 900)
    assert tls.context is not before
    assert tls.statistics().failed_reloads == 1


def test_an_old_ca_beside_a_new_one_is_taken(tls: ServerTls, pki: Authority, tmp_path: Path) -> None:
    new = namesake(pki, tmp_path / "new.crt")
    replace(pki.ca_file, pki.ca_file.read_bytes() + new.read_bytes())
    settled(tls)
    assert tls.statistics().reloads == 1
    assert len(tls._report.trusted) == 2


def test_files_that_vanish_keep_the_old(tls: ServerTls, caplog: pytest.LogCaptureFixture) -> None:
    before = tls.context
    content = tls._files.cert.read_bytes()
    tls._files.cert.unlink()
    settled(tls)
    assert tls.context is before
    assert "No such file" in errors(caplog)[0]
    replace(tls._files.cert, content)
    settled(tls)
    assert not tls.statistics().is_pending


def test_an_expired_certificate_at_the_start_is_an_error_in_the_log(
    pki: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    files = pki.issue("server", valid_s=(-7200, -3600))
    server_tls(files.cert, files.key, files.ca)
    assert "the certificate has expired on" in errors(caplog)[0]


async def test_a_renewal_of_everything_drops_nobody(start: Start, tmp_path: Path) -> None:
    """Certificate, key and CA change at once, as Kubernetes swaps a volume; agents renew when they come again."""
    volume = tmp_path / "volume"
    old, new = authority(tmp_path / "old"), authority(tmp_path / "new")
    for name, pki in (("..1", old), ("..2", new)):
        (volume / name).mkdir(parents=True)
        files = pki.issue("server")
        for file, target in ((files.cert, "tls.crt"), (files.key, "tls.key"), (pki.ca_file, "ca.crt")):
            shutil.copy(file, volume / name / target)
    (volume / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (volume / name).symlink_to(f"..data/{name}")
    tls = server_tls(volume / "tls.crt", volume / "tls.key", volume / "ca.crt")
    running = await start(tls, authentication=Authentication(asks_certificate=True))
    server = f"127.0.0.1:{running.port}"
    agents = {pki: pki.issue("agent") for pki in (old, new)}

    def tls_of(pki: Authority) -> Tls:
        return Tls(ca=pki.ca_file, cert=agents[pki].cert, key=agents[pki].key)

    async with (
        connect(server, node="n1", topics=["pods"], tls=tls_of(old)) as before,
        connect(server, node="n2", topics=["pods"], tls=tls_of(new), max_backoff_s=0.01) as after,
    ):
        await before.wait_synced(10)
        await until(lambda: after.last_error)
        (volume / "..data_tmp").symlink_to("..2")
        (volume / "..data_tmp").rename(volume / "..data")
        settled(tls)
        await after.wait_synced(10)
        rv = running.put("b", 1)
        await before.wait_for("pods", rv, 10)
        assert before.statistics()["connects"] == 1
        assert before.last_error is None


async def test_a_client_reads_its_files_anew(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pki, other = authority(tmp_path / "pki"), authority(tmp_path / "other")
    files, stranger = pki.issue("server"), other.issue("agent")
    running = await start(
        server_tls(files.cert, files.key, files.ca), authentication=Authentication(asks_certificate=True)
    )
    tls = Tls(ca=pki.ca_file, cert=stranger.cert, key=stranger.key)
    async with connect(f"127.0.0.1:{running.port}", node="n1", topics=["pods"], tls=tls, max_backoff_s=0.01) as client:
        await until(lambda: client.last_error)
        replace(stranger.key, b"nonsense")
        await until(lambda: any("the last good ones stay" in record.message for record in caplog.records))
        agent = pki.issue("agent")
        shutil.copy(agent.cert, stranger.cert)
        shutil.copy(agent.key, stranger.key)
        await client.wait_synced(10)
