"""Bytes of a watch to events. Pure: `receive_data` in, events out.

Place: `reflector` feeds it with what `lister_watcher` reads, and hands the events to `ingest`.

Invariants
1. However the bytes are cut, the same events come out in the same order.
2. Of an event only the envelope is decoded (`type`, and a bookmark's own fields); its object stays raw.
3. No more than `line_limit_bytes` are held back for one line.
4. An error (ERROR event, a line that is none) is raised at its place: the events before it have been given out.

Road not taken: `readline` of the stream, which costs twice the time and has its own limit of another meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from typha.upstream.answers import error_of_event
from typha.upstream.errors import BadStreamError, LineTooLongError

__all__ = ["LINE_LIMIT_BYTES", "Bookmark", "Event", "WatchStream"]

# etcd takes 1.5 MiB by default and is rarely allowed more than 4; as JSON an object can double.
LINE_LIMIT_BYTES: Final = 8 * 1024 * 1024

_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class Event(NamedTuple):
    """ADDED, MODIFIED or DELETED, and the object's JSON."""

    kind: str
    object: msgspec.Raw

    @property
    def is_delete(self) -> bool:
        """Whether the object is gone."""
        return self.kind == "DELETED"


class Bookmark(NamedTuple):
    """All up to `resource_version` has been sent; with `initial_events_end` that was a WatchList's list."""

    resource_version: str
    initial_events_end: bool


class _Envelope(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, rename={"resource_version": "resourceVersion"}):
    resource_version: str
    annotations: dict[str, str] | None = None


class _Marked(msgspec.Struct):
    metadata: _Metadata


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_marked = msgspec.json.Decoder(_Marked).decode


class WatchStream:
    """One watch. It is over with its connection."""

    def __init__(self, line_limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._line_limit_bytes = line_limit_bytes
        self._partial: list[bytes] = []
        self._partial_bytes = 0

    @property
    def is_mid_line(self) -> bool:
        """Whether a line has begun and not ended; a connection that ends here broke."""
        return self._partial_bytes > 0

    def receive_data(self, data: bytes) -> Iterator[Event | Bookmark]:
        """Events that are complete with `data`. Raises BadStreamError, or the error that the server sent."""
        end = data.find(b"\n")
        if end < 0:
            self._keep(data)
            return
        lines = data.split(b"\n")
        if self._partial:
            self._keep(lines[0])
            lines[0] = b"".join(self._partial)
            self._partial.clear()
            self._partial_bytes = 0
        rest = lines.pop()
        for line in lines:
            if line:
                yield self._decode(line)
        if rest:
            self._keep(rest)

    def _keep(self, part: bytes) -> None:
        self._partial_bytes += len(part)
        if self._partial_bytes > self._line_limit_bytes:
            raise LineTooLongError(self._line_limit_bytes)
        self._partial.append(part)

    def _decode(self, line: bytes) -> Event | Bookmark:
        if len(line) > self._line_limit_bytes:
            raise LineTooLongError(self._line_limit_bytes)
        try:
            envelope = _decode_envelope(line)
            match envelope.type:
                case "ADDED" | "MODIFIED" | "DELETED":
                    return Event(envelope.type, envelope.object)
                case "BOOKMARK":
                    metadata = _decode_marked(envelope.object).metadata
                    ended = (metadata.annotations or {}).get(_INITIAL_EVENTS_END) == "true"
                    return Bookmark(metadata.resource_version, ended)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadStreamError("watch", f"a line is not a watch event: {error}") from None
        if envelope.type == "ERROR":
            raise error_of_event(bytes(envelope.object))
        raise BadStreamError("watch", f"an event of unknown type {envelope.type[:40]!r}")
