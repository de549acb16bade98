"""`typha status` against a real admin port with a made-up picture."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.kit.pems import Authority, authority
from tests.observe.pictures import picture
from typha.config import HostPort
from typha.downstream.authentication import Authentication
from typha.downstream.identity import Peer
from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import server_context
from typha.downstream.token_reviews import TokenRefusedError, TokenReviews
from typha.downstream.tokens import Reviewed
from typha.observe.door import Door
from typha.observe.http import ObserveServer
from typha.observe.status import Board, PeerStatus, Status
from typha.wire.identity import WantedName


@contextmanager
def showing(status: Status) -> Iterator[str]:
    board = Board(lambda: 100.0)
    board.publish(status)
    server = ObserveServer(board, health=None, admin=HostPort("127.0.0.1", 0))
    server.start()
    yield f"http://127.0.0.1:{server.admin_port}"
    server.stop()


@pytest.fixture
def admin() -> Iterator[str]:
    with showing(picture()) as address:
        yield address


def test_tables(run: Run, admin: str) -> None:
    result = run("status", "--admin", admin)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "typha 0.1.0 (Python 3.11.7, uvloop), up 1m, ready"
    assert lines[1] == "agents    127.0.0.1:5473 (plain TCP), 2 of at most 10000"
    assert lines[2] == "upstream  https://127.0.0.1:6443, cluster 0b6b/1"
    assert lines[3] == "loop lag  p50 5.0 ms, p99 9.9 ms, p99.9 20.0 ms, since the start"
    words = [line.split() for line in lines]
    assert ["pods", "in_sync", "12s", "500ms", "1234", "1000", "3", "900", "B", "1", "1"] in words
    assert ["pods", "default/odd", "1100", "spec.nodeName", "is", "no", "text"] in words
    assert 'the "API server" went\\naway (20s ago)' in result.stdout
    assert ["node-1", "demo/1", "127.0.0.1:40000", "9s", "yes", "pods", "4", "0", "B"] in words


def test_the_other_servers_and_the_share(run: Run) -> None:
    shown = picture()
    peers = (PeerStatus("10.0.0.2:5473", "ready", 90, ""), PeerStatus("10.0.0.3:5473", "going", 0, "draining"))
    with showing(replace(shown, server=replace(shown.server, share=110, peers=peers))) as address:
        lines = run("status", "--admin", address).stdout.splitlines()
    assert lines[2] == "share     110 beside 10.0.0.2:5473 ready (90), 10.0.0.3:5473 going (0)"


def test_json_is_the_page(run: Run, admin: str) -> None:
    page = json.loads(run("status", "--admin", admin, "-o", "json").stdout)
    assert page["topics"][0]["name"] == "pods"


def test_nobody_there(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    result = run("status", "--admin", address)
    assert result.exit_code == 1
    assert f"error: no answer from http://{address}/status: " in result.stderr
    assert "hint: is the server running" in result.stderr


def test_wrong_url_is_2(run: Run) -> None:
    for url in ("ftp://x:1", "http://:1", "http://x:y"):
        assert run("status", "--admin", url).exit_code == 2, url


# --- beyond loopback


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The server's loop, on a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki")


@pytest.fixture
def beyond(loop: asyncio.AbstractEventLoop, pki: Authority) -> Iterator[str]:
    """The address of a port that knows cn:operator and the token `good`."""

    async def review(token: str) -> Reviewed:
        if token != "good":
            raise TokenRefusedError("unknown")
        return Reviewed(Peer(("serviceaccount:ops/viewer",)), inf)

    async def make() -> Door:
        tls = ServerTls(
            pki.issue("server"), lambda found: server_context(found, verify=ssl.CERT_OPTIONAL), now=time.time()
        )
        reviews: TokenReviews[object] = TokenReviews(
            review,
            interval_s=300.0,
            clock=time.monotonic,
            random=lambda: 0.0,
            retry_after_s=lambda: 1.0,
            on_revoked=lambda _holder, _reason: None,
        )
        asked = Authentication(asks_certificate=True, wanted=[WantedName("cn:operator")], takes_tokens=True)
        return Door(tls, asked, reviews)

    door = asyncio.run_coroutine_threadsafe(make(), loop).result(10)
    board = Board(lambda: 100.0)
    board.publish(picture())
    server = ObserveServer(board, health=None, admin=HostPort("0.0.0.0", 0), door=door)
    server.start()
    yield f"https://localhost:{server.admin_port}"
    server.stop()


def test_a_certificate_or_a_token(run: Run, beyond: str, pki: Authority, tmp_path: Path) -> None:
    files = pki.issue("operator", common_name="operator")
    token = tmp_path / "token"
    token.write_text("good\n")
    ca = ("status", "--admin", beyond, "--tls-ca", str(pki.ca_file))
    for more in (("--tls-cert", str(files.cert), "--tls-key", str(files.key)), ("--token-file", str(token))):
        result = run(*ca, *more)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("typha 0.1.0 ")
    token.write_text("bad")
    result = run(*ca, "--token-file", str(token))
    assert result.exit_code == 1
    assert "error: the server says: the token was refused: unknown" in result.stderr
    assert "--tls-cert or --token-file" in run(*ca).stderr


def test_a_server_that_is_not_trusted_and_the_wrong_scheme(run: Run, beyond: str, pki: Authority) -> None:
    result = run("status", "--admin", beyond)
    assert result.exit_code == 1
    assert "the server's certificate is not accepted" in result.stderr
    assert "--tls-ca names its CA" in result.stderr
    plain = beyond.replace("https", "http")
    assert "Beyond loopback it is https://" in run("status", "--admin", plain).stderr
    result = run("status", "--admin", plain, "--tls-ca", str(pki.ca_file))
    assert (result.exit_code, "go to https:// alone" in result.stderr) == (2, True)


def test_files_that_cannot_be_used_are_2(run: Run, tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    for options in (("--tls-ca", nothing), ("--tls-key", nothing), ("--token-file", nothing)):
        assert run("status", "--admin", "https://localhost:1", *options).exit_code == 2, options
