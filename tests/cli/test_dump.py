"""`typha dump` against a server in memory."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import trustme

from tests.cli.conftest import NODES, PODS, Run
from typha.cli.connecting import Target, tls_of
from typha.wire.states import RefusalCode, TopicState
from typha_client import Tls
from typha_client.testing import FakeServer


def test_lines_of_a_feed_sorted_by_topic_and_key(run: Run, server: FakeServer) -> None:
    result = run("dump", "--server", server.address, "--feed", "inventory")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["topic"], line["key"]) for line in lines] == [
        ("nodes", "n1"),
        ("pods", "default/web-0"),
        ("pods", "default/web-1"),
        ("pods", "kube-system/dns"),
    ]
    assert [list(line) for line in lines] == [["topic", "key", "rv", "value"]] * 4
    assert all(isinstance(line["rv"], int) for line in lines)
    assert [line["value"] for line in lines] == [NODES["n1"], *PODS.values()]
    assert "wéb" in result.stdout


def test_topics_and_filters(run: Run, server: FakeServer) -> None:
    result = run("dump", "-s", server.address, "-t", "pods", "-t", "nodes", "--where", "pods.node=n1")
    assert [json.loads(line)["key"] for line in result.stdout.splitlines()] == [
        "n1",
        "default/web-0",
        "kube-system/dns",
    ]


def test_not_in_sync_in_time_is_3_with_the_topics(run: Run, server: FakeServer) -> None:
    server.status("nodes", TopicState.WAITING, "403: nodes is forbidden")
    result = run("dump", "-s", server.address, "-f", "inventory", "--timeout", "0.5")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "error: not in sync after 0.5 s: nodes (waiting" in result.stderr
    assert "pods" not in result.stderr
    assert "hint: " in result.stderr


def test_no_server_is_3_and_says_where_it_looked(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    result = run("dump", "-s", address, "-t", "pods", "--timeout", "0.3")
    assert result.exit_code == 3
    assert "error: not in sync after 0.3 s: pods" in result.stderr
    assert f"is a server at {address}?" in result.stderr


def test_refused_is_1_with_the_reason(run: Run, server: FakeServer) -> None:
    result = run("dump", "-s", server.address, "-t", "nothing")
    assert result.exit_code == 1
    assert "error: the server refuses: " in result.stderr
    assert "unknown_topic" in result.stderr
    server.refuse(RefusalCode.UNAUTHENTICATED, "who are you?")
    assert "hint: give --tls-cert" in run("dump", "-s", server.address, "-t", "pods").stderr


def test_wrong_usage_is_2(run: Run, server: FakeServer) -> None:
    for arguments, words in (
        ([], "nothing to subscribe to"),
        (["-t", "pods", "-s", "127.0.0.1:x"], "port 'x'"),
        (["-t", "pods", "-w", "nodes.a=b"], "which is not subscribed to"),
        (["-t", "pods", "--tls-key", "k"], "--tls-key without --tls-cert"),
        (["-t", "pods", "--tls-ca", "/nowhere"], "ca /nowhere"),
        (["-t", "pods", "--tls-ca", "/nowhere", "--insecure"], "--insecure contradicts"),
        (["-t", "pods", "--server-name", "typha"], "write cn:NAME, uri:NAME, dns:NAME"),
        (["-t", "pods", "--token-file", "/nowhere"], "--token-file /nowhere"),
    ):
        result = run("dump", *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert words in result.stderr


def test_tls_with_a_ca_of_its_own(run: Run, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FakeServer({"pods": PODS}, tls=context) as server:
        result = run("dump", "-s", server.address, "-t", "pods", "--tls-ca", str(tmp_path / "ca.crt"))
        assert (result.exit_code, len(result.stdout.splitlines())) == (0, len(PODS)), result.output


def test_beyond_loopback_it_is_tls_unless_said_otherwise() -> None:
    assert isinstance(tls_of(Target(["typha.example:5473"])), Tls)
    assert isinstance(tls_of(Target(["127.0.0.1:5473", "10.0.0.1:5473"])), Tls)
    assert tls_of(Target(["typha.example:5473"], insecure=True)) is None
    assert tls_of(Target(["127.0.0.1:5473", "localhost:1", "[::1]:1", "unix:/run/typha.sock"])) is None
    named = tls_of(Target(["127.0.0.1:5473"], server_names=["cn:typha"]))
    assert named is not None
    assert named.server_names == ["cn:typha"]


def test_a_closed_pipe_is_no_failure(server: FakeServer) -> None:
    server.add_topic("many", {f"default/many-{number:05d}": {"text": "x" * 200} for number in range(3000)})
    command = [sys.executable, "-m", "typha", "dump", "-s", server.address, "-t", "many"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
