"""An agent that stops reading costs the server a socket buffer, and has the newest state as soon as it reads again."""

import selectors
import socket
import time
from asyncio import to_thread
from contextlib import closing

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.house import House, in_parallel
from tests.e2e.objects import CONFIG_MAPS, create_config_map
from tests.e2e.truth import Contents, contents_of, difference
from tests.e2e.typha_process import TyphaProcess
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription

pytestmark = pytest.mark.e2e

# 1,200 changes of 16 KB each: 19 MB pass by, of which the topic holds 0.6 MB.
OBJECTS, ROUNDS, VALUE_BYTES = 40, 30, 16_384
CHANGED_BYTES = OBJECTS * ROUNDS * VALUE_BYTES
# The kernel's buffers at both ends; everything else would be the server's own memory.
KERNEL_BYTES = 8 * 1024 * 1024
GROWTH_BYTES = 8 * 1024 * 1024
READ_TIMEOUT_S = 30.0


class Sleeper:
    """A subscriber on a plain socket: it says Hello and reads when it is told to."""

    def __init__(self, server: TyphaProcess) -> None:
        self.replicas = Replicas(wheres={}, verify=True)
        self._socket = socket.socket()
        # Small, so that the server's side fills up soon.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._socket.connect(("127.0.0.1", server.port))
        subscription = Subscription(node="sleeper", topics=("maps",), compression=())
        self._session = Session(self.replicas, subscription, time.monotonic())
        self._socket.sendall(self._session.data_to_send())

    def close(self) -> None:
        self._socket.close()

    def read_until_equal(self, expected: Contents) -> int:
        """Reads until its copy is this; the bytes that took. Raises AssertionError in the end."""
        received = 0
        deadline = time.monotonic() + READ_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while wrong := difference(self.contents(), expected):
                assert time.monotonic() < deadline, wrong
                assert not self._session.is_closed, self._session.error
                if selector.select(0.1):
                    data = self._socket.recv(1 << 20)
                    received += len(data)
                    self._session.receive_data(data, time.monotonic())
                    self._socket.sendall(self._session.data_to_send())
        return received

    def contents(self) -> Contents:
        replica = self.replicas.topics.get("maps")
        return {} if replica is None else {key: value for key, _, value in replica.items()}


def rewrite(rest: AdminRest, namespace: str, mark: str) -> None:
    def one(number: int) -> None:
        for round_ in range(ROUNDS):
            text = f"{mark}{round_:07}" * (VALUE_BYTES // 8)
            rest.patch(CONFIG_MAPS, f"c{number}", {"data": {"text": text}}, namespace)

    in_parallel(one, range(OBJECTS))


async def test_agent_that_stops_reading_costs_a_buffer_and_catches_up(house: House, namespace: str) -> None:
    rest = house.rest
    for number in range(OBJECTS):
        await to_thread(create_config_map, rest, namespace, f"c{number}", text="-" * VALUE_BYTES)
    topic = {"maps": {"resource": CONFIG_MAPS, "namespace": namespace, "fields": ["data"]}}
    server = await house.serve(topic)
    awake = await house.agent(server)
    await house.wait_equal()
    # Once through without the sleeper, so that what the changes themselves cost is not counted.
    await to_thread(rewrite, rest, namespace, "a")
    await house.wait_equal()

    with closing(Sleeper(server)) as sleeper:
        await house.wait_page("the sleeper is welcomed", lambda: server.subscriber("sleeper") is not None)
        rss_bytes = server.rss_bytes
        changed = server.topic("maps")["puts_total"]
        await to_thread(rewrite, rest, namespace, "b")
        # The others are not held up.
        await house.wait_equal(awake)
        assert server.topic("maps")["puts_total"] - changed >= OBJECTS * ROUNDS
        behind = server.subscriber("sleeper")
        assert behind is not None
        assert not behind["caught_up"]
        assert behind["bytes_sent"] < KERNEL_BYTES < CHANGED_BYTES
        assert server.rss_bytes - rss_bytes < GROWTH_BYTES

        listed = await to_thread(house.control_plane.list_json, CONFIG_MAPS, namespace)
        received = await to_thread(sleeper.read_until_equal, contents_of(listed, ["data"]))
        # Newest versions only: never all that passed by.
        assert received < KERNEL_BYTES
        caught_up = "it is caught up"
        await house.wait_page(caught_up, lambda: bool((server.subscriber("sleeper") or {}).get("caught_up")))
