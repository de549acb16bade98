"""The connections that send the inputs: many at a time in one loop, each judged by what the server answers."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.robustness.inputs import Input, Manner, hello
from tests.robustness.packing import Raw, pack
from typha.wire import messages as m
from typha.wire.codec import decode_message
from typha.wire.errors import RemoteProtocolError
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, FrameType, encode_frame

GREETING: Final = encode_frame(FrameType.HELLO, pack(hello()))
# The server ends a silent peer after 3 s here (fuzz.py); its clock ticks once a second, and the machine may be busy.
ANSWER_S: Final = 20.0
# Inputs that need no end get this long to be answered in whatever way.
_LINGER_S: Final = 0.3
_DEAF_S: Final = 2.0
_DRIP_S: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)
_OPEN_TYPES: Final = frozenset({3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16})


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ended``: the code of Refused or Close, "closed" without a word, "left" where the peer went. ``breach``: ""."""

    ended: str
    breach: str


class Peer:
    """One connection with its input."""

    def __init__(self, port: int, what: Input, now: float) -> None:
        self.input = what
        self.deadline_at = now + ANSWER_S
        self.leaves_at = float("inf")
        self.outcome: Outcome | None = None
        self._decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True)
        self._is_welcomed = False
        self._farewell = ""
        self._drip_at = 0.0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self._waiting = GREETING if what.greet else b""
        self._has_sent_input = False
        self.step(now)

    @property
    def reads(self) -> bool:
        """Whether it looks at what the server says."""
        return not (self.input.manner is Manner.DEAF and self._has_sent_input)

    def step(self, now: float) -> None:
        """Send what can be sent now, and look at the clock."""
        what = self.input
        if not self._has_sent_input and (self._is_welcomed or not what.greet):
            self._has_sent_input = True
            self._waiting += what.data
            if what.manner is Manner.DEAF:
                self.leaves_at = now + _DEAF_S
            elif not what.must_end and what.manner is not Manner.SILENT:
                self.leaves_at = now + _LINGER_S
        self._send(now)
        if now >= self.leaves_at:
            self._end("left")
        elif now >= self.deadline_at:
            state = f"said {self._farewell} and did not close" if self._farewell else "neither an answer nor a close"
            self._end(self._farewell or "nothing", f"{state} in {ANSWER_S:g} s")

    def _send(self, now: float) -> None:
        if not self._waiting:
            return
        part = self._waiting
        if self.input.manner is Manner.DRIP:
            if now < self._drip_at:
                return
            self._drip_at, part = now + _DRIP_S, part[:1]
        try:
            self._waiting = self._waiting[self.socket.send(part) :]
        except BlockingIOError:
            return
        except OSError:
            self._waiting = b""  # it was closed; what it said may still be there to read
            return
        if self._waiting or not self._has_sent_input:
            return
        if self.input.manner is Manner.HALF_CLOSE:
            self.socket.shutdown(socket.SHUT_WR)
        elif self.input.manner is Manner.VANISH:
            self._end("left")

    def read(self, now: float) -> None:
        """What the server says."""
        try:
            data = self.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(self._farewell or "closed")
            return
        try:
            self._decoder.receive_data(data)
            while self.outcome is None and (frame := self._decoder.next_frame()) is not None:
                self._judge(frame)
        except RemoteProtocolError as error:
            self._end(self._farewell or "nonsense", f"the server's answer breaks the protocol: {error}")
        self.step(now)

    def _judge(self, frame: Frame) -> None:
        if self._farewell:
            self._end(self._farewell, f"frame type {frame.type} after the last word")
        elif frame.type in (FrameType.REFUSED, FrameType.CLOSE):
            last = decode_message(frame)
            if isinstance(last, m.Refused | m.Close):
                self._farewell = f"{'Refused' if isinstance(last, m.Refused) else 'Close'} {last.code}"
            if isinstance(last, m.Refused) and self._is_welcomed:
                self._end(self._farewell, "Refused after Welcome")
        elif frame.type == FrameType.WELCOME:
            if self._is_welcomed or (self.input.must_end and not self.input.greet):
                self._end("welcomed", "a malformed Hello was welcomed")
            self._is_welcomed = True
        elif not self._is_welcomed or frame.type not in _OPEN_TYPES:
            self._end("nonsense", f"frame type {frame.type} has no place here")
        elif frame.type == FrameType.KEY_DIGEST and self.input.buckets is not None:
            digest = decode_message(frame)
            if isinstance(digest, m.KeyDigest):
                answer = pack([digest.topic_id, digest.at, Raw(self.input.buckets)])
                self._waiting += encode_frame(FrameType.KEY_REQUEST, answer)

    def _end(self, ended: str, breach: str = "") -> None:
        if self.outcome is None:
            self.outcome = Outcome(ended, breach)
            if self.input.manner in (Manner.VANISH, Manner.DEAF):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.socket.close()


def send_all(port: int, inputs: Iterable[Input], *, at_once: int) -> Iterable[tuple[Input, Outcome]]:
    """Every input with its outcome, in the order of their ends; ``at_once`` connections are open at a time."""
    source = iter(inputs)
    peers: set[Peer] = set()
    exhausted = False
    with selectors.DefaultSelector() as selector:
        while peers or not exhausted:
            now = time.monotonic()
            while len(peers) < at_once and not exhausted:
                what = next(source, None)
                if what is None:
                    exhausted = True
                    break
                peer = Peer(port, what, now)
                if peer.outcome is None:
                    peers.add(peer)
                    selector.register(peer.socket, selectors.EVENT_READ, peer)
                else:
                    yield what, peer.outcome
            for key, _ in selector.select(0.02):
                handle = key.fileobj
                if key.data.reads:
                    key.data.read(now)
                if key.data.outcome is not None:
                    selector.unregister(handle)
            for peer in [peer for peer in peers if peer.outcome is None]:
                handle = peer.socket
                peer.step(now)
                if peer.outcome is not None:
                    selector.unregister(handle)
            for peer in list(peers):
                if peer.outcome is not None:
                    peers.discard(peer)
                    yield peer.input, peer.outcome
