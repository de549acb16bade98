"""One open watch: its events into the topics, its silence under guard.

Place: `reflector` opens one per watch request; a streamed list is loaded through the same session that then follows.

Invariants
1. Events reach `ingest` in the order of the stream; between two turns of the event loop no more than the budget is
   worked.
2. A streamed list ends at the `initial-events-end` bookmark, whose version is the list's. MODIFIED and DELETED before
   it edit the list that is loading.
3. An end in the middle of a line, or of a list, is a broken connection.
4. A watch that is followed is read in turns of `read_pause_s`, at the same moments as all others, unless it brings
   more than one read holds: events that one round publishes together are read together, and the round starts when
   they are read. Each turn of a quiet process costs some 200 us in cold caches, an event on top 30.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from typha.upstream.chunks import Chunks
from typha.upstream.clock import Clock
from typha.upstream.errors import BadStreamError, ConnectionLostError, StreamSilentError
from typha.upstream.ingest import Ingest, ListIngest
from typha.upstream.loading_pace import Pace
from typha.upstream.races import first_of
from typha.upstream.settings import Settings
from typha.upstream.silence import Action, Silence
from typha.upstream.watch_stream import Bookmark, Event, WatchStream

__all__ = ["WatchSession"]

# aiohttp holds that much before it stops reading: a chunk of this size says that more waits.
_FULL_READ_BYTES: Final = 64 * 1024
# A turn that came so shortly before the common moment lets it pass: timers are late or early by a millisecond.
_LEAST_PAUSE: Final = 0.25


def until_next_turn(now: float, pause_s: float) -> float:
    """Seconds until watches are read again: the next multiple of `pause_s` that is a quarter of it away or more."""
    rest_s = pause_s - now % pause_s
    return rest_s if rest_s >= _LEAST_PAUSE * pause_s else rest_s + pause_s


class WatchSession:
    """`probe` is called in silence and raises where the stream is of no use; `streamed` when events have come."""

    def __init__(
        self,
        chunks: Chunks,
        ingest: Ingest,
        *,
        clock: Clock,
        settings: Settings,
        probe: Callable[[], Awaitable[None]],
        streamed: Callable[[float], None],
        counts: Counter[str],
    ) -> None:
        self._chunks = chunks
        self._ingest = ingest
        self._clock = clock
        self._settings = settings
        self._probe = probe
        self._streamed = streamed
        self._counts = counts
        self._stream = WatchStream(settings.line_limit_bytes)
        self._pace = Pace(settings.load_budget_s)
        self._silence = Silence(clock.now(), settings.silence_s, settings.replace_after_s)
        self._now = clock.now()
        self.has_events = False
        self._is_followed = False
        self._events = self._read()

    async def load(self, loading: ListIngest) -> str:
        """The initial events into `loading`; the list's version. StreamSilentError where they do not come or end."""
        return await first_of(self._load(loading), self._guard_initial_events())

    async def follow(self) -> None:
        """Events into the topics until the server ends the watch as agreed."""
        self._is_followed = True
        await first_of(self._follow(), self._guard_silence())

    async def _read(self) -> AsyncIterator[Event | Bookmark]:
        pause_s = self._settings.read_pause_s
        async for chunk in self._chunks:
            self._now = now = self._clock.now()
            self._silence.heard(now)
            is_first = True
            pieces = [chunk]
            for piece in pieces:
                for event in self._stream.receive_data(piece):
                    self.has_events = True
                    if is_first:
                        self._streamed(now)
                        is_first = False
                    yield event
                    if self._pace.is_due():
                        await asyncio.sleep(0)
                        self._pace.restart()
                if self._is_followed and pause_s and len(pieces) == 1 and len(piece) < _FULL_READ_BYTES:
                    pieces.append(self._chunks.pause_reading())
            if len(pieces) > 1:
                await self._clock.sleep(until_next_turn(self._clock.now(), pause_s))
                self._chunks.resume_reading()
                self._pace.restart()
        if self._stream.is_mid_line:
            raise ConnectionLostError("watch", "the stream ended in the middle of an event")

    async def _load(self, loading: ListIngest) -> str:
        async for event in self._events:
            if isinstance(event, Event):
                if event.is_delete:
                    loading.delete(event.object)
                else:
                    loading.put(event.object)
            elif event.initial_events_end:
                return event.resource_version
        raise ConnectionLostError("watch list", "the stream ended before the end of the list")

    async def _follow(self) -> None:
        ingest, counts = self._ingest, self._counts
        async for event in self._events:
            if isinstance(event, Event):
                ingest.apply(event, self._now)
                counts["event"] += 1
            else:
                counts["bookmark"] += 1
                try:
                    ingest.bookmark(event.resource_version, self._now)
                except ValueError as error:
                    raise BadStreamError("watch", f"a bookmark: {error}") from None

    async def _guard_initial_events(self) -> None:
        limit_s = self._settings.initial_events_silence_s
        while True:
            silent_s = self._clock.now() - self._silence.heard_at
            if silent_s >= limit_s:
                raise StreamSilentError(silent_s)
            await self._clock.sleep(limit_s - silent_s)

    async def _guard_silence(self) -> None:
        silence = self._silence
        while True:
            now = self._clock.now()
            match silence.handle_timer(now):
                case Action.NOTHING:
                    await self._clock.sleep(silence.next_deadline() - now)
                case Action.PROBE:
                    await self._probe()
                    silence.probed(self._clock.now())
                case Action.REPLACE:
                    raise StreamSilentError(now - silence.heard_at)
