"""All faults in a row while somebody goes on writing: what agents see at any moment is a state that was."""

import random
import threading
from asyncio import to_thread
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.house import House
from tests.e2e.objects import PODS, on_node, pods_topic, relabel

pytestmark = pytest.mark.e2e

NAMES = [f"p{number}" for number in range(40)]


class Writer:
    """Creates, labels and deletes pods at random (seeded) until it is stopped; `count` is what it has done."""

    def __init__(self, rest: AdminRest) -> None:
        self.count = 0
        self._rest = rest
        self._random = random.Random(7)
        self._living: set[str] = set()

    def write(self) -> None:
        name = self._random.choice(NAMES)
        if name not in self._living:
            node = f"n{self._random.randrange(3)}"
            containers = [{"name": "main", "image": "example.invalid/main"}]
            body = {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": containers}}
            self._rest.create(PODS, body, "a")
            self._living.add(name)
        elif self._random.random() < 0.4:
            self._rest.delete(PODS, name, "a")
            self._living.discard(name)
        else:
            relabel(self._rest, "a", name, count=str(self.count))
        self.count += 1

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writes in a thread, some 50 times a second. Raises what the thread raised."""
        stop = threading.Event()
        errors: list[Exception] = []

        def run() -> None:
            try:
                while not stop.wait(0.02):
                    self.write()
            except Exception as error:  # noqa: BLE001 - raised again in the test
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if errors:
            raise errors[0]


async def test_agents_end_equal_after_every_fault_under_writes(fresh_house: House) -> None:
    house, control_plane = fresh_house, fresh_house.control_plane
    # The writer has an API server of its own that nothing happens to.
    second = await to_thread(control_plane.add_apiserver)
    await to_thread(second.rest.create_namespace, "a")
    quick = {"upstream": {"probe_after_s": 1, "probe_timeout_s": 1, "replace_after_s": 2, "watch_timeout_s": [2, 4]}}
    # Few deletions are remembered: an agent that was away longer is reconciled, also in mid-stream.
    forgetful = quick | {"tombstones": 5}
    topics = {"pods": pods_topic()}
    servers = [await house.serve(topics, quick), await house.serve(topics, forgetful)]
    agents = [await house.agent(*servers) for _ in range(4)]
    agents += [await house.agent(*servers, node=f"node-{number}", **on_node(f"n{number}")) for number in range(3)]
    writer = Writer(second.rest)

    async def more(count: int) -> None:
        target = writer.count + count
        await house.wait(f"{target} writes are done", lambda: writer.count >= target)

    with writer.writing():
        await more(60)
        await to_thread(control_plane.freeze)
        await more(60)
        await to_thread(control_plane.thaw)
        await more(30)

        await to_thread(servers[0].kill)
        await more(60)
        await to_thread(servers[0].start)

        await to_thread(control_plane.kill_apiserver)
        await more(60)
        await to_thread(control_plane.compact_etcd)
        await more(30)
        await to_thread(control_plane.restart_apiserver)
        await more(30)

        servers[1].terminate()
        await more(30)
        assert await to_thread(servers[1].wait_exit) == 0
        await to_thread(servers[1].start)

        servers[0].terminate()
        await to_thread(control_plane.freeze)
        await more(30)
        await to_thread(control_plane.thaw)
        assert await to_thread(servers[0].wait_exit) == 0
        await to_thread(servers[0].start)
        await more(30)
    await house.wait_equal()
    lives = [(await to_thread(server.status))["upstream"]["lives_total"] for server in servers]
    assert lives == [0, 0]
