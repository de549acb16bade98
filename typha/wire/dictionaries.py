"""The dictionaries that a server has handed to this side of one connection (docs/protocol.md, section 3).

Invariants
1. At most ``MAX_DICTIONARIES`` of at most ``MAX_DICTIONARY_BYTES``: digested, that is 400 KB of an agent's memory.
2. What is held can be used: a damaged one is a breach when it comes, not when a frame names it.

Road not taken: a fifth pushes the oldest out. Both sides would have to agree on what is old, while the server shares
its frames between connections that began at different times.
"""

from __future__ import annotations

from typing import Final

from typha.wire import messages as m
from typha.wire.compression import Dictionary
from typha.wire.errors import BadPayloadError, UnexpectedFrameError
from typha.wire.frames import FrameType

MAX_DICTIONARIES: Final = 4
# Servers send 4 or 16 KiB; more would gain nothing on deltas of 450 B.
MAX_DICTIONARY_BYTES: Final = 64 * 1024


class Dictionaries:
    """See the module. ``held`` is for a FrameDecoder."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[int, Dictionary] = {}

    def receive(self, message: m.Dictionary) -> None:
        """Hold it from the next frame on, or let it go. Raises BadPayloadError, UnexpectedFrameError."""
        number, content = message.dictionary_id, message.content
        if not content:
            if self.held.pop(number, None) is None:
                raise UnexpectedFrameError(FrameType.DICTIONARY, f"dictionary {number} ends, but was never held")
            return
        if len(content) > MAX_DICTIONARY_BYTES:
            raise BadPayloadError(
                FrameType.DICTIONARY, f"dictionary of {len(content)} bytes, at most {MAX_DICTIONARY_BYTES}"
            )
        if number in self.held:
            raise UnexpectedFrameError(FrameType.DICTIONARY, f"dictionary {number} is held already")
        if len(self.held) >= MAX_DICTIONARIES:
            raise UnexpectedFrameError(FrameType.DICTIONARY, f"more than {MAX_DICTIONARIES} dictionaries")
        try:
            dictionary = Dictionary(content)
        except ValueError as error:
            raise BadPayloadError(FrameType.DICTIONARY, f"not a zstd dictionary ({error})") from None
        if dictionary.dictionary_id != number:
            raise BadPayloadError(
                FrameType.DICTIONARY, f"dictionary {number} calls itself {dictionary.dictionary_id} in its content"
            )
        self.held[number] = dictionary
