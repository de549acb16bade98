"""What a reader of a peer's bytes counts. Named as the counters of ``AgentStream``. Pure.

1. Of plain bytes nothing but their number is known: a raw stream is in sync before it reads any.
2. NATS' messages are counted by their number where a read holds only equal ones, one by one where it does not.
3. A message's position is the time at which it was published, the first 8 bytes of its payload.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final

from bench.processes import BenchError

SUBJECT: Final = "bench"
TIME: Final = struct.Struct(">Q")
_SUBSCRIBE: Final = (
    b'CONNECT {"verbose":false,"pedantic":false,"name":"bench"}\r\nSUB ' + SUBJECT.encode() + b" 1\r\nPING\r\n"
)
_END: Final = b"\r\n"


class RawStream:
    """Bytes alone."""

    greeting = b""

    def __init__(self) -> None:
        self.bytes = self.frames = self.changes = self.position = 0
        self.is_synced, self.is_recording = True, False
        self.refusal = ""
        self.replies: list[bytes] = []
        self.throughs = array("Q")
        self.times_ns = array("q")
        self.ages_ms = array("q")

    def receive_data(self, data: bytes | memoryview, now_ns: int) -> None:
        """What the socket gave."""
        self.bytes += len(data)
        self.frames += 1


class NatsStream(RawStream):
    """A subscriber of ``SUBJECT``: in sync once the server has answered what it sent after SUB."""

    greeting = _SUBSCRIBE

    def __init__(self) -> None:
        super().__init__()
        self.is_synced = False
        self._rest = b""
        self._head = b"\0"
        self._message_bytes = 1

    def receive_data(self, data: bytes | memoryview, now_ns: int) -> None:
        """What the socket gave at that monotonic time."""
        self.bytes += len(data)
        data = self._rest + data
        start, size, newest = 0, len(data), -1
        while start < size:
            whole = (size - start) // self._message_bytes
            end = start + whole * self._message_bytes
            if whole and self._are_equal(data, start, end, whole):
                self.changes += whole
                newest = end - self._message_bytes + len(self._head)
                start = end
                continue
            line_end = data.find(_END, start)
            if line_end < 0:
                break
            line = data[start : line_end + len(_END)]
            if not line.startswith(b"MSG "):
                self._control(line)
                start += len(line)
                continue
            length = len(line) + int(line.rsplit(b" ", 1)[1]) + len(_END)
            if start + length > size:
                break
            self.changes += 1
            newest = start + len(line)
            self._head, self._message_bytes = line, length
            start += length
        self._rest = data[start:] if start else data
        if newest >= 0:
            self.position = TIME.unpack_from(data, newest)[0]
            if self.is_recording:
                self.frames += 1
                self.throughs.append(self.position)
                self.times_ns.append(now_ns)

    def _are_equal(self, data: bytes, start: int, end: int, count: int) -> bool:
        """Whether there are so many messages like the last one and nothing between them."""
        head = self._head
        last = end - self._message_bytes
        return data.startswith(head, start) and data.startswith(head, last) and data.count(head, start, end) == count

    def _control(self, line: bytes) -> None:
        if line == b"PONG\r\n":
            self.is_synced = True
        elif line == b"PING\r\n":
            self.replies.append(b"PONG\r\n")
        elif line.startswith(b"-ERR"):
            self.refusal = line.decode(errors="replace").strip()
        elif not line.startswith((b"INFO ", b"+OK")):
            raise BenchError(f"NATS says what it must not: {line[:80]!r}")
