"""The minimal client against a real server: all three modes, a restored etcd, and the golden vectors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.minimal.node_project import NodeClient, node, project
from typha.simulation.cluster import Cluster
from typha.simulation.serve import SimulationServer, serve_simulation
from typha.simulation.store import Store
from typha.wire.codec import decode_message
from typha.wire.frames import Frame

GOLDEN = Path(__file__).parents[1] / "wire" / "golden.json"
TOPICS = ("pods", "services")
CONFIG = """
topics:
  pods: {resource: v1/pods, fields: [metadata.labels, spec.nodeName, status.podIP, status.phase]}
  services: {resource: v1/services}
health: "off"
admin: "off"
timing: {ping_interval_s: 0.5, bookmark_interval_s: 0.2}
upstream: {backoff_min_s: 0.05, backoff_max_s: 0.2}
"""

pytestmark = pytest.mark.timeout(180)  # `npm ci` may have to fetch its package first


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("minimal"), Path(__file__).with_name("golden.mjs"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Bench:
    """A simulated API server with changes on demand, and `typha serve` processes before it."""

    def __init__(self, folder: Path, store: Store, cluster: Cluster, api: SimulationServer) -> None:
        self.store, self.cluster, self.api = store, cluster, api
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._markers = 0
        self._config = folder / "typha.yaml"
        self._config.write_text(CONFIG)
        self._log = folder / "serve.log"
        self._kubeconfig = api.kubeconfig(folder / "kubeconfig")

    @contextmanager
    def serve(self, address: str = "", **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A server on the one port (or another address); killed at the end of the block, as by a crash."""
        listen = {"KUBECONFIG": str(self._kubeconfig), "TYPHA_LISTEN": address or self.address}
        environment = os.environ | settings | listen
        command = [sys.executable, "-m", "typha", "serve", "--config", str(self._config)]
        with self._log.open("ab") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
            try:
                yield process
            finally:
                process.kill()

    def change(self, count: int) -> None:
        """So many changes of a living cluster, and a marker at the end of each topic."""
        for _ in range(count):
            self.cluster.step()
        self.mark()

    def mark(self) -> None:
        """An object whose arrival shows that all before it has arrived."""
        self._markers += 1
        for topic in TOPICS:
            self.store.create(topic, {"metadata": {"name": f"marker-{self._markers}", "namespace": "default"}})

    async def equal(self, client: NodeClient) -> None:
        """The client's copies add up to what `typha dump` prints, and nothing was handed over twice."""
        for topic in TOPICS:
            marker = self.store.get(topic, f"default/marker-{self._markers}")
            await asyncio.to_thread(client.wait_cursor, topic, marker.rv)
        assert client.copies == await asyncio.to_thread(self._dump), self._log.read_text()
        assert client.broken == []

    def _dump(self) -> dict[str, dict[str, tuple[int, Any]]]:
        command = [sys.executable, "-m", "typha", "dump", "--server", self.address]
        command += [word for topic in TOPICS for word in ("--topic", topic)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{done.stderr}\nserver:\n{self._log.read_text()}"
        dumped: dict[str, dict[str, tuple[int, Any]]] = {topic: {} for topic in TOPICS}
        for line in map(json.loads, done.stdout.splitlines()):
            dumped[line["topic"]][line["key"]] = (line["rv"], line["value"])
        return dumped


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    store = Store(seed=7)
    cluster = Cluster(store, seed=7, nodes=3, pods=120)
    cluster.populate()
    async with serve_simulation(store, cluster) as api:
        yield Bench(folder, store, cluster, api)


async def test_copies_equal_dump_through_all_modes(folder: Path, tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        with NodeClient(folder, b.address, *TOPICS) as client:
            with b.serve():
                b.mark()
                await b.equal(client)
                assert client.modes("pods") == ["snapshot"]
                b.change(300)
                await b.equal(client)
            b.change(300)  # pods come, change and go while no server is there
            other = f"127.0.0.1:{free_port()}"
            aged = {"TYPHA_TIMING_MAX_AGE_S": "1", "TYPHA_ADVERTISE": other, "TYPHA_REPLICAS_INTERVAL_S": "0.2"}
            with b.serve(other), b.serve(**aged):
                await b.equal(client)
                # The new process knows no deletions: keys have to be compared. Then it asks everybody to move.
                assert client.modes("pods")[:2] == ["snapshot", "reconcile"]
                moves = len(client.modes("pods"))
                await asyncio.to_thread(client.wait, "a move", lambda: len(client.modes("pods")) > moves)
                b.change(100)
                await b.equal(client)
                assert client.modes("pods")[2] == "resume"
        assert any(line["op"] == "go_away" and line["reason"] == "max_age" for line in client.lines)


async def test_a_restored_cluster_is_a_reset_and_one_diff(folder: Path, tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        with b.serve() as server, NodeClient(folder, b.address, *TOPICS) as client:
            b.mark()
            await b.equal(client)
            past = b.store.snapshot()
            b.change(200)
            await b.equal(client)
            b.api.faults.rollback(past)
            await asyncio.to_thread(
                client.wait, "a reset", lambda: {x["topic"] for x in client.lines if x["op"] == "reset"} == set(TOPICS)
            )
            b.mark()
            await b.equal(client)
            assert client.modes("pods") == ["snapshot"]  # told in mid-session: no second Welcome
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(client.wait, "the drain", lambda: any(x["op"] == "go_away" for x in client.lines))
            assert await asyncio.to_thread(server.wait, 30) == 0


def plain(value: Any) -> Any:
    """As golden.mjs prints it: whole numbers as decimal strings, binary as hex."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return str(int(value)) if value == int(value) else value
        case bytes():
            return value.hex()
        case list():
            return [plain(item) for item in value]
        case _:
            return {key: plain(item) for key, item in value.items()}


def test_golden_vectors_decode_in_node(folder: Path) -> None:
    done = subprocess.run(
        [node(), "golden.mjs", str(GOLDEN)], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    )
    answers = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    vectors = json.loads(GOLDEN.read_text())
    assert answers.keys() == {vector["name"] for vector in vectors}
    for vector in vectors:
        frame, answer = bytes.fromhex(vector["frame"]), answers[vector["name"]]
        assert answer["left"] == 0 or "error" in answer, vector["name"]
        if frame[4] & 0x80:
            assert "was not offered" in answer["error"], vector["name"]
        elif vector["message"] is None:
            assert "type" not in answer, vector["name"]
        else:
            payload = msgpack.unpackb(frame[5:])
            assert (answer["type"], answer["payload"]) == (vector["type"], plain(payload)), vector["name"]
            # What Node encodes, this side reads as the same message.
            ours = bytes.fromhex(answer["frame"])
            assert decode_message(Frame(ours[4], ours[5:])) is not None
            assert int.from_bytes(ours[:4], "big") == len(ours) - 4
            assert plain(msgpack.unpackb(ours[5:])) == plain(payload), vector["name"]
