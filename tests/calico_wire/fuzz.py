"""The readers under malformed input, in this process: every input ends in messages or in one typed error.

Checked for each: nothing but a PeerError leaves a reader; it raises the same one again; what it holds is at most one
message and one piece; and it takes at most ``SLOW_S`` of CPU (a server has one loop for all agents).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.calico_wire.mutations import AGENT_STREAMS, SERVER_STREAMS, mutate_bytes, mutate_messages
from tests.calico_wire.recordings import Reader
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.errors import PeerError
from typha.calico_wire.limits import FROM_AGENT
from typha.calico_wire.reader import GobReader, agent_messages

# A message of 1 MiB of the worst kind is refused in some milliseconds; the rest is for a busy machine.
SLOW_S: Final = 0.5
_PIECES: Final = (1, 7, 64, 1460, 65_536)


@dataclass(slots=True)
class Report:
    """What happened; ``breaches`` is empty where nothing did that must not."""

    seed: int
    inputs: int = 0
    messages: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    breaches: list[str] = field(default_factory=list)


def run(inputs: int, seed: int, say: Callable[[str], None]) -> Report:
    """So many inputs from the seed; a third of them is read as an agent would, the others as the server does."""
    random, report = Random(seed), Report(seed)
    for number in range(1, inputs + 1):
        agent_side = random.random() < 0.67
        stream = random.choice(AGENT_STREAMS if agent_side else SERVER_STREAMS)
        mutate = mutate_messages if agent_side and random.random() < 0.8 else mutate_bytes
        data = mutate(stream, random)
        _read(report, agent_messages() if agent_side else ServerStream(), data, random.choice(_PIECES))
        report.inputs = number
        if number % 10_000 == 0:
            say(f"{number} of {inputs}, {len(report.breaches)} breaches")
    return report


def _read(report: Report, reader: Reader, data: bytes, piece_bytes: int) -> None:
    began_s, end, messages = time.process_time(), "quiet", 0
    try:
        for start in range(0, len(data), piece_bytes):
            reader.receive_data(data[start : start + piece_bytes])
            while reader.next_message() is not None:
                messages += 1
            held = reader.buffered_bytes if isinstance(reader, GobReader) else 0
            if held > FROM_AGENT.message_bytes + piece_bytes:
                report.breaches.append(f"{held} bytes held; {data[:60].hex()}")
    except PeerError as error:
        end = error.code
        if _again(reader) is not error:
            report.breaches.append(f"another error the second time; {data[:60].hex()}")
    except Exception as error:  # noqa: BLE001 - finding those is what this is for
        end = f"{type(error).__name__}: {error}"
        report.breaches.append(f"{end}; {data.hex()[:400]}")
    took_s = time.process_time() - began_s
    report.slowest_s = max(report.slowest_s, took_s)
    if took_s > SLOW_S:
        report.breaches.append(f"{took_s:.2f} s for {len(data)} bytes; {data[:60].hex()}")
    report.messages += messages
    report.by_end[end] += 1


def _again(reader: Reader) -> PeerError | None:
    try:
        reader.next_message()
    except PeerError as error:
        return error
    return None
