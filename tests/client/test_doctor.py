"""`python -m typha_client doctor` against servers that are well, and against each thing that can be wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from typha_client.__main__ import main
from typha_client.testing import FakeServer

TOPICS = {"pods": {"default/a": {"n": 1}, "default/b": {"n": 2}}, "nodes": {"n1": {"n": 3}}}
FEEDS = {"inventory": ["pods", "nodes"]}

Checks = dict[str, dict[str, Any]]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(organization_name="the right one")


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(path)
    return str(path)


def context_of(pair: trustme.LeafCert, *, client_ca: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair.configure_cert(context)
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    with FakeServer(TOPICS, feeds=FEEDS, tls=tls) as server:
        yield server


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Checks]:
    code = main(["doctor", *arguments, "-o", "json", "--timeout", "5"])
    page = json.loads(capsys.readouterr().out)
    assert page["ok"] is (code == 0)
    assert all(check["hint"] for check in page["checks"] if check["outcome"] == "fail")
    return code, {check["check"]: check for check in page["checks"]}


def test_without_a_feed_it_tells_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        code, checks = run(capsys, server.address)
    assert code == 0
    assert checks["hello"]["what"].endswith("its feeds: inventory")
    assert "127.0.0.1" in checks["name"]["what"]


def test_a_feed_is_synced_and_timed(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        code, checks = run(capsys, server.address, "--feed", "inventory")
    assert code == 0
    assert "2 topics with 3 entries, complete in" in checks["sync"]["what"]
    assert "cluster fake-cluster/1" in checks["hello"]["what"]


def test_tables_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        assert main(["doctor", server.address, "--feed", "nowhere"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    name: 127.0.0.1 is 127.0.0.1")
    assert lines[-2].startswith("fail  hello: refused with unknown_topic")
    assert lines[-1].startswith("      -> ask for one of those")


def test_a_name_that_does_not_resolve(capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = run(capsys, "typha.invalid:5473")
    assert (code, list(checks)) == (1, ["name"])


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    code, checks = run(capsys, f"127.0.0.1:{port}")
    assert (code, checks["connect"]["outcome"]) == (1, "fail")


def test_nobody_listens_on_a_socket(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, checks = run(capsys, f"unix:{tmp_path}/s.sock")
    assert (code, checks["name"]["outcome"], checks["connect"]["outcome"]) == (1, "ok", "fail")
    assert f"{tmp_path}/s.sock: [Errno 2]" in checks["connect"]["what"]


def test_tls_and_its_names(capsys: pytest.CaptureFixture[str], authority: trustme.CA, ca: str) -> None:
    with serving(context_of(authority.issue_cert("localhost"))) as server:
        code, checks = run(capsys, f"localhost:{server.port}", "--tls-ca", ca, "--feed", "inventory")
        assert code == 0, checks
        assert "DNS localhost, signed by" in checks["TLS"]["what"]
        code, checks = run(capsys, f"127.0.0.1:{server.port}", "--tls-ca", ca)
        assert code == 1
        assert checks["TLS"]["what"] == (
            "the server's certificate is not accepted: IP address mismatch, certificate is not valid for '127.0.0.1'; "
            "its names are DNS localhost"
        )


def test_the_wrong_ca_is_named(
    capsys: pytest.CaptureFixture[str], authority: trustme.CA, ca: str, tmp_path: Path
) -> None:
    other = trustme.CA(organization_name="another one")
    with serving(context_of(other.issue_cert("127.0.0.1"))) as server:
        code, checks = run(capsys, server.address, "--tls-ca", ca)
    assert code == 1
    assert "organizationName=another one" in checks["TLS"]["what"]
    assert f"{ca} holds: organizationName=the right one" in checks["TLS"]["hint"]


def test_an_expired_certificate(capsys: pytest.CaptureFixture[str], authority: trustme.CA, ca: str) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    with serving(context_of(authority.issue_cert("127.0.0.1", not_after=yesterday))) as server:
        code, checks = run(capsys, server.address, "--tls-ca", ca)
    assert code == 1
    assert "expired" in checks["TLS"]["what"]


def test_a_client_certificate_is_asked_for(
    capsys: pytest.CaptureFixture[str], authority: trustme.CA, ca: str, tmp_path: Path
) -> None:
    with serving(context_of(authority.issue_cert("127.0.0.1"), client_ca=authority)) as server:
        code, checks = run(capsys, server.address, "--tls-ca", ca)
        assert code == 1
        assert "--tls-cert" in checks["hello"]["hint"]
        own = authority.issue_cert("agent.example.com")
        own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
        code, checks = run(
            capsys, server.address, "--tls-ca", ca, "--tls-cert", str(tmp_path / "own.pem"), "--feed", "inventory"
        )
        assert code == 0, checks


def test_plain_to_tls_and_tls_to_plain(capsys: pytest.CaptureFixture[str], authority: trustme.CA, ca: str) -> None:
    with serving(context_of(authority.issue_cert("127.0.0.1"))) as server:
        code, checks = run(capsys, server.address)
        assert code == 1
        assert "TLS" in checks["hello"]["what"] + checks["hello"]["hint"]
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=_greet, args=(plain,), daemon=True).start()
        code, checks = run(capsys, f"127.0.0.1:{plain.getsockname()[1]}", "--tls-ca", ca)
    assert (code, checks["TLS"]["what"]) == (1, "the server speaks plain TCP on this port")


def test_something_else_than_typha(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=_greet, args=(plain,), daemon=True).start()
        code, checks = run(capsys, f"127.0.0.1:{plain.getsockname()[1]}")
    assert code == 1
    assert checks["hello"]["what"].startswith("what answers is no typha")


def _greet(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the end of the test closes the socket
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(b"220 mail.example.com ESMTP\r\n" * 4)
                connection.settimeout(5)
                connection.recv(1024)


@pytest.mark.parametrize("code", ["unauthenticated", "forbidden", "overloaded", "draining", "not_ready"])
def test_refusals_say_what_to_do(capsys: pytest.CaptureFixture[str], code: str) -> None:
    with serving() as server:
        server.refuse(code, "because")
        found, checks = run(capsys, server.address, "--feed", "inventory")
    assert found == 1
    assert checks["hello"]["what"] == f"refused with {code}: because"


def test_another_release_is_a_warning(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha_client.doctor.__version__", "0.99.0")
    with serving() as server:
        code, checks = run(capsys, server.address, "--feed", "inventory")
    assert (code, checks["versions"]["outcome"]) == (0, "warn")


def test_wrong_usage_is_two(tmp_path: Path) -> None:
    for arguments in (["[::1:5473"], ["a", "--tls-key", "x"], ["a", "--tls-ca", str(tmp_path / "none")]):
        done = subprocess.run(
            [sys.executable, "-m", "typha_client", "doctor", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr


def test_it_needs_msgpack_alone() -> None:
    """The modules it loads are the standard library's, msgpack, zstd where it is installed, and ours."""
    code = (
        "import sys; import typha_client.__main__; "
        "bad = {name.split('.')[0] for name in sys.modules} & {'aiohttp', 'yaml', 'typer', 'msgspec', 'cryptography'}; "
        "sys.exit(repr(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
