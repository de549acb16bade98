"""Bytes of a change on the wire and the CPU that they cost, plain, with zstd and with a trained dictionary."""

from __future__ import annotations

import argparse
import asyncio
import random
import selectors
import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import BenchError, Server, Simulation
from bench.report import Result, say
from bench.returning_agents import ReturningAgent, synchronise
from typha.cache.log import Entry
from typha.cache.topic import Topic, in_items
from typha.downstream.training import Trained, Training, samples_of
from typha.feeds.calico import calico_feeds
from typha.simulation.calico.resources import CALICO
from typha.simulation.cluster import Cluster
from typha.simulation.discovery import BUILT_IN
from typha.simulation.store import Store
from typha.upstream.resources import Resource
from typha.wire.compression import Compressor
from typha.wire.entries import encode_entries, encode_put
from typha.wire.frames import compress_frame
from typha.wire.states import ZSTD, ZSTD_DICT

QUESTION: Final = "how many bytes is a change of a workload endpoint, plain, with zstd, with a dictionary?"
BYTES_PER_CHANGE: Final = 130.0
LOOP_LAG_MS: Final = 20.0
_TOPIC: Final = "workloadendpoints"
_PER_FRAME: Final = (1, 2, 5, 10, 20, 50, 100)
_FRAMES: Final = 300
# Of the pods; the others are in the topic, and so what is trained on.
_CHANGED: Final = 1 / 5
_LARGE_TOPIC: Final = 100_000
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--pods --rate --seconds."""
    parser.add_argument("--pods", type=int, help="default 5,000; quick 1,000")
    parser.add_argument("--rate", type=float, default=40.0, help="changes a second of the live part (default 40)")
    parser.add_argument("--seconds", type=float, help="of the live part (default 20; quick 5)")


def run(options: argparse.Namespace) -> Result:
    """In this process: what is trained, and each number of changes a frame. Then agents of a server."""
    pods = options.pods or (1_000 if options.quick else 5_000)
    seconds = options.seconds or (5.0 if options.quick else 20.0)
    result = Result("deltas", {"pods": pods, "rate": options.rate, "seconds": seconds})
    entries = _entries(pods)
    changed = entries[: int(pods * _CHANGED)]
    say(f"deltas: a dictionary of {len(entries) - len(changed)} endpoints")
    found = _add_training(result, entries[len(changed) :])
    _add_frames(result, changed, found)
    _add_live(result, pods, options.rate, seconds)
    return result


def _entries(pods: int) -> list[Entry]:
    store = Store(resources=(*BUILT_IN, *CALICO))
    Cluster(store, nodes=100, pods=pods, calico=True).populate()
    spec = calico_feeds().topics[_TOPIC]
    name = spec.source.resource
    (served,) = (each for each in store.resources() if (each.group, each.plural) == (name.group, name.plural))
    converter = spec.make_converter(
        Resource(served.group, served.version, served.plural, served.kind, served.namespaced)
    )
    table = store.table(served.name)
    items = [item for key, row in table.objects.items() for item in converter.convert(key, table.prefix + row.tail)]
    random.Random(0).shuffle(items)
    return [
        Entry(rv, key, bytes(value), attributes) for rv, (key, value, attributes) in enumerate(items, 10**6) if value
    ]


def _add_training(result: Result, entries: list[Entry]) -> Trained:
    topic = Topic(_TOPIC, 3, form="f", keys_of=in_items)
    topic.load([Entry(rv, f"{rv}/{one.key}", one.value, ()) for rv, one in enumerate(_repeated(entries), 1)])
    began_at = time.perf_counter()
    samples_of(topic.log)
    result.add(
        f"training: samples of {_LARGE_TOPIC:,} entries, on the loop", 1e3 * (time.perf_counter() - began_at), "ms"
    )
    topic.load(entries)
    training = Training(topic.id, samples_of(topic.log), None, 1)
    began_at = time.process_time()
    training.run()
    result.add("training: CPU", 1e3 * (time.process_time() - began_at), "ms")
    found, lag_s = asyncio.run(_train_beside_a_loop(training))
    result.add("training on a thread: longest pause of the loop", 1e3 * lag_s, "ms", at_most=LOOP_LAG_MS)
    if found.dictionary is None:
        raise BenchError("no dictionary came of it")
    result.add("dictionary", len(found.dictionary.content), "B")
    return found


def _repeated(entries: list[Entry]) -> list[Entry]:
    return (entries * (_LARGE_TOPIC // len(entries) + 1))[:_LARGE_TOPIC]


async def _train_beside_a_loop(training: Training) -> tuple[Trained, float]:
    task = asyncio.create_task(asyncio.to_thread(training.run))
    worst_s, last_at = 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst_s, last_at = max(worst_s, now - last_at), now
    return await task, worst_s


def _add_frames(result: Result, changed: list[Entry], found: Trained) -> None:
    chosen = random.Random(1)
    with_zstd, with_dictionary = Compressor(), Compressor(found.dictionary)
    ways: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("plain", lambda frame: frame),
        ("zstd", lambda frame: compress_frame(frame, with_zstd)),
        ("dictionary", lambda frame: compress_frame(frame, with_dictionary)),
    )
    for count in _PER_FRAME:
        frames = [_frame(chosen.sample(changed, count)) for _ in range(_FRAMES)]
        for name, pack in ways:
            began_at = time.process_time()
            packed = [pack(frame) for frame in frames]
            cpu_s = time.process_time() - began_at
            is_goal = name == "dictionary" and count == 1
            size = fmean(map(len, packed)) / count
            result.add(f"{count} a frame, {name}: a change", size, "B", at_most=BYTES_PER_CHANGE if is_goal else None)
            if name != "plain":
                result.add(f"{count} a frame, {name}: CPU of a frame", 1e6 * cpu_s / _FRAMES, "us")


def _frame(entries: Sequence[Entry]) -> bytes:
    return encode_entries(3, entries[-1].rv, [encode_put(one.key, one.rv, one.value) for one in entries])


def _add_live(result: Result, pods: int, rate: float, seconds: float) -> None:
    """One agent of each kind on the same server, from when the dictionary came: all bytes, pings and bookmarks too."""
    kinds = {"plain": (), "zstd": (ZSTD,), "dictionary": (ZSTD, ZSTD_DICT)}
    agents = {
        name: ReturningAgent(number, topics=(_TOPIC,), compression=offered)
        for number, (name, offered) in enumerate(kinds.items())
    }
    with (
        Simulation(pods=pods, churn=rate, calico=True) as simulation,
        Server(simulation, built_in_feeds=["felix"]) as server,
    ):
        server.start()
        server.wait_ready()
        say(f"deltas: {rate:g} changes a second to one agent of each kind")
        lag = LoopLag(server)
        synchronise(list(agents.values()), server.port, _TIMEOUT_S)
        began_at = time.monotonic()
        taker = agents["dictionary"]
        _read(agents, _TIMEOUT_S, lambda: "Dictionary" in taker.frames_received())
        if "Dictionary" not in taker.frames_received():
            raise BenchError(f"no dictionary within {_TIMEOUT_S:g} s")
        result.add("live: the dictionary came after", time.monotonic() - began_at, "s")
        before = {name: (agent.bytes, agent.changes, agent.frames) for name, agent in agents.items()}
        _read(agents, seconds, lambda: False)
        for name, agent in agents.items():
            sent, changes, frames = (
                now - then for now, then in zip((agent.bytes, agent.changes, agent.frames), before[name], strict=True)
            )
            if name == "dictionary":
                result.add("live: changes a frame", changes / frames, "")
            goal = BYTES_PER_CHANGE if name == "dictionary" else None
            result.add(f"live, {name}: bytes received for a change", sent / changes, "B", at_most=goal)
        add_loop_lag(result, [lag.end()], "live")
        for agent in agents.values():
            agent.disconnect()


def _read(agents: dict[str, ReturningAgent], seconds: float, is_done: Callable[[], bool]) -> None:
    stop_at = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for agent in agents.values():
            if agent.socket is not None:
                selector.register(agent.socket, selectors.EVENT_READ, agent)
        while time.monotonic() < stop_at and not is_done():
            for key, _ in selector.select(0.1):
                key.data.read()
