"""``python -m bench.publisher LOOP``: the write path alone, in a process of its own: the real server, no upstream.

One topic ``pods`` of synthetic values, changed at a given pace by a task. Prints {"port", "loop"}, then answers each
line {"deltas", "interval_s", "seconds", "frame_bytes"} on stdin with what that stretch cost. ``frame_bytes`` is one
delta's frame, header and key included: values are cut to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from typha.cache.catalog import Catalog
from typha.cache.topic import Topic
from typha.downstream.server import Server
from typha.downstream.settings import DownstreamSettings
from typha.wire.codec import encode_message
from typha.wire.messages import Entries, Put

# More than any round changes, and few enough that a thousand joiners cost no more than a moment.
_KEYS: Final = 100
_HEADER: Final = b"\xc5"  # msgpack: bytes of up to 64 KiB
_NUMBER_BYTES: Final = 8


class Publisher:
    """A server with one topic. The pause between rounds is the server's own."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._topic = Topic("pods", 0, form="bench/1", now=now)
        catalog = Catalog([self._topic], salt=bytes(8))
        catalog.set_cluster("bench/0", now)
        loading = self._topic.begin_list()
        self._rv = _KEYS
        for number in range(_KEYS):
            loading.put(_key(number), number + 1, [(_key(number), _value(number, 16), ())])
        loading.commit(self._rv, now)
        settings = DownstreamSettings(max_age_s=0)
        self.server = Server(catalog, {}, settings, probe=self._probe, on_restored=lambda why: None)

    async def _probe(self, topic: str) -> int:
        return self._rv

    async def publish(self, deltas: int, interval_s: float, seconds: float, frame_bytes: int) -> dict[str, Any]:
        """Change so many keys at a time; CPU (s) is of the whole process."""
        size = frame_bytes - len(encode_message(Entries(0, 1, [Put(_key(0), 1, _value(0, 0))], [])))
        counters, cpu_s, began_at = self.server.fan_out.counters, time.process_time(), time.monotonic()
        traffic = self.server.counters.traffic
        before = counters.shared_sends, counters.own_sends, counters.rounds, traffic.bytes_sent
        steps = round(seconds / interval_s)
        for step in range(steps):
            now = time.monotonic()
            for _ in range(deltas):
                self._rv += 1
                key = _key(self._rv)
                self._topic.put(key, self._rv, [(key, _value(self._rv, size), ())], now)
            await asyncio.sleep(max(0.0, began_at + (step + 1) * interval_s - time.monotonic()))
        return {
            "cpu_s": time.process_time() - cpu_s,
            "seconds": time.monotonic() - began_at,
            "sends": counters.shared_sends - before[0],
            "own_sends": counters.own_sends - before[1],
            "rounds": counters.rounds - before[2],
            "bytes": traffic.bytes_sent - before[3],
            "demotions": counters.demotions,
        }

    async def serve(self) -> None:
        """Commands from stdin until its end."""
        port = await self.server.start("127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        _say(port=port, loop=type(loop).__module__.partition(".")[0])
        serving = asyncio.create_task(self.server.run())
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            _say(**await self.publish(**json.loads(line)))
        serving.cancel()


def _key(number: int) -> str:
    return f"team-{number % _KEYS:03d}/pod"


def _value(number: int, size: int) -> bytes:
    """Msgpack of bytes that differ from those of other numbers; incompressible, as far as that matters here."""
    content = number.to_bytes(_NUMBER_BYTES, "big") + os.urandom(size)
    return _HEADER + len(content).to_bytes(2, "big") + content


def _say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """asyncio or uvloop. Raises ImportError where that is not installed."""
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - where it is installed

    return uvloop.new_event_loop


async def _main() -> None:
    await Publisher().serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[1])) as runner:
        runner.run(_main())
