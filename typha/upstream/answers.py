"""What the API server says instead of what was asked for: `Status` bodies to typed errors. Pure.

Place: `api_session` gives it every answer but 200, `watch_stream` every ERROR event.

Invariants
1. Every answer becomes exactly one error; a body that cannot be read changes its text only.
2. The server's message is shortened to one line; it may come from anything between here and there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from typha.upstream.errors import (
    BadAnswerError,
    BadStreamError,
    DiscoveryFailedError,
    ForbiddenError,
    ListExpiredError,
    ListFailedError,
    Phase,
    RequestError,
    ResourceNotFoundError,
    TooLargeResourceVersionError,
    UnauthorizedError,
    WatchExpiredError,
    WatchFailedError,
    WatchListUnsupportedError,
)

__all__ = ["error_of_answer", "error_of_event"]

# Longer is a stack trace or a proxy's page; a status line shows one line.
_MESSAGE_LIMIT: Final = 300
# k8s.io/apiserver `storage/errors.go`: NewTooLargeResourceVersionError.
_TOO_LARGE_CAUSE: Final = "ResourceVersionTooLarge"
_TOO_LARGE_TEXT: Final = "Too large resource version"


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct, rename={"retry_after_s": "retryAfterSeconds"}):
    causes: list[_Cause] | None = None
    retry_after_s: float | None = None


class _Status(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_decode_status = msgspec.json.Decoder(_Status).decode


def error_of_answer(phase: Phase, code: int, body: bytes, retry_after: str | None = None) -> RequestError:
    """The error of an HTTP answer. `retry_after`: the header (seconds; a date is not understood and ignored)."""
    try:
        status = _decode_status(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        status = _Status(message=body.decode(errors="replace"))
    header_s = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return _error(phase, code, status, header_s)


def error_of_event(body: bytes) -> RequestError:
    """The error of a watch's ERROR event, whose object should be a `Status`."""
    try:
        status = _decode_status(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return BadStreamError("watch", f"an ERROR event without a Status: {error}")
    return _error("watch", status.code, status, None)


def _error(phase: Phase, code: int, status: _Status, retry_after_s: float | None) -> RequestError:
    message = " ".join(status.message.split())[:_MESSAGE_LIMIT] or status.reason or "no reason given"
    details = status.details or _Details()
    if retry_after_s is None:
        retry_after_s = details.retry_after_s
    too_large = any(cause.reason == _TOO_LARGE_CAUSE for cause in details.causes or ())
    if too_large or _TOO_LARGE_TEXT in status.message:
        kind: type[RequestError] = TooLargeResourceVersionError
    else:
        kind = _kind(phase, code, status.reason)
    return kind(phase, message, code=code, retry_after_s=retry_after_s)


def _kind(phase: Phase, code: int, reason: str) -> type[RequestError]:
    if code == 401:
        return UnauthorizedError
    if code == 403:
        return ForbiddenError
    if code == 404:
        return ResourceNotFoundError
    if code == 410 or reason in {"Expired", "Gone"}:
        return ListExpiredError if phase == "list" else WatchExpiredError
    if phase == "watch list" and code in {400, 422}:
        # The feature gate is off ("sendInitialEvents is forbidden ..."), or the resource's storage cannot.
        return WatchListUnsupportedError
    if 200 <= code < 400:
        return BadAnswerError
    if phase == "discovery":
        return DiscoveryFailedError
    return WatchFailedError if phase in {"watch", "watch list"} else ListFailedError
