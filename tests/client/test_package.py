"""An agent installs typha with msgpack alone: what the package may load, proved in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BLOCKER = """
import sys
ALLOWED = set(sys.stdlib_module_names) | {"msgpack", "typha", "typha_client"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Blocker())
"""


def run(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))}
    # -S would hide msgpack too; -P keeps the working directory out.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_agent_needs_msgpack_alone() -> None:
    code = BLOCKER + (
        "import asyncio\n"
        "from typha_client import connect\n"
        "from typha_client.testing import FakeServer\n"
        "async def main():\n"
        "    with FakeServer({'pods': {'a': {'x': 1}}}) as server:\n"
        "        async with connect(server.address, topics=['pods'], node='n1') as client:\n"
        "            await client.wait_synced(10)\n"
        "            print(client.get('pods', 'a'))\n"
        "asyncio.run(main())\n"
    )
    assert run(code) == "{'x': 1}\n"


def test_import_loads_the_wire_and_nothing_else_of_ours() -> None:
    loaded = run("import sys, typha_client; print(*sorted(sys.modules))").split()
    ours = {name for name in loaded if name == "typha" or name.startswith("typha.")}
    alone = {"typha", "typha.version", "typha.file_stamps", "typha.wire"}
    assert ours <= alone | {name for name in ours if name.startswith("typha.wire.")}
    bare = set(run("import sys; print(*sys.modules)").split())
    foreign = {name.split(".")[0] for name in set(loaded) - bare} - set(sys.stdlib_module_names)
    # backports is zstd where it is installed; cython_runtime and _cython_* come with msgpack.
    allowed = {"typha", "typha_client", "msgpack", "backports", "cython_runtime"}
    assert {name for name in foreign if not name.startswith("_cython")} <= allowed
    assert not {"typha_client.testing", "typha_client.pytest_plugin"} & set(loaded)


def test_import_is_light() -> None:
    """Counted in modules, not in seconds: what asyncio itself loads, and a few dozen of ours."""
    base = set(run("import sys, asyncio, msgpack, logging, dataclasses, hashlib; print(*sys.modules)").split())
    more = set(run("import sys, typha_client; print(*sys.modules)").split()) - base
    others = {name for name in more if not name.startswith(("typha", "backports", "compression"))}
    assert len(others) <= 12, sorted(others)


def test_sans_io_modules_import_no_clock_socket_or_loop() -> None:
    package = ROOT / "client" / "typha_client"
    pure = ("session", "topic_stream", "replica", "endpoints", "coalescing", "health", "indexes", "changes", "events")
    for name in pure:
        text = (package / f"{name}.py").read_text(encoding="utf-8")
        for forbidden in ("asyncio", "socket", "ssl", "time", "random"):
            assert f"import {forbidden}\n" not in text, (name, forbidden)
            assert f"from {forbidden} import" not in text, (name, forbidden)


def test_public_names() -> None:
    import typha_client

    assert {"connect", "Client", "Change", "TopicState", "RefusedError", "__version__"} <= set(typha_client.__all__)
    assert all(hasattr(typha_client, name) for name in typha_client.__all__)


@pytest.mark.parametrize("path", sorted((ROOT / "client" / "typha_client").glob("*.py")), ids=lambda path: path.name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')
