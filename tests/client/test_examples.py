"""The examples run, each as its reader runs it, against the fake server."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme

from typha_client.testing import FakeServer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "client" / "examples"
WAIT_S = 20.0


@asynccontextmanager
async def example(name: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        str(EXAMPLES / name),
        *arguments,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip("\n")


def pod(node: str, phase: str) -> dict[str, dict[str, str]]:
    return {"spec": {"nodeName": node}, "status": {"phase": phase}}


async def test_pods_of_my_node(typha_server: FakeServer) -> None:
    pods = {"default/web": pod("n1", "Pending"), "default/db": pod("n2", "Running")}
    typha_server.add_topic("pods", pods, filters={"node": "spec.nodeName"})
    async with example("pods_of_my_node.py", typha_server.address, "n1") as process:
        assert {await line(process), await line(process)} == {"# pods are in_sync ", "+ default/web Pending"}
        typha_server.put("pods", "default/db", pod("n2", "Failed"))
        typha_server.put("pods", "default/web", pod("n1", "Running"))
        assert await line(process) == "~ default/web Running"
        typha_server.delete("pods", "default/web")
        assert await line(process) == "- default/web"


async def test_keep_a_file(typha_server: FakeServer, tmp_path: Path) -> None:
    typha_server.add_topic("routes", {"b": {"via": "10.0.0.1"}, "a": {"via": "10.0.0.2"}})
    target = tmp_path / "routes.json"
    async with example("keep_a_file.py", typha_server.address, "routes", str(target)) as process:
        assert await line(process) == "wrote 2 entries as of 2"
        assert json.loads(target.read_text()) == {"a": {"via": "10.0.0.2"}, "b": {"via": "10.0.0.1"}}
        typha_server.delete("routes", "b")
        typha_server.bookmark("routes")
        assert await line(process) == "wrote 1 entries as of 3"


async def test_wait_for_version(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with example("wait_for_version.py", typha_server.address, "pods", "1") as process:
        assert await line(process) == "pods holds everything up to 1: 1 entries"
        assert await process.wait() == 0
    async with example("wait_for_version.py", typha_server.address, "nodes", "1") as process:
        assert await line(process) == "the server refuses: unknown_topic: no topic 'nodes' here; there are: pods"
        assert await process.wait() == 1


async def test_over_tls(tmp_path: Path) -> None:
    ca = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server_context)
    ca.configure_trust(server_context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    client_cert = ca.issue_cert("agent")
    client_cert.private_key_pem.write_to_path(tmp_path / "client.key")
    client_cert.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    (tmp_path / "token").write_text("secret\n")
    files = [str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key", "token")]
    with FakeServer({"pods": {"a": 1}}, tls=server_context) as server:
        async with example("over_tls.py", server.address, "pods", *files) as process:
            assert await line(process) == "pods: 1 entries over TLS"
            assert await process.wait() == 0
        assert server.hellos[0].token == "secret"
