"""One agent of ours, in this process: changes a second from the socket to its handler, and a join from connect to sync.

The rate: frames as a server makes them of workload endpoints, over a socket to a client with a handler; the CPU is that
of the process, writing the bytes included (some 20 us for 64 KiB). The join: against `typha serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import socket
import statistics
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgpack

from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import Server, Simulation
from bench.report import Result, say
from typha.feeds.calico import calico_feeds
from typha.simulation.calico.resources import CALICO
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.store import Store
from typha.upstream.resources import Resource
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.compression import Compressor
from typha.wire.entries import encode_entries, encode_put
from typha.wire.frames import compress_frame
from typha.wire.states import Mode, TopicState
from typha_client import Change, connect
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription

QUESTION: Final = "how many changes a second does an agent take, and how long does its join of 10,000 pods last?"
CHANGES_PER_S: Final = 50_000.0
JOIN_S: Final = 0.5
_TOPIC: Final = "workloadendpoints"
_JOIN_TOPIC: Final = "pods"
# What a round of 20 ms carries at 500 and at 5,000 changes a second.
_PER_FRAME: Final = (10, 100)
_READ_BYTES: Final = 65536
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --changes --joins."""
    parser.add_argument("--pods", type=int, default=10_000, help="default 10,000")
    parser.add_argument("--changes", type=int, help="of each kind of stream (default 200,000; quick 20,000)")
    parser.add_argument("--joins", type=int, help="after one that makes the server build its snapshot (default 5)")


def run(options: argparse.Namespace) -> Result:
    """Plain and zstd, few and many changes a frame; then joins, one after the other."""
    changes = options.changes or (20_000 if options.quick else 200_000)
    joins = options.joins or (1 if options.quick else 5)
    result = Result("client", {"pods": options.pods, "changes": changes, "joins": joins})
    versions = _endpoints(options.pods)
    size = statistics.fmean(len(value) for _, values in versions for value in values)
    result.add(f"{_TOPIC}: value", size, "B")
    for per_frame, zstd in itertools.product(_PER_FRAME, (False, True)):
        name = f"{'zstd' if zstd else 'plain'}, {per_frame} a frame"
        say(f"client: {name}")
        stream = _Stream(versions, changes, per_frame, zstd=zstd)
        to_handler = asyncio.run(_to_the_handler(stream))
        result.add(f"{name}: each", stream.live_bytes / changes, "B")
        result.add(f"{name}: changes to a handler per CPU-second", to_handler, "1/s", at_least=CHANGES_PER_S)
        result.add(f"{name}: changes committed per CPU-second, no loop", _committed(stream), "1/s")
    _add_joins(result, options.pods, joins)
    return result


# --- the rate


def _endpoints(pods: int) -> list[tuple[str, tuple[bytes, bytes]]]:
    """Key and two values, told apart by a label, of every workload endpoint of a simulated cluster."""
    store = Store(resources=(*BUILT_IN, *CALICO))
    Cluster(store, nodes=100, pods=pods, calico=True).populate()
    spec = calico_feeds().topics[_TOPIC]
    table = store.table("v1/pods")
    converter = spec.make_converter(Resource("", "v1", "pods", "Pod", namespaced=True))
    found = []
    for name, row in table.objects.items():
        for entry in converter.convert(name, table.prefix + row.tail):
            if entry.value:
                value = msgpack.unpackb(entry.value)
                labels = [value["labels"] | {"topology.kubernetes.io/zone": zone} for zone in ("zone-a", "zone-b")]
                first, second = (msgpack.packb(value | {"labels": each}) for each in labels)
                found.append((entry.key, (first, second)))
    # Neighbours in a frame are not neighbours in a namespace: it decides what zstd makes of them.
    random.Random(1).shuffle(found)
    return found


