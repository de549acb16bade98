"""All that can go wrong on Calico's wire, drawn once::

    CalicoWireError
    ├── UnencodableError         our bug: this cannot be said in Calico's language
    └── PeerError                the peer broke the language; the connection closes, ``code`` goes to log and metrics
        ├── TooLargeError        a message, name or text is longer than this side accepts
        ├── TooManyError         more definitions, fields, elements or levels than any honest peer has
        ├── BadGobError          the bytes are not gob, or not of the shape that the message has
        ├── UnexpectedMessageError  a message that this side does not take
        └── BadSnappyError       not the snappy framing format, or damaged

Calico's wire has no message that carries an error: the peer only ever sees its connection close. Numbers are
attributes, so that a caller never parses a message.
"""

from __future__ import annotations


class CalicoWireError(Exception):
    """Base of everything raised by ``typha.calico_wire``."""


class UnencodableError(CalicoWireError):
    """We tried to write what this language cannot say: a bug on our side."""


class PeerError(CalicoWireError):
    """The peer broke the language. ``code`` is a word for log and metrics."""

    code = "protocol_error"


class TooLargeError(PeerError):
    """Something is longer than this side accepts (``length`` and ``limit`` in bytes)."""

    code = "too_large"

    def __init__(self, what: str, length: int, limit: int) -> None:
        super().__init__(f"{what} of {length} bytes; this side accepts at most {limit}")
        self.length = length
        self.limit = limit


class TooManyError(PeerError):
    """There are more of something than this side accepts (``count``, ``limit``)."""

    code = "too_many"

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(f"{count} {what}; this side accepts at most {limit}")
        self.count = count
        self.limit = limit


class BadGobError(PeerError):
    """Bytes that are not gob, or a type that does not fit the message (``reason``)."""

    code = "bad_gob"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnexpectedMessageError(PeerError):
    """A message that does not exist, or that this side never takes (``name``; empty: an envelope without one)."""

    code = "unexpected_message"

    def __init__(self, name: str) -> None:
        super().__init__(f"message {name!r} is not one that this side takes" if name else "an envelope without message")
        self.name = name


class BadSnappyError(PeerError):
    """Bytes that are not the snappy framing format (``reason``)."""

    code = "bad_snappy"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
