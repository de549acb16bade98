"""The inputs, from a seed: what is sent, in which manner, and whether it must be refused. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Any, Final

from tests.robustness.mutations import (
    damage,
    is_surely_malformed_frame,
    is_surely_malformed_hello,
    mutate,
    odd_value,
)
from tests.robustness.packing import pack
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameType, encode_frame

# A zstd frame of 1 GiB of zeros by its header, and what 100 KB of zeros compress to.
_BOMB: Final = bytes.fromhex("28b52ffda00000004054000010000001000000")
_SERVER_TYPES: Final = (2, 3, 4, 5, 6, 7, 10, 12, 13, 15, 16)
_PATIENCE_BYTES: Final = 400_000


class Manner(Enum):
    """What the peer does beside sending."""

    WAIT = auto()  # reads until the server closes
    HALF_CLOSE = auto()  # says that nothing more will come
    VANISH = auto()  # resets the connection at once
    SILENT = auto()  # says no more, and keeps the connection
    DRIP = auto()  # one byte after the other
    DEAF = auto()  # sends and never reads


@dataclass(frozen=True, slots=True)
class Input:
    """``greet``: a valid Hello goes first and its Welcome is awaited. ``must_end``: it has to be refused or closed.

    ``buckets``: packed answer to a KeyDigest that the server may send.
    """

    kind: str
    data: bytes
    greet: bool = False
    manner: Manner = Manner.WAIT
    must_end: bool = True
    passes_length: bool = True
    buckets: bytes | None = None


def hello(**changes: Any) -> dict[str, Any]:
    """A Hello that is welcome."""
    return {
        "protocol": [1, 1],
        "node": "node-0001",
        "agent": "fuzz/1",
        "subscribe": {"topics": ["pods"]},
        **changes,
    }


class Inputs:
    """``cluster`` and ``form`` are the server's: with them a Hello resumes, and the answer is a reconcile."""

    def __init__(self, seed: int, cluster: str, form: str) -> None:
        self._random = Random(seed)
        self._cluster = cluster
        self._form = form

    def __iter__(self) -> Iterator[Input]:
        """Without end."""
        makers: dict[Callable[[], Input], int] = {
            self._mutated_hello: 340,
            self._refused_hello: 90,
            self._mutated_frame: 180,
            self._wrong_state: 80,
            self._unknown_type: 40,
            self._compressed: 50,
            self._bad_length: 60,
            self._foreign: 50,
            self._noise: 30,
            self._truncated: 40,
            self._vanishing: 30,
            self._key_requests: 20,
            self._skippable: 10,
            self._silent: 6,
            self._mute: 4,
            self._drip: 4,
            self._deaf: 4,
        }
        while True:
            yield self._random.choices(list(makers), list(makers.values()))[0]()

    def _mutated_hello(self) -> Input:
        random = self._random
        template = random.choice(
            (
                hello(),
                hello(compression=["zstd"], token="t" * random.choice((1, 200, 16_000))),
                hello(subscribe={"topics": ["pods"], "where": {"pods": {"node": f"node-{random.random()}"}}}),
                hello(subscribe={"feed": "all", "where": {"pods": {"labels": "app in (a, b), !c"}}}),
                hello(resume={"cluster": "another/", "topics": {"pods": [5, 5, "form", {}]}}),
            )
        )
        payload = mutate(template, random)
        if len(payload) >= SERVER_INBOUND_LIMIT_BYTES:
            return self._bad_length()
        malformed = is_surely_malformed_hello(payload)
        return Input("mutated Hello", encode_frame(FrameType.HELLO, payload), must_end=malformed)

    def _refused_hello(self) -> Input:
        """Of the right shape, and still nothing that can be served."""
        random = self._random
        where = random.choice(
            (
                {"labels": "a in (x" + " ,  " * random.randint(1, 100) + "!"},
                {"labels": "".join(random.choices("a= !(),in notexists", k=200)) + "("},
                {"colour": "red"},
                {"labels": "a=b,," * 50},
            )
        )
        changed = random.choice(
            (
                hello(protocol=[2, 9]),
                hello(protocol=[0, 0]),
                hello(subscribe={"feed": "nothing" * random.randint(1, 70)}),
                hello(subscribe={"topics": ["pods", "secrets\n\x1b[31m"]}),
                hello(subscribe={"topics": ["pods"], "where": {"nodes": {"node": "a"}}}),
                hello(subscribe={"topics": ["pods"], "where": {"pods": where}}),
            )
        )
        return Input("Hello to refuse", encode_frame(FrameType.HELLO, pack(changed)))

    def _mutated_frame(self) -> Input:
        random = self._random
        kind, value = random.choice(
            (
                (FrameType.PING, {"t": random.getrandbits(60)}),
                (FrameType.PONG, {"t": 1, "applied": [[0, random.getrandbits(40)]]}),
                (FrameType.CLOSE, {"code": "done", "message": ""}),
                (FrameType.KEY_REQUEST, [0, 1000, [1, 2, 3]]),
                (FrameType.KEY_REQUEST, [0, 1000, None]),
            )
        )
        payload = mutate(value, random)
        if len(payload) >= SERVER_INBOUND_LIMIT_BYTES:
            return self._bad_length()
        malformed = is_surely_malformed_frame(payload, is_map=kind is not FrameType.KEY_REQUEST)
        return Input("mutated frame", encode_frame(kind, payload), greet=True, must_end=malformed)

    def _wrong_state(self) -> Input:
        random = self._random
        if random.random() < 0.5:
            kind, value = random.choice(
                (
                    (FrameType.PING, {"t": 1}),
                    (FrameType.PONG, {"t": 1}),
                    (FrameType.KEY_REQUEST, [0, 1, []]),
                    (random.choice(_SERVER_TYPES), odd_value(random)),
                )
            )
            return Input("wrong state, before Hello", encode_frame(kind, pack(value)[:60_000]))
        kind, value = random.choice(
            (
                (FrameType.HELLO, hello()),
                (FrameType.KEY_REQUEST, [77, 1, []]),
                (FrameType.STATUS, [[0, "in_sync", 0, ""]]),
                (FrameType.ENTRIES, [0, 1, [["a/b", 1, {}]], []]),
                (FrameType.RESET, [0, "c", "f"]),
                (random.choice(_SERVER_TYPES), odd_value(random)),
            )
        )
        return Input("wrong state, after Welcome", encode_frame(kind, pack(value)[:60_000]), greet=True)

    def _unknown_type(self) -> Input:
        frame = encode_frame(self._random.choice((0, *range(17, 64))), self._random.randbytes(20))
        return Input("unknown type below 64", frame, greet=self._random.random() < 0.5)

    def _compressed(self) -> Input:
        random = self._random
        kind = random.choice((FrameType.HELLO, FrameType.PING, FrameType.CLOSE, 70))
        payload = random.choice((_BOMB, _BOMB[:9] + random.randbytes(50), random.randbytes(200), b""))
        return Input("compressed", encode_frame(kind | 0x80, payload), greet=random.random() < 0.5)

    def _bad_length(self) -> Input:
        random = self._random
        length = random.choice((0, SERVER_INBOUND_LIMIT_BYTES + 1, 2**24 - 1, 1_000_000))
        data = struct.pack(">IB", length, random.choice((1, 8, 200))) + random.randbytes(random.randint(0, 2000))
        return Input("length", data, greet=random.random() < 0.3, passes_length=False)

    def _foreign(self) -> Input:
        random = self._random
        data = random.choice(
            (
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(60),
                b"SSH-2.0-OpenSSH_9.6\r\n",
                bytes([random.randint(1, 255)]) + random.randbytes(random.randint(0, 3000)),
            )
        )
        return Input("foreign first byte", data, passes_length=False)

    def _noise(self) -> Input:
        # The least length that this gives is 256: the rest is awaited, or is one frame of noise.
        data = b"\x00\x00" + self._random.randbytes(self._random.randint(300, 70_000))
        return Input("noise", data, manner=Manner.HALF_CLOSE, passes_length=False)

    def _truncated(self) -> Input:
        random = self._random
        whole = encode_frame(FrameType.HELLO, pack(hello()))
        cut = whole[: random.randrange(1, len(whole))]
        return Input("truncated, half-closed", cut, greet=random.random() < 0.3, manner=Manner.HALF_CLOSE)

    def _vanishing(self) -> Input:
        random = self._random
        whole = encode_frame(FrameType.HELLO, pack(hello()))
        data = random.choice((whole, whole[: random.randrange(1, len(whole))], damage(whole, random)))
        return Input("reset at once", data, manner=Manner.VANISH, passes_length=False)

    def _key_requests(self) -> Input:
        """In answer to the KeyDigest of a reconcile that it asked for: legal in shape, hostile in numbers."""
        random = self._random
        random = self._random
        resume = {"cluster": self._cluster, "topics": {"pods": [1, 1, self._form, {}]}}
        data = encode_frame(FrameType.HELLO, pack(hello(resume=resume)))
        data += b"".join(
            encode_frame(FrameType.KEY_REQUEST, pack([0, random.choice((1, 2**64 - 1)), None]))
            for _ in range(random.choice((0, 20)))
        )
        buckets = pack(random.choice((None, [65535] * 3000, [0] * 5000, [], list(range(5000)))))
        return Input("KeyRequests", data, must_end=False, buckets=buckets)

    def _skippable(self) -> Input:
        frames = b"".join(
            encode_frame(self._random.randint(64, 127), self._random.randbytes(self._random.randint(0, 5000)))
            for _ in range(self._random.randint(1, 10))
        )
        return Input("types from 64 on", frames, greet=True, must_end=False)

    def _silent(self) -> Input:
        whole = encode_frame(FrameType.HELLO, pack(hello()))
        data = whole[: self._random.choice((0, 0, 1, 4, 5, 20))]
        return Input("silent before Hello", data, manner=Manner.SILENT, passes_length=False)

    def _mute(self) -> Input:
        return Input("silent after Welcome", b"", greet=True, manner=Manner.SILENT, passes_length=False)

    def _drip(self) -> Input:
        whole = encode_frame(FrameType.HELLO, pack(hello(token="t" * 4000)))
        return Input("a byte at a time", whole, manner=Manner.DRIP)

    def _deaf(self) -> Input:
        ping = encode_frame(FrameType.PING, pack({"t": 1}))
        data = ping * (_PATIENCE_BYTES // len(ping))
        return Input("pings without reading", data, greet=True, manner=Manner.DEAF, must_end=False)
