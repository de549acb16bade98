"""Counts, positions and times of a load's agents are the same whether it reads in Python or in C."""

from __future__ import annotations

import random
import select
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from bench.agents import Load
from bench.reading import Counts, CReading, Reading
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.compression import Compressor
from typha.wire.entries import decode_entries
from typha.wire.frames import compress_frame

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="needs Linux")
IN_C = pytest.param(CReading, marks=pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"))
AGENTS = 3
# Frames are told apart by their position, also between tests.
_positions = count(1000)


def frame(changes: int = 2) -> bytes:
    """A round of so many changes at the next position."""
    through = next(_positions)
    puts = [m.Put(f"a/{number}", through, b"\xc4\x03abc") for number in range(changes)]
    return encode_message(m.Entries(0, through, puts, []))


def bookmark() -> bytes:
    return encode_message(m.Bookmark((m.BookmarkTopic(0, 1, 0),)))


def pods(number: int) -> list[m.Put]:
    """Of a slice, which compresses to some 4 KB."""
    noise = random.Random(number).randbytes(2000)
    return [m.Put(f"a/{place}", number, b"\xc5\x07\xd0" + noise) for place in range(20)]


class Served:
    """A load of AGENTS agents and the sockets of who serves them."""

    def __init__(self, read: Callable[[select.epoll], Reading], stack: ExitStack) -> None:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.load = Load(listener.getsockname()[1], read=read)
        self.load.connect(AGENTS)
        stack.callback(self.load.drop)
        self.sockets = [stack.enter_context(listener.accept()[0]) for _ in range(AGENTS)]
        self.sent = 0

    def send(self, data: bytes, cut: int | None = None) -> None:
        """To every agent, which read it piece by piece."""
        for start in range(0, len(data), cut or len(data)):
            piece = data[start : start + (cut or len(data))]
            self.sent += AGENTS * len(piece)
            for each in self.sockets:
                each.sendall(piece)
            self.read(self.sent)

    def read(self, size: int) -> None:
        """Until all agents have so many bytes."""
        while sum(agent.stream.bytes for agent in self.load._agents) < size:
            self.load.poll(1.0)
            self.load._settle()


@pytest.fixture(params=[Reading, IN_C])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with ExitStack() as stack:
        served = Served(request.param, stack)
        served.send(bookmark())
        served.load.synced(0.0)
        served.load.record()
        served.sent = 0
        yield served


@pytest.mark.parametrize("cut", [None, 7, 200])
def test_counts_are_of_all_frames_however_they_are_cut(served: Served, cut: int | None) -> None:
    rounds = [frame(), frame(3), frame()]
    served.send(b"".join(rounds), cut)
    found = served.load.stop([])
    assert found["frames"] == AGENTS * 3
    assert found["changes"] == AGENTS * 7
    assert found["changes_of_one"] == 7
    assert found["bytes"] == served.sent


def test_each_agent_has_a_time_of_each_round(served: Served) -> None:
    rounds = [frame(), frame(), frame(), frame()]
    served.send(rounds[0])
    served.send(rounds[1], 20)  # one that each agent decodes itself, between those that are counted
    served.send(rounds[2] + encode_message(m.Ping(7)))
    served.send(rounds[3])
    newest = next(_positions) - 1
    probes = [[newest - 3, 0], [newest, 0]]
    assert served.load.position(newest, 1.0)
    arrivals = served.load.arrivals()
    found = served.load.stop(probes)
    assert arrivals["positions"] == 4
    assert found["frames"] == AGENTS * 5
    assert found["last_s"] == sorted(found["last_s"])
    assert len(found["reached_s"]) == 2 * AGENTS
    assert all(each.recv(1 << 16).endswith(encode_message(m.Pong(7))) for each in served.sockets)


def test_bytes_without_frames_are_counted(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = Load(listener.getsockname()[1], read=type(served.load._reading))
        load.connect(1, language="raw")
        with listener.accept()[0] as raw:
            raw.sendall(bytes(1000))
            while load.stop([])["bytes"] < 1000:
                load.poll(1.0)
        with pytest.raises(ConnectionError, match="closed an agent"):
            load.poll(1.0)
        load.drop()


def test_a_frame_is_decoded_once_for_all(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> m.Entries:
        decoded.append(data)
        return decode_entries(data)

    monkeypatch.setattr("bench.agent_stream.decode_entries", decode)
    served.send(frame())
    assert len(decoded) == 1


@pytest.mark.parametrize("read", [IN_C])
def test_a_frame_that_is_known_is_not_handed_over(read: Callable[[select.epoll], Reading]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, select.epoll() as poller:
        reading, known, unknown = read(poller), frame(), frame(5)
        poller.register(ours, select.EPOLLIN)
        reading.count_frames(ours.fileno())
        reading.learn(known, 12, 2)
        reading.record(True)
        theirs.sendall(known + known)
        assert list(reading.ready(1.0)) == []
        theirs.sendall(known + unknown)
        handed = [(ready.handle, bytes(ready.data or b"")) for ready in reading.ready(1.0)]
        assert handed == [(ours.fileno(), known + unknown)]
        assert reading.position(ours.fileno()) == 12
        assert reading.take_counts(ours.fileno()) == Counts(2 * len(known), 2, 4, 12)
        assert [each[:2] for each in reading.take_arrivals()] == [(ours.fileno(), 12)] * 2
        assert list(reading.take_arrivals()) == []


@pytest.mark.parametrize("read", [IN_C])
def test_every_descriptor_that_a_process_may_open_can_be_read(
    read: Callable[[select.epoll], Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (100_001, 100_001))
    with select.epoll() as poller:
        reading = read(poller)
        reading.count_bytes(100_000)
        assert reading.take_counts(100_000) == Counts(0, 0, 0, 0)


@pytest.mark.parametrize("cut", [None, 3, 1000])
@pytest.mark.parametrize("read", [Reading, IN_C])
def test_compressed_frames_of_a_snapshot_are_counted_and_what_follows_is_read(
    read: Callable[[select.epoll], Reading], cut: int | None
) -> None:
    packer = Compressor()
    slices = [compress_frame(encode_message(m.Entries(0, None, pods(number), [])), packer) for number in range(9)]
    with ExitStack() as stack:
        served = Served(read, stack)
        served.send(b"".join(slices) + encode_message(m.Ping(1)) + slices[0] + frame() + bookmark(), cut)
        found = served.load.stop([])
    assert found["bytes"] == served.sent
    assert found["frames"] == AGENTS * (9 + 4)
    assert found["changes"] == AGENTS * 2
