"""``python -m tests.robustness.calico_sessions``: agents of Calico's wire gone wrong, against sessions in this process.

Checked for each: nothing leaves ``receive_data``; what ended has a code and says why; who was refused heard nothing;
between a decoder restart and its ACK nothing is said; an ended session holds no log; no input takes ``SLOW_S``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from tests.calico_wire.fuzz import SLOW_S
from tests.calico_wire.mutations import AGENT_STREAMS, mutate_bytes, mutate_messages
from tests.downstream.talk import synced_server
from tests.kit.server import Server
from typha.calico_wire.agent import PREAMBLE, ServerStream, encode_agent_message
from typha.calico_wire.errors import PeerError
from typha.calico_wire.messages import Ack, ClientHello, DecoderRestart, Ping, Pong, ServerHello
from typha.downstream.calico_session import CalicoSession
from typha.downstream.dialect import Load, SessionState
from typha.wire.errors import RefusedError

_HELLO: Final = ClientHello("n1", "fuzz", "v3.31", "felix", True, ("snappy",), True, 4)
_PIECES: Final = (1, 7, 64, 1460, 65_536)


def _stream(*messages: ClientHello | Ack | Pong) -> bytes:
    return PREAMBLE + b"".join(map(encode_agent_message, messages))


# What a server welcomes; the recorded agents beside them are welcome, too.
WELCOME: Final = (
    _stream(_HELLO, Ack(), Pong(1), Pong(2)),
    _stream(replace(_HELLO, compression_algorithms=(), syncer_type="bgp"), *[Pong(n) for n in range(80)]),
    _stream(replace(_HELLO, supports_modern_policy_keys=False)),
    _stream(replace(_HELLO, syncer_type="nothing"), Ack()),
)
STREAMS: Final = (*WELCOME, *AGENT_STREAMS)


@dataclass(slots=True)
class Report:
    """What happened; ``breaches`` is empty where nothing did that must not."""

    seed: int
    inputs: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    breaches: list[str] = field(default_factory=list)


def malformed(random: Random) -> bytes:
    """An agent's stream with one to three changes."""
    mutate = mutate_messages if random.random() < 0.8 else mutate_bytes
    return mutate(random.choice(STREAMS), random)


def run(inputs: int, seed: int) -> Report:
    """So many inputs from the seed, each to a session of its own."""
    random, report, server = Random(seed), Report(seed), synced_server()
    for number in range(1, inputs + 1):
        data, piece_bytes = malformed(random), random.choice(_PIECES)
        began_s = time.process_time()
        try:
            end = _talk(server, data, piece_bytes)
        except Exception as error:  # noqa: BLE001 - finding those is what this is for
            end = type(error).__name__
            report.breaches.append(f"{end}: {error}; pieces of {piece_bytes}, {data.hex()[:600]}")
        took_s = time.process_time() - began_s
        report.slowest_s = max(report.slowest_s, took_s)
        if took_s > SLOW_S:
            report.breaches.append(f"{took_s:.2f} s for {len(data)} bytes; {data.hex()[:200]}")
        report.by_end[end] += 1
        report.inputs = number
    readers = sum(view.topic.log.readers for view in server.views.views.values())
    if readers:
        report.breaches.append(f"{readers} readers are left")
    return report


def _talk(server: Server, data: bytes, piece_bytes: int) -> str:
    """The state or code at the end. Raises AssertionError where the session did what it must not."""
    session = CalicoSession(
        "s1", 7, server.views, server.settings, now=5.0, admit=lambda: Load(1, 9), wall_clock=lambda: 42
    )
    stream, was_open, restarted = ServerStream(), False, False
    for start in range(0, len(data), piece_bytes):
        session.receive_data(data[start : start + piece_bytes], 5.0)
        said = session.take_frames()
        if restarted and session.state is SessionState.HELLO:
            assert not said, "said before the ACK"
        was_open = was_open or session.state is SessionState.OPEN
        stream.receive_data(said)
        while (message := stream.next_message()) is not None:
            assert isinstance(message, ServerHello | DecoderRestart), f"said {message}"
            restarted = restarted or isinstance(message, DecoderRestart)
    if session.state is SessionState.OPEN:
        session.say_ping(6.0)
        stream.receive_data(session.take_frames())
        assert stream.next_message() == Ping(42)
        session.close("lost", None)
        return "open"
    if not session.is_closed:
        return "ack awaited" if restarted else "quiet"
    assert session.subscriptions == ()
    error, code = session.error, session.closed_by
    if isinstance(error, RefusedError):
        assert not restarted
        assert not was_open
        assert code == f"refused_{error.code}"
    else:
        assert isinstance(error, PeerError), f"closed by {code} with {error!r}"
        assert code == error.code
    session.receive_data(data, 7.0)
    assert session.closed_by == code
    assert session.take_frames() == b""
    return code


def main(arguments: list[str] | None = None) -> int:
    """Exit 0: no breach; 1: a breach; 2: usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.robustness.calico_sessions",
        description="Give malformed agents of Calico's wire to sessions; nothing may come of it.",
        epilog="example: python -m tests.robustness.calico_sessions --inputs 20000 --seed 7",
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="malformed inputs (default 20,000)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal inputs (default 1)")
    options = parser.parse_args(arguments)
    if options.inputs < 1:
        parser.error(f"--inputs is {options.inputs}; it must be 1 or more")
    report = run(options.inputs, options.seed)
    ends = ", ".join(f"{end} {count:,}" for end, count in report.by_end.most_common())
    print(f"{report.inputs:,} inputs, seed {report.seed}: ended by {ends}")
    print(f"slowest {report.slowest_s * 1000:.1f} ms; {len(report.breaches)} breaches")
    for breach in report.breaches[:50]:
        print(f"  {breach}")
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
