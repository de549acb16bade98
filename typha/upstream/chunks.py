"""What a watch brings, in pieces as they come; between two pieces the connection may be left alone.

Place: `lister_watcher` opens it, `watch_session` reads it to its end.

Invariants
1. While it is paused nothing is read: what comes waits in the kernel, and the process sleeps. Read by read it would
   be woken for each event, as an API server writes each by itself.
2. Pausing loses nothing and says nothing: an end that comes meanwhile is seen after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp

__all__ = ["Chunks", "ResponseChunks"]


class Chunks(Protocol):
    """What `watch_session` reads."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def pause_reading(self) -> bytes:
        """Leave what comes to the kernel. Gives what was read before (while the last piece was worked on): left here,
        it would be all that is read after the pause. On a connection that has ended it has no other effect.
        """

    def resume_reading(self) -> None:
        """Read on."""


class ResponseChunks:
    """The body of a streaming response; iterate it once. Raises what aiohttp raises."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()

    def pause_reading(self) -> bytes:
        """See `Chunks`."""
        rest = self._response.content.read_nowait()  # may let aiohttp read on, so it comes first
        if (transport := self._transport) is not None:
            transport.pause_reading()
        return rest

    def resume_reading(self) -> None:
        """See `Chunks`."""
        if (transport := self._transport) is not None:
            transport.resume_reading()

    @property
    def _transport(self) -> asyncio.Transport | None:
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        return None if transport is None or transport.is_closing() else transport
