"""The lie that the proof must find: a proxy in front of one agent that takes one put out of its stream.

1. Everything else passes unchanged, frame by frame; also the position (`through`) of the frame that lost its change,
   so that the agent believes it holds everything.
2. Nothing is taken before `arm`, and nothing after the first change taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, Frame, FrameDecoder, FrameType, encode_frame
from typha.wire.messages import Entries

READ_BYTES: Final = 65536


class LossyProxy:
    """Listens on loopback and forwards to ``port``; the agent behind it must not offer compression."""

    def __init__(self, port: int) -> None:
        self.taken = ""
        self._target = port
        self._above: int | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Its own port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def arm(self, above_rv: int) -> None:
        """Take the next put whose rv is above this."""
        self._above = above_rv

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as group:
                up = group.create_task(_pump(reader, there))
                down = group.create_task(self._forward(back, writer))
                # One direction's end is the connection's.
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except* (OSError, asyncio.CancelledError):
            # Either side was killed, which is what the demo does; or the demo is over: this task is nobody's child,
            # and Python 3.11's stream callback would log the cancellation as an error (python/cpython#113690).
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    end.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)
        while data := await reader.read(READ_BYTES):
            decoder.receive_data(data)
            while (frame := decoder.next_frame()) is not None:
                writer.write(self._perhaps_without(frame))
            await writer.drain()

    def _perhaps_without(self, frame: Frame) -> bytes:
        if self._above is not None and frame.type == FrameType.ENTRIES:
            message = decode_message(frame)
            if isinstance(message, Entries) and (victim := self._victim(message)) is not None:
                self._above, self.taken = None, victim
                puts = [put for put in message.puts if put.key != victim]
                return encode_message(Entries(message.topic_id, message.through, puts, message.deletes))
        return encode_frame(frame.type, frame.payload)

    def _victim(self, message: Entries) -> str | None:
        above = self._above if self._above is not None else 0
        for change in message.puts:
            if change.rv > above:
                return change.key
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
