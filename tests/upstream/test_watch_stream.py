from __future__ import annotations

import pytest

from typha.upstream.errors import (
    BadStreamError,
    LineTooLongError,
    RequestError,
    TooLargeResourceVersionError,
    WatchExpiredError,
    WatchFailedError,
)
from typha.upstream.watch_stream import Bookmark, Event, WatchStream

ADDED = b'{"type":"ADDED","object":{"metadata":{"name":"x","resourceVersion":"5"}}}\n'
DELETED = b'{"object":{"a":"line\\nbreak"},"type":"DELETED","more":1}\n'
BOOKMARK = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9","creationTimestamp":null}}}\n'
END = (
    b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"10",'
    b'"annotations":{"k8s.io/initial-events-end":"true"}}}}\n'
)
WIRE = ADDED + b"\n" + DELETED + BOOKMARK + END


def decoded(stream: WatchStream, data: bytes) -> list[tuple[str, object]]:
    return [
        (event.kind, bytes(event.object)) if isinstance(event, Event) else ("BOOKMARK", event)
        for event in stream.receive_data(data)
    ]


EXPECTED = [
    ("ADDED", b'{"metadata":{"name":"x","resourceVersion":"5"}}'),
    ("DELETED", b'{"a":"line\\nbreak"}'),
    ("BOOKMARK", Bookmark("9", initial_events_end=False)),
    ("BOOKMARK", Bookmark("10", initial_events_end=True)),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(WIRE)])
def test_cuts_do_not_matter(size: int) -> None:
    stream = WatchStream()
    events = [event for start in range(0, len(WIRE), size) for event in decoded(stream, WIRE[start : start + size])]
    assert events == EXPECTED
    assert not stream.is_mid_line


def test_begun_line_is_told() -> None:
    stream = WatchStream()
    assert decoded(stream, ADDED + b'{"type"') == EXPECTED[:1]
    assert stream.is_mid_line


def error_after(data: bytes, line_limit_bytes: int = 10_000) -> tuple[int, Exception]:
    """How many events came before the error, and the error."""
    count = 0
    try:
        for _ in WatchStream(line_limit_bytes).receive_data(data):
            count += 1
    except RequestError as error:
        return count, error
    raise AssertionError("no error was raised")


STATUS = b'{"type":"ERROR","object":{"kind":"Status","code":%d,"reason":"%s","message":"%s"%s}}\n'


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (STATUS % (410, b"Expired", b"too old resource version: 1 (5)", b""), WatchExpiredError),
        (STATUS % (410, b"Gone", b"", b""), WatchExpiredError),
        (STATUS % (500, b"InternalError", b"etcdserver: no leader", b""), WatchFailedError),
        (STATUS % (504, b"Timeout", b"Too large resource version: 9, current: 5", b""), TooLargeResourceVersionError),
        (
            STATUS % (504, b"Timeout", b"", b',"details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}'),
            TooLargeResourceVersionError,
        ),
        (b'{"type":"ERROR","object":"no status"}\n', BadStreamError),
        (b"not json\n", BadStreamError),
        (b'{"type":"ADDED"}\n', BadStreamError),
        (b'{"type":"LATER","object":{}}\n', BadStreamError),
        (b'{"type":"BOOKMARK","object":{"metadata":{}}}\n', BadStreamError),
        (b"\xff\xfe\n", BadStreamError),
    ],
)
def test_errors_come_at_their_place(line: bytes, kind: type[Exception]) -> None:
    count, error = error_after(ADDED + DELETED + line + ADDED)
    assert count == 2
    assert type(error) is kind


def test_retry_after_of_an_error_event() -> None:
    _, error = error_after(STATUS % (429, b"TooManyRequests", b"", b',"details":{"retryAfterSeconds":3}'))
    assert isinstance(error, WatchFailedError)
    assert (error.code, error.retry_after_s) == (429, 3)


def test_line_limit_holds_before_and_after_the_newline() -> None:
    assert error_after(ADDED + b"x" * 101 + b"\n", line_limit_bytes=100)[0] == 1
    _, error = error_after(b"x" * 101, line_limit_bytes=100)
    assert isinstance(error, LineTooLongError)
    assert error.limit_bytes == 100
