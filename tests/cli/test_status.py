"""`typha status` against a real admin port with a made-up picture."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.cli.conftest import Run
from tests.observe.pictures import picture
from typha.config import HostPort
from typha.observe.http import ObserveServer
from typha.observe.status import Board, PeerStatus, Status


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
    for url in ("https://x:1", "http://:1", "http://x:y"):
        assert run("status", "--admin", url).exit_code == 2, url
