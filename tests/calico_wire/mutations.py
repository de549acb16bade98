"""Recorded sessions and hand-made gob, damaged: from a random source, pure. For the fuzzer and for hostile tests.

A change of bytes alone seldom passes the length of a message, so most changes are made inside one message whose
length is then set right, or to whole messages: one left out, doubled, or moved.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.calico_wire.gob_bytes import ENVELOPE_TYPE, envelope, gob, head, other_type, struct_type, tail, text
from tests.calico_wire.recordings import SESSIONS, from_agent, from_server
from typha.calico_wire import agent
from typha.calico_wire.gob import encode_uint
from typha.calico_wire.messages import Ack, ClientHello, Pong

_HELLO: Final = "MsgClientHello"
# A hello with a field of every type that its reader has to skip.
_STRANGE: Final = b"".join(
    (
        ENVELOPE_TYPE,
        gob(head(_HELLO) + struct_type(90, _HELLO, ("Hostname", 6), *[(f"X{n}", 91 + n) for n in range(5)])),
        gob(other_type(91, 1, 2, 3)),
        gob(other_type(92, 2, 93)),
        gob(struct_type(93, "Nest", ("Inner", 93), ("Any", 8))),
        gob(other_type(94, 4, 6, 92)),
        gob(other_type(95, 5)),
        gob(
            tail(
                90,
                b"\x01" + text("h") + b"\x01\x03\x02\x02\x02" + b"\x01\x02\x01\x00\x00\x00" + b"\x01\x01\x00\x00"
                b"\x01\x01" + text("k") + b"\x01\x00\x01" + text("opaque") + b"\x00",
            )
        ),
        envelope(_HELLO, 90, b"\x01" + text("again") + b"\x00"),
    )
)
_OURS: Final = agent.PREAMBLE + b"".join(
    agent.encode_agent_message(message)
    for message in (ClientHello("node", compression_algorithms=("snappy",) * 3), Ack(), Pong(1, 2), Pong())
)
AGENT_STREAMS: Final = (*(from_agent(session) for session in SESSIONS), _STRANGE, _OURS)
SERVER_STREAMS: Final = tuple(from_server(session) for session in SESSIONS)

_ODD_NUMBERS: Final = (0, 1, 2, 63, 64, 127, 128, 255, 256, 65_535, 2**20, 2**31, 2**32, 2**63, 2**64 - 1)


def payloads(stream: bytes) -> list[bytes]:
    """The payloads of a plain gob stream, as far as its lengths hold."""
    found, at = [], 0
    while at < len(stream):
        size = 1 if stream[at] < 128 else 257 - stream[at]
        length = stream[at] if size == 1 else int.from_bytes(stream[at + 1 : at + size], "big")
        found.append(stream[at + size : at + size + length])
        at += size + length
    return found


def mutate_messages(stream: bytes, random: Random) -> bytes:
    """One to three changes within or of whole messages; every length is right."""
    parts = payloads(stream)
    for _ in range(random.choice((1, 1, 2, 3))):
        if not parts:
            break
        at = random.randrange(len(parts))
        match random.randrange(8):
            case 0:
                del parts[at]
            case 1:
                parts.insert(random.randrange(len(parts) + 1), parts[at])
            case 2:
                parts.insert(random.randrange(len(parts)), parts.pop(at))
            case 3:
                parts.insert(at, mutate_bytes(random.choice(AGENT_STREAMS), random)[: random.randrange(200)])
            case _:
                parts[at] = mutate_bytes(parts[at], random)
    return b"".join(map(gob, parts))


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One place changed: a bit, a byte, a number of another size, something left out, doubled or put in between."""
    if not data:
        return random.randbytes(random.randrange(4))
    at = random.randrange(len(data))
    end = min(len(data), at + random.choice((1, 1, 1, 2, 8, 60)))
    match random.randrange(7):
        case 0:
            return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
        case 1:
            return data[:at] + encode_uint(random.choice(_ODD_NUMBERS)) + data[at + 1 :]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:at] + data[at:end] * random.choice((2, 3, 1000)) + data[end:]
        case 4:
            return data[:at] + random.randbytes(random.randint(1, 9)) + data[at:]
        case 5:
            return data[:at]
        case _:
            return data[:at] + bytes((random.choice((0, 1, 0x7F, 0x80, 0xF7, 0xF8, 0xFF)),)) + data[at + 1 :]
