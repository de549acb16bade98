"""The fake server and the pytest fixture, as an agent's author uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from typha_client import connect
from typha_client.connection import resolve
from typha_client.testing import FakeServer

ROOT = Path(__file__).parents[2]


def test_resource_versions_only_grow() -> None:
    with FakeServer({"pods": {"a": 1}}) as server:
        assert server.put("pods", "a", 2, rv=10) == 10
        with pytest.raises(ValueError, match="rv 10 is not above 10: resourceVersions only grow"):
            server.put("pods", "a", 3, rv=10)
        assert server.delete("pods", "a") == 11


async def test_an_unknown_feed_is_refused_by_name() -> None:
    with FakeServer() as server:
        async with connect(server.address, feed="inventory", node="n1") as client:
            with pytest.raises(Exception, match="unknown_topic: no feed 'inventory' here"):
                await client.wait_synced(10)


def test_two_servers_at_a_time_and_leaving_twice_is_clean() -> None:
    with FakeServer() as one, FakeServer() as two:
        assert one.port != two.port


async def test_resolve_gives_each_address_once() -> None:
    found = await resolve("localhost", 80)
    assert len(found) == len(set(found)) > 0
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]


def test_fixture_in_a_users_own_project(tmp_path: Path) -> None:
    (tmp_path / "test_agent.py").write_text(
        "import asyncio\n"
        "from typha_client import connect\n"
        "def test_it(typha_server):\n"
        "    typha_server.add_topic('pods', {'a': {'x': 1}})\n"
        "    async def agent():\n"
        "        async with connect(typha_server.address, topics=['pods'], node='n1') as client:\n"
        "            await client.wait_synced(10)\n"
        "            return client.get('pods', 'a')\n"
        "    assert asyncio.run(agent()) == {'x': 1}\n"
    )
    paths = os.pathsep.join((str(ROOT), str(ROOT / "client")))
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "pytest",
        "-q",
        "-p",
        "typha_client.pytest_plugin",
        "-p",
        "no:cacheprovider",
    ]
    environment = {**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