class _Stream:
    """What a server sends: first the greeting with everything, then ``live``: each change alters a value."""

    def __init__(
        self, versions: list[tuple[str, tuple[bytes, bytes]]], changes: int, per_frame: int, *, zstd: bool
    ) -> None:
        self.changes = changes
        self.zstd = zstd
        self.first_rv = len(versions)
        self.last_rv = self.first_rv + changes
        topic = m.WelcomeTopic(_TOPIC, 0, Mode.SNAPSHOT, "bench")
        compression = "zstd" if zstd else None
        welcome = m.Welcome(
            server="bench", session="1", cluster="bench/", topics=(topic,), compression=compression, ping_interval_s=30
        )
        self.greeting = b"".join(
            (
                encode_message(welcome),
                encode_message(m.Status((m.TopicStatus(0, TopicState.IN_SYNC, 0, ""),))),
                encode_entries(0, None, [encode_put(key, rv, old) for rv, (key, (old, _)) in enumerate(versions, 1)]),
                encode_message(m.Bookmark((m.BookmarkTopic(0, self.first_rv, 0),))),
            )
        )
        self.live = list(self._frames(versions, per_frame))
        self.live_bytes = sum(len(frame) for frame, _ in self.live)

    def _frames(self, versions: list[tuple[str, tuple[bytes, bytes]]], per_frame: int) -> Iterator[tuple[bytes, int]]:
        count, compressor = len(versions), Compressor()
        for start in range(0, self.changes, per_frame):
            numbers = range(start, min(start + per_frame, self.changes))
            puts = [
                encode_put(versions[n % count][0], self.first_rv + n + 1, versions[n % count][1][(n // count + 1) % 2])
                for n in numbers
            ]
            frame = encode_entries(0, self.first_rv + numbers[-1] + 1, puts)
            yield compress_frame(frame, compressor) if self.zstd else frame, len(numbers)

    def reads(self) -> Iterator[tuple[bytes, int]]:
        """The live frames in pieces of about one read, each with the rv of its last change."""
        piece, size, rv = [], 0, self.first_rv
        for frame, count in self.live:
            piece.append(frame)
            size += len(frame)
            rv += count
            if size >= _READ_BYTES or rv == self.last_rv:
                yield b"".join(piece), rv
                piece, size = [], 0


async def _to_the_handler(stream: _Stream) -> float:
    """Changes a CPU-second, over a socket. The next read is sent when the handler had all of the last: no merging."""
    loop = asyncio.get_running_loop()
    handed_over, awaited_rv, done = 0, 0, asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with connect(address, node="bench", topics=[_TOPIC], compression=stream.zstd) as client:
            server, _ = await loop.sock_accept(listener)
            with server:
                await loop.sock_sendall(server, stream.greeting)
                await client.wait_synced(_TIMEOUT_S)

                @client.on_update(_TOPIC)
                def take(change: Change) -> None:
                    nonlocal handed_over
                    handed_over += bool(change.key)
                    if change.rv == awaited_rv:
                        done.set()

                cpu_before_s = time.process_time()
                for piece, last_rv in stream.reads():
                    awaited_rv = last_rv
                    await loop.sock_sendall(server, piece)
                    await asyncio.wait_for(done.wait(), _TIMEOUT_S)
                    done.clear()
                cpu_s = time.process_time() - cpu_before_s
    if handed_over != stream.changes:
        raise RuntimeError(f"{handed_over} of {stream.changes} changes were handed over")
    return stream.changes / cpu_s


def _committed(stream: _Stream) -> float:
    """Changes a CPU-second of the protocol and the copy alone: no loop, no socket, no handler."""
    session = Session(Replicas(), Subscription("bench", topics=(_TOPIC,)), 0.0)
    session.receive_data(stream.greeting, 0.0)
    cpu_before_s = time.process_time()
    for piece, _ in stream.reads():
        session.receive_data(piece, 0.0)
    cpu_s = time.process_time() - cpu_before_s
    if session.replicas.topics[_TOPIC].cursor != stream.last_rv:
        raise RuntimeError(f"the session ended: {session.error}")
    return stream.changes / cpu_s


# --- the join


class _Join(NamedTuple):
    synced_s: float
    cpu_s: float
    handled_cpu_s: float


def _add_joins(result: Result, pods: int, joins: int) -> None:
    with Simulation(pods=pods) as simulation, Server(simulation) as server:
        server.start()
        server.wait_ready()
        lag = LoopLag(server)
        say(f"client: {joins + 1} joins of {pods} pods")
        first, *others = (asyncio.run(_join(server.port, pods)) for _ in range(joins + 1))
        add_loop_lag(result, [lag.end()], "joins")
    result.add("first join: connect to synced", first.synced_s, "s", at_most=JOIN_S)
    result.add("join: connect to synced", statistics.median(join.synced_s for join in others), "s", at_most=JOIN_S)
    result.add("join: CPU until synced", statistics.median(join.cpu_s for join in others), "s", at_most=JOIN_S)
    result.add("join: CPU until its handler had all", statistics.median(join.handled_cpu_s for join in others), "s")


async def _join(port: int, pods: int) -> _Join:
    handed_over = 0
    done = asyncio.Event()
    began_at, cpu_began_s = time.monotonic(), time.process_time()
    async with connect(f"127.0.0.1:{port}", node="bench", topics=[_JOIN_TOPIC]) as client:

        @client.on_add(_JOIN_TOPIC)
        def take(change: Change) -> None:
            nonlocal handed_over
            handed_over += bool(change.key)
            if handed_over == pods:
                done.set()

        await client.wait_synced(_TIMEOUT_S)
        synced_s, cpu_s = time.monotonic() - began_at, time.process_time() - cpu_began_s
        async with asyncio.timeout(_TIMEOUT_S):
            await done.wait()
        return _Join(synced_s, cpu_s, time.process_time() - cpu_began_s)
