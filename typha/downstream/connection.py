"""One socket: a thin Protocol between asyncio and a session. No task, no queue, no decision that is not about I/O.

Invariants
1. The write buffer limits are as low as asyncio can have them, so ``is_drained`` is true when the kernel took
   everything (with TLS: all but what fits the transport below it, 64 KiB).
2. A peer that sends but does not read is not read any more: its pings cannot pile answers up.
3. The first byte tells the language: our own, or (``foreign``) Calico's.

Road not taken: asyncio streams. ``drain()`` needs a task per subscriber, and costs 0.78 of a C send loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar, Final, NamedTuple, cast

from typha.downstream.dialect import Session, SessionState
from typha.downstream.listening import shown_peer
from typha.downstream.statistics import Traffic
from typha.downstream.streams import GONE, Subscriber

# Answers to one read of 64 KiB of pings are less than that; more waits until the peer has read.
_UNREAD_LIMIT_BYTES: Final = 64 * 1024
# A native Hello is below 16 MiB, so its length starts with 0; a gob stream never does.
_NATIVE_FIRST_BYTE: Final = 0

log = logging.getLogger("typha.downstream")


class Owner(NamedTuple):
    """What all connections of a server have in common, in one place: a reference in each, not six.

    Callbacks run on the loop: ``on_received`` after each read, ``on_drained``, ``on_lost`` once at the end.
    """

    clock: Callable[[], float]
    on_made: Callable[[Connection], None]
    on_received: Callable[[Connection], None]
    on_drained: Callable[[Connection], None]
    on_lost: Callable[[Connection], None]
    traffic: Traffic
    foreign: Callable[[], Session | None] = lambda: None


class Connection(asyncio.Protocol):
    """See the module. ``session`` is ours until the first byte says otherwise."""

    # More than this in the transport's buffer, and it pauses us.
    unpaused_bytes: ClassVar = 0

    __slots__ = (
        "_is_first",
        "_owner",
        "_stall",
        "_transport",
        "address",
        "close_due_at",
        "connected_at",
        "is_drained",
        "move_due_at",
        "ping_due_at",
        "session",
        "subscriber",
    )

    def __init__(self, session: Session, owner: Owner) -> None:
        self.session = session
        self.subscriber = Subscriber(session, self, owner.traffic)
        self.is_drained = True
        self.connected_at = owner.clock()
        self.address = "?"
        self.ping_due_at = self.move_due_at = self.close_due_at = inf
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._stall: tuple[int, float] | None = None
        self._is_first = True

    # --- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted (and, with TLS, shaken hands)."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self.unpaused_bytes, low=0)
        self.address = shown_peer(transport.get_extra_info("peername"))
        self._owner.on_made(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        self._owner.traffic.bytes_received += len(data)
        if self._is_first and not self.session.is_closed:  # with TLS, a refused one may still be heard
            self._is_first = False
            if data[0] != _NATIVE_FIRST_BYTE:
                self.session.close("foreign_language", None)
                foreign = self._owner.foreign()
                if foreign is None:
                    self.finish()
                    return
                foreign.caller = self.session.caller
                self.session = foreign
                self.subscriber = Subscriber(self.session, self, self._owner.traffic)
        self.session.receive_data(data, self._owner.clock())
        self._owner.on_received(self)
        if self._transport is not None and self.buffered_bytes > _UNREAD_LIMIT_BYTES and not self.is_drained:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The kernel did not take everything."""
        self._fill()

    def resume_writing(self) -> None:
        """The kernel took everything that was left."""
        if self._transport is not None and not self._transport.is_closing():
            self.is_drained = True
            self._transport.resume_reading()
            self._owner.on_drained(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        self._fill()
        self.session.close("lost" if exc is None else f"lost_{type(exc).__name__}", None)
        self._owner.on_lost(self)
        # Else the two hold each other, and thousands of dead ones wait for a full collection.
        self.subscriber.outlet = GONE

    @property
    def host(self) -> str:
        """The peer's address without its port."""
        return self.address.rpartition(":")[0]

    @property
    def peer_certificate(self) -> Mapping[str, Any] | None:
        """What a TLS peer showed and the CA has signed, None without TLS or certificate."""
        found = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if found is None else found.getpeercert()

    # --- the fan-out's outlet

    @property
    def send(self) -> Callable[[bytes], int]:
        """See ``streams.Outlet``: nothing is left to the caller."""
        return self._send_all

    def _send_all(self, data: bytes) -> int:
        self.write(data)
        return len(data)

    def _fill(self) -> None:
        """It counts as full from now on; one that ends does for good."""
        self.is_drained = False
        self.subscriber.pause()

    def write(self, data: bytes | memoryview) -> None:
        """Hand bytes to the transport; a closing one takes none."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def buffered_bytes(self) -> int:
        """Bytes that the kernel did not take yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    # --- the end

    def finish(self) -> None:
        """Send what the closed session still had to say, and close once the kernel has it."""
        self.subscriber.flush()
        self._fill()
        if self._transport is not None:
            self._transport.close()

    def abort(self, code: str) -> None:
        """Close at once, whatever is buffered."""
        self.session.close(code, None)
        self._fill()
        if self._transport is not None:
            self._transport.abort()

    def is_stuck(self, now: float, timeout_s: float) -> bool:
        """Whether not one byte drained for ``timeout_s``; call it about once a second."""
        if self.is_drained:
            self._stall = None
            return False
        waiting = self.buffered_bytes
        if self._stall is None or waiting < self._stall[0]:
            self._stall = (waiting, now)
        elif waiting > self._stall[0]:
            self._stall = (waiting, self._stall[1])  # control frames were added: no progress of the peer
        return now - self._stall[1] >= timeout_s

    @property
    def is_welcomed(self) -> bool:
        """Whether the fan-out serves it."""
        return self.session.state is SessionState.OPEN
