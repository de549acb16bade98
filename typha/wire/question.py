"""How loaded is this server? A Hello that subscribes to nothing, and what comes back. Pure.

Its place: agents ask two servers before they choose one, servers ask each other before they have anybody move.

Invariants
1. The answer is one Welcome without topics, or one Refused; whatever else comes is a breach.
2. After a Welcome the connection is as it was before: the next Hello may be another question, or subscribe.

Road not taken: a load in every frame that a server sends. Who looks for a server has no connection to it.
"""

from __future__ import annotations

from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.errors import RefusedError, RemoteProtocolError, UnexpectedFrameError
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.states import PROTOCOL_MAX, PROTOCOL_MIN


def is_question(hello: m.Hello) -> bool:
    """Whether a Hello subscribes to nothing."""
    return hello.feed is None and not hello.topics


class Question:
    """One question on one connection: send ``data``, give ``receive_data`` what comes until it answers."""

    def __init__(self, node: str, agent: str, token: str | None = None) -> None:
        self.data = encode_message(m.Hello(node, agent, protocol=(PROTOCOL_MIN, PROTOCOL_MAX), token=token))
        # A Welcome without topics is below 300 bytes, a Refused below 64 KiB whatever it says.
        self._decoder = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)

    def receive_data(self, data: bytes) -> m.Welcome | None:
        """The answer, None while it is not whole. Raises RefusedError, RemoteProtocolError (a breach)."""
        self._decoder.receive_data(data)
        while (frame := self._decoder.next_frame()) is not None:
            match decode_message(frame):
                case m.Welcome() as welcome if not welcome.topics:
                    return welcome
                case m.Refused() as refused:
                    raise RefusedError(refused.code, refused.message, refused.retry_after_s, refused.addresses)
                case m.Close() as close:
                    raise RemoteProtocolError(f"closed instead of an answer: {close.code}: {close.message}")
                case None:
                    continue
                case _:
                    raise UnexpectedFrameError(frame.type, "not an answer to a Hello that subscribes to nothing")
        return None
