"""Agents with a replica, that come back: the client's own session on a plain socket, with its bytes and frames counted.

Few of them: here it is counted what is sent, not how fast. What one says (``hello``, ``buckets``) can be said by any
number of raw readers (``bench.agents``): to those that hold the same, the server says the same.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from bench.processes import BenchError
from typha.wire.codec import decode_message
from typha.wire.frames import HEADER, Frame
from typha.wire.messages import KeyRequest
from typha_client import events as e
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription

_READ_BYTES: Final = 65536


class Held(NamedTuple):
    """``digest`` of what an agent held of a topic at ``cursor``. ``is_bookmark``: a Bookmark said so."""

    topic: str
    cursor: int
    digest: str
    is_bookmark: bool


class ReturningAgent:
    """Its replica outlives its connections.

    With ``verify`` it keeps ``digests``: what it held after each read that brought a commit or a Bookmark.
    """

    def __init__(
        self,
        number: int,
        *,
        topics: tuple[str, ...] = ("pods",),
        compression: tuple[str, ...] = (),
        verify: bool = False,
    ) -> None:
        self.replicas = Replicas(verify=verify)
        self.digests: list[Held] = []
        self.bytes = self.frames = self.changes = 0
        self.is_synced = False
        self.hello = b""
        self.buckets: list[int] | None = []
        self.socket: socket.socket | None = None
        self._number = number
        self._topics = topics
        self._compression = compression
        self._session: Session | None = None
        self._rest = b""

    def connect(self, port: int) -> socket.socket:
        """Greet with what is held; counters start at 0."""
        self.bytes = self.frames = self.changes = 0
        self.is_synced = False
        self._rest = b""
        subscription = Subscription(
            node=f"node-{self._number:04d}",
            feed=None,
            topics=self._topics,
            agent="bench/1",
            compression=self._compression,
        )
        self._session = Session(self.replicas, subscription, time.monotonic())
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.hello, self.buckets = self._session.data_to_send(), []
        self.socket.sendall(self.hello)
        return self.socket

    def read(self) -> None:
        """What there is. BenchError where the connection ended."""
        if self.socket is None or self._session is None:
            raise BenchError("the agent is not connected")
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise BenchError(f"the server closed agent {self._number}")
        self.bytes += len(data)
        self._count_frames(data)
        stood: dict[str, int] = {}
        for event in self._session.receive_data(data, time.monotonic()):
            if isinstance(event, e.Bookmarked):
                self.is_synced = True
                stood[event.topic] = event.cursor
            elif isinstance(event, e.Committed):
                stood.setdefault(event.topic, 0)
                self.changes += len(event.changes)
            elif isinstance(event, e.Closed | e.RefusedByServer):
                raise BenchError(f"agent {self._number}: {event}")
        for topic, bookmark in stood.items():
            replica = self.replicas.topics[topic]
            if replica.cursor is not None and replica.rolling_digest is not None:
                held = f"{replica.rolling_digest:016x}"
                self.digests.append(Held(topic, replica.cursor, held, is_bookmark=bookmark == replica.cursor))
        for reply in self._session.frames_to_send():
            self.socket.sendall(reply)
            said = decode_message(Frame(reply[HEADER.size - 1], reply[HEADER.size :]))
            if isinstance(said, KeyRequest):
                self.buckets = said.buckets

    def forget(self) -> None:
        """What is held: the next time it comes as a new one."""
        self.replicas = Replicas(verify=self.replicas.verify)

    def disconnect(self) -> None:
        """Only the socket."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def frames_received(self) -> Mapping[str, int]:
        """How many came of each kind."""
        return {} if self._session is None else self._session.frames_received

    def versions(self) -> dict[str, int]:
        """Key -> rv of the replica."""
        replica = self.replicas.topics["pods"]
        return {key: replica.rv(key) or 0 for key in replica.keys()}  # noqa: SIM118 - a replica is no dict

    def _count_frames(self, data: bytes) -> None:
        data = self._rest + data
        start = 0
        while len(data) - start >= HEADER.size:
            end = start + 4 + HEADER.unpack_from(data, start)[0]
            if end > len(data):
                break
            self.frames += 1
            start = end
        self._rest = data[start:]


def synchronise(agents: list[ReturningAgent], port: int, timeout_s: float) -> float:
    """Connect all and read until each has its Bookmark; the seconds that took."""
    began_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for agent in agents:
            selector.register(agent.connect(port), selectors.EVENT_READ, agent)
        while not all(agent.is_synced for agent in agents):
            for key, _ in selector.select(0.1):
                key.data.read()
            if time.monotonic() - began_at > timeout_s:
                raise BenchError(f"agents are not in sync after {timeout_s:g} s")
    return time.monotonic() - began_at
