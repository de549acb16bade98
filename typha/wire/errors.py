"""All that can go wrong on the wire, drawn once::

    WireError
    ├── LocalProtocolError       our bug: we were about to say something that the protocol forbids
    ├── RemoteProtocolError      the peer broke the protocol; the connection closes with ``code``
    │   ├── FrameTooLargeError   its length prefix (or decompressed size) is beyond the limit
    │   ├── UnexpectedFrameError a known frame at the wrong time, from the wrong side, or of an unknown type below 64
    │   ├── TooManyFramesError   it talks more than any honest peer has reason to
    │   └── BadPayloadError      the payload is not msgpack, or not of the documented shape
    └── RefusedError             the server said no, with a code, a reason and where else to try

Numbers are attributes, so that a caller never parses a message.
"""

from __future__ import annotations


class WireError(Exception):
    """Base of everything raised by ``typha.wire``."""


class LocalProtocolError(WireError):
    """We tried to send what the protocol forbids: a bug on our side."""


class RemoteProtocolError(WireError):
    """The peer broke the protocol. ``code`` is what Close carries to it."""

    code = "protocol_error"


class FrameTooLargeError(RemoteProtocolError):
    """A frame is larger than this side accepts (``length`` and ``limit`` in bytes)."""

    code = "frame_too_large"

    def __init__(self, length: int, limit: int, what: str = "frame") -> None:
        super().__init__(f"{what} of {length} bytes; this side accepts at most {limit}")
        self.length = length
        self.limit = limit


class UnexpectedFrameError(RemoteProtocolError):
    """A frame that has no place here and now (``frame_type`` is its number)."""

    code = "unexpected_frame"

    def __init__(self, frame_type: int, why: str) -> None:
        super().__init__(f"frame type {frame_type}: {why}")
        self.frame_type = frame_type


class TooManyFramesError(RemoteProtocolError):
    """A peer floods this side with small frames (``burst`` at once, ``per_s`` on average are accepted)."""

    code = "too_many_frames"

    def __init__(self, burst: int, per_s: float) -> None:
        super().__init__(f"more than {burst} frames at once or {per_s:g} a second; a client has a few a minute to send")
        self.burst = burst
        self.per_s = per_s


class BadPayloadError(RemoteProtocolError):
    """A payload that does not decode to its documented shape (``frame_type``, ``reason``)."""

    code = "bad_payload"

    def __init__(self, frame_type: int, reason: str) -> None:
        super().__init__(f"payload of frame type {frame_type}: {reason}")
        self.frame_type = frame_type
        self.reason = reason


class RefusedError(WireError):
    """The server refused the Hello. ``retry_after_s`` is None when waiting will not help by itself."""

    def __init__(
        self, code: str, message: str, retry_after_s: float | None = None, addresses: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.addresses = addresses
