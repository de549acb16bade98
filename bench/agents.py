"""``python -m bench.agents PORT [HOST]``: the load, in a process of its own. See ``commands``.

    connect    {count, receive_buffer_bytes?, language?, feed?, topics?, hello?, buckets?, tls?}
                                                open and greet; more of them join those that are there. Languages:
                                                native (plain), native-zstd (what typha_client offers: zstd and
                                                dictionaries), calico, calico-snappy, nats, raw. ``hello`` (hex) and
                                                ``buckets``: say what an agent said that came back
    synced     {timeout_s}                      wait until every agent has its Bookmark
    record     {}                               from now on keep when each agent reached which position
    stop       {probes: [[rv, sent_ns]..]}      when each probe reached the first, the last and all agents
    arrivals   {}                               how long after the first agent each other one read the same position
    position   {rv, timeout_s}                  wait until every agent reads on at that position or above
    sleep/wake {agent}                          stop reading one socket, and go on
    drop       {}                               close all

One epoll loop over raw sockets (``reading``), so that it is not the client that is measured.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.agent_stream import AgentStream
from bench.calico_stream import CalicoStream, greeting
from bench.certificates import agent_context
from bench.commands import serve
from bench.peers.streams import NatsStream, RawStream
from bench.reading import BUFFER_BYTES, Reading, reading
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import HEADER, Frame
from typha.wire.messages import Hello
from typha.wire.states import ZSTD, ZSTD_DICT

# Opened between two looks at what came: agents of a storm have a machine each, and read before the last one is there.
_BURST: Final = 4
# Between two looks whether one that waits at the backlog is connected.
_OPENING_S: Final = 0.001
# Of latencies, in ascending order: enough for a p99.9.
_KEPT: Final = 10_000
_PEERS: Final[dict[str, Callable[[], RawStream]]] = {"raw": RawStream, "nats": NatsStream}

Stream = AgentStream | CalicoStream | RawStream


class Agent:
    """A socket and its stream."""

    __slots__ = ("socket", "stream", "synced_ns")

    def __init__(self, connected: socket.socket, stream: Stream) -> None:
        self.socket = connected
        self.stream = stream
        self.synced_ns = 0


def _speaker(
    number: int,
    language: str,
    feed: str,
    topics: Sequence[str],
    hello: Hello | None,
    native: Callable[[], AgentStream],
) -> tuple[bytes, Stream]:
    """What it says first, and what reads the answer."""
    if language in _PEERS:
        peer = _PEERS[language]()
        return peer.greeting, peer
    if not language.startswith("native"):
        return greeting(number, feed, is_snappy=language == "calico-snappy"), CalicoStream()
    name, asked = f"node-{number:04d}", () if feed else tuple(topics)
    compression = (ZSTD, ZSTD_DICT) if language == "native-zstd" else ()
    said = Hello(name, "bench/1", feed=feed or None, topics=asked, compression=compression)
    return encode_message(said if hello is None else replace(hello, node=name)), native()


def _hello(frame: bytes) -> Hello:
    decoded = decode_message(Frame(frame[HEADER.size - 1], frame[HEADER.size :]))
    if not isinstance(decoded, Hello):
        raise TypeError(f"not a Hello, but {type(decoded).__name__}")
    return decoded


class Load:
    """All agents of this process, whose sockets are read as ``read`` says."""

    def __init__(
        self, port: int, host: str = "127.0.0.1", *, read: Callable[[select.epoll], Reading] = reading
    ) -> None:
        self._address = (host, port)
        self._epoll = select.epoll()
        self._reading = read(self._epoll)
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._agents: list[Agent] = []
        self._by_handle: dict[int, Agent] = {}
        self._unsynced = 0
        self._connecting_ns = 0

    # --- commands

    def connect(
        self,
        count: int,
        receive_buffer_bytes: int = 0,
        language: str = "native",
        feed: str = "",
        topics: Sequence[str] = ("pods",),
        hello: str = "",
        buckets: list[int] | None = None,
        tls: str = "",
    ) -> dict[str, Any]:
        """See the module. Native agents subscribe to ``topics`` unless a feed is named; raw ones are only counted, and
        in sync from the start. ``tls``: the folder of ``certificates``.
        """
        replayed = _hello(bytes.fromhex(hello)) if hello else None
        context = agent_context(Path(tls)) if tls else None
        native = partial(AgentStream, buckets, self._reading.learn)
        self._connecting_ns = time.monotonic_ns()
        for number in range(count):
            opened = socket.socket()
            if receive_buffer_bytes:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            self._open(opened)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                opened = context.wrap_socket(opened)
            first, stream = _speaker(len(self._agents), language, feed, topics, replayed, native)
            opened.sendall(first)
            opened.setblocking(False)
            agent = Agent(opened, stream)
            self._unsynced += not stream.is_synced
            self._agents.append(agent)
            self._by_handle[opened.fileno()] = agent
            self._epoll.register(opened.fileno(), select.EPOLLIN)
            if type(stream) is RawStream:
                self._reading.count_bytes(opened.fileno())
            if number % _BURST == _BURST - 1:
                self.poll(0.0)  # who is connected reads while others come
        return {"agents": len(self._agents)}

    def _open(self, opened: socket.socket) -> None:
        """Connect. Where the backlog is full the kernel asks again after 1 s: meanwhile the others read."""
        opened.setblocking(False)
        code = opened.connect_ex(self._address)
        if code not in (0, errno.EINPROGRESS):
            raise ConnectionError(f"{self._address}: {os.strerror(code)}")
        progress = select.poll()
        progress.register(opened, select.POLLOUT)
        while not progress.poll(0):
            self.poll(_OPENING_S)
        code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise ConnectionError(f"{self._address}: {os.strerror(code)}")
        opened.setblocking(True)

    def synced(self, timeout_s: float) -> dict[str, Any]:
        """See the module; seconds are from ``connect``."""
        self._poll_until(lambda: self._unsynced == 0, timeout_s, lambda: f"{self._unsynced} agents are not in sync")
        times = sorted(agent.synced_ns - self._connecting_ns for agent in self._agents)
        self._settle()
        return {
            "first_s": times[0] / 1e9,
            "median_s": times[len(times) // 2] / 1e9,
            "all_s": times[-1] / 1e9,
            "bytes": sum(agent.stream.bytes for agent in self._agents),
            "most_bytes": max(agent.stream.bytes for agent in self._agents),
        }

    def record(self) -> dict[str, Any]:
        """See the module."""
        self._settle()
        self._reading.record(True)
        for agent in self._agents:
            del agent.stream.throughs[:], agent.stream.times_ns[:], agent.stream.ages_ms[:]
            agent.stream.changes = agent.stream.bytes = agent.stream.frames = 0
            agent.stream.is_recording = True
        return {"at_ns": time.monotonic_ns()}

    def stop(self, probes: list[list[int]]) -> dict[str, Any]:
        """See the module. Times are seconds from ``sent_ns``; a sleeping agent is left out."""
        self._settle()
        self._reading.record(False)
        reached: list[float] = []
        last: list[float] = []
        for rv, sent_ns in probes:
            of_probe = []
            for agent in self._by_handle.values():
                place = bisect_left(agent.stream.throughs, rv)
                if place < len(agent.stream.throughs):
                    of_probe.append((agent.stream.times_ns[place] - sent_ns) / 1e9)
            if len(of_probe) < len(self._by_handle):
                raise TimeoutError(f"probe {rv} has not reached {len(self._by_handle) - len(of_probe)} agents")
            last.append(max(of_probe))
            reached.extend(of_probe)
        streams = [agent.stream for agent in self._agents]
        for stream in streams:
            stream.is_recording = False
        reached.sort()
        return {
            "at_ns": time.monotonic_ns(),
            "reached_s": [round(value, 6) for value in reached[:: max(1, len(reached) // _KEPT)]],
            "last_s": last,
            "changes": sum(stream.changes for stream in streams),
            "changes_of_one": max(stream.changes for stream in streams),
            "bytes": sum(stream.bytes for stream in streams),
            "frames": sum(stream.frames for stream in streams),
        }

    def arrivals(self) -> dict[str, Any]:
        """See the module. Seconds, ascending; of positions that all have read since ``record``."""
        self._settle()
        times: dict[int, list[int]] = {}
        for agent in self._by_handle.values():
            for through, at_ns in zip(agent.stream.throughs, agent.stream.times_ns, strict=True):
                times.setdefault(through, []).append(at_ns)
        whole = [each for each in times.values() if len(each) == len(self._by_handle)]
        after = sorted((at_ns - min(each)) / 1e9 for each in whole for at_ns in each)
        ages_ms = sorted(age for agent in self._by_handle.values() for age in agent.stream.ages_ms)
        return {
            "after_s": [round(value, 6) for value in after[:: max(1, len(after) // _KEPT)]],
            "ages_ms": ages_ms[:: max(1, len(ages_ms) // _KEPT)],
            "positions": len(whole),
        }

    def position(self, rv: int, timeout_s: float) -> dict[str, Any]:
        """See the module."""
        started_ns, known = time.monotonic_ns(), self._reading.position

        def reached() -> bool:
            return all(max(agent.stream.position, known(handle)) >= rv for handle, agent in self._by_handle.items())

        self._poll_until(reached, timeout_s, lambda: f"not every agent reached {rv}")
        return {"after_s": (time.monotonic_ns() - started_ns) / 1e9}

    def sleep(self, agent: int) -> dict[str, Any]:
        """See the module."""
        self._settle()
        handle = self._agents[agent].socket.fileno()
        self._epoll.unregister(handle)
        del self._by_handle[handle]
        return {"position": self._agents[agent].stream.position}

    def wake(self, agent: int) -> dict[str, Any]:
        """See the module."""
        handle = self._agents[agent].socket.fileno()
        self._by_handle[handle] = self._agents[agent]
        self._epoll.register(handle, select.EPOLLIN)
        return {"position": self._agents[agent].stream.position}

    def drop(self) -> dict[str, Any]:
        """See the module."""
        self._settle()
        for agent in self._agents:
            self._reading.forget(agent.socket.fileno())
            agent.socket.close()
        count = len(self._agents)
        self._agents.clear()
        self._by_handle.clear()
        self._unsynced = 0
        return {"agents": count}

    # --- the loop

    def serve(self) -> None:
        """Until stdin ends."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        commands = (
            self.connect,
            self.synced,
            self.record,
            self.stop,
            self.arrivals,
            self.position,
            self.sleep,
            self.wake,
            self.drop,
        )
        serve(commands, self.poll)

    def poll(self, timeout_s: float) -> bool:
        """Read whatever there is; True where a command waits."""
        waiting = False
        for handle, data, at_ns in self._reading.ready(timeout_s):
            agent = self._by_handle.get(handle)
            if agent is None:
                waiting = handle == sys.stdin.fileno()
            elif data is not None:
                self._receive(agent, data, at_ns)
            else:
                self._read(agent)
        return waiting

    def _read(self, agent: Agent) -> None:
        try:
            size = agent.socket.recv_into(self._buffer)
        except ssl.SSLWantReadError:  # a part of a record
            return
        except OSError as error:
            raise ConnectionError(f"an agent's connection broke: {error}") from None
        self._receive(agent, self._buffer[:size], time.monotonic_ns())

    def _receive(self, agent: Agent, data: memoryview, now_ns: int) -> None:
        stream = agent.stream
        if not data:
            raise ConnectionError(f"the server closed an agent: {stream.refusal or 'without a word'}")
        was_synced = stream.is_synced
        stream.receive_data(data, now_ns)
        if stream.is_synced and not was_synced:
            agent.synced_ns = now_ns
            self._unsynced -= 1
        if stream.replies:
            agent.socket.sendall(b"".join(stream.replies))
            stream.replies.clear()
        if isinstance(stream, AgentStream) and not isinstance(agent.socket, ssl.SSLSocket):
            self._leave(agent.socket.fileno(), stream)

    def _leave(self, handle: int, stream: AgentStream) -> None:
        """What is known, or not looked at, need not come here."""
        if stream.has_part or (stream.is_synced and stream.left):
            self._reading.hand_over(handle)
        elif stream.is_synced:
            self._reading.count_frames(handle)
        elif self._reading.count_snapshot(handle, stream.left):
            stream.leave()

    def _settle(self) -> None:
        """Give each stream what was counted and recorded for it."""
        by_handle = {agent.socket.fileno(): agent.stream for agent in self._agents}
        for handle, stream in by_handle.items():
            counts = self._reading.take_counts(handle)
            stream.bytes += counts.bytes
            stream.frames += counts.frames
            stream.changes += counts.changes
            stream.position = max(stream.position, counts.position)
        mixed = {handle for handle, stream in by_handle.items() if stream.throughs}
        for handle, through, at_ns in self._reading.take_arrivals():
            by_handle[handle].throughs.append(through)
            by_handle[handle].times_ns.append(at_ns)
        for handle in mixed:  # an agent's own reads and those that were counted for it
            stream = by_handle[handle]
            pairs = sorted(zip(stream.times_ns, stream.throughs, strict=True))
            stream.times_ns = array("q", [at_ns for at_ns, _ in pairs])
            stream.throughs = array("Q", [through for _, through in pairs])

    def _poll_until(self, done: Callable[[], bool], timeout_s: float, why: Callable[[], str]) -> None:
        deadline_at = time.monotonic() + timeout_s
        while not done():
            self.poll(0.05)
            if time.monotonic() > deadline_at:
                raise TimeoutError(f"{why()} after {timeout_s:g} s")


if __name__ == "__main__":
    Load(int(sys.argv[1]), *sys.argv[2:3]).serve()
