"""All that can go wrong upstream, one tree; `recovery` maps each leaf to exactly one recovery.

UpstreamError
  CredentialsError                 what the configuration or the plugin gives is not usable
  RequestError                     about one request: `phase`, and `code` where the server answered
    ConnectionLostError            no connection, or it broke
      TlsFailedError               the two sides do not accept each other's certificate
    StreamSilentError              a watch that is silent while the server answers
    ListFailedError                429, 5xx and all answers that nothing below names
    WatchFailedError               the same of a watch, also as an ERROR event
    DiscoveryFailedError           the same of discovery
    ListExpiredError               410 in the middle of a list
    WatchExpiredError              410: the history from `head` on is gone
    TooLargeResourceVersionError   the server has not reached the version asked for
    InconsistentListError          two pages of one list show two versions
    UnauthorizedError              401
    ForbiddenError                 403
    ResourceNotFoundError          404 of the resource itself
    WatchListUnsupportedError      the server does not stream lists
    BadAnswerError                 an answer that is not what the API promises
    BadStreamError                 the same of a watch's line
      LineTooLongError             ... which is longer than any object may be
"""

from __future__ import annotations

from typing import Literal

Phase = Literal["discovery", "list", "watch", "watch list", "probe", "cluster", "token review", "review"]


class UpstreamError(Exception):
    """The root. Its text is one line for the operator."""


class CredentialsError(UpstreamError):
    """Credentials or the way to the API server cannot be made out; the text names the variable or file."""


class RequestError(UpstreamError):
    """A request that failed in `phase`. `retry_after_s`: the server's wish, in seconds, or None.

    `generation`: of the credentials it was made with (0: not known).
    """

    generation = 0

    def __init__(
        self, phase: Phase, message: str, *, code: int | None = None, retry_after_s: float | None = None
    ) -> None:
        self.phase: Phase = phase
        self.message = message
        self.code = code
        self.retry_after_s = retry_after_s
        super().__init__(f"{phase}: {message}" if code is None else f"{phase}: {code}: {message}")


class ConnectionLostError(RequestError):
    """No connection, a timeout, a reset, an end in the middle."""


class TlsFailedError(ConnectionLostError):
    """The certificate of one side is not accepted by the other; credentials are read anew."""


class StreamSilentError(RequestError):
    """The stream brought nothing for `silent_s` although the server answers a probe."""

    def __init__(self, silent_s: float) -> None:
        self.silent_s = silent_s
        super().__init__("watch", f"silent for {silent_s:.0f} s while the API server answers")


class ListFailedError(RequestError):
    """A list (or probe, or read of the cluster's identity) was answered with an error of no other class."""


class WatchFailedError(RequestError):
    """A watch was answered, or ended, with an error of no other class."""


class DiscoveryFailedError(RequestError):
    """Discovery was answered with an error of no other class, or contradicts the configuration."""


class ListExpiredError(RequestError):
    """410 in the middle of a list: its version was compacted away; the list starts over."""


class WatchExpiredError(RequestError):
    """410: the events after `head` are no longer known."""


class TooLargeResourceVersionError(RequestError):
    """The server is behind the version asked for: it has just started, or etcd was restored."""


class InconsistentListError(RequestError):
    """Pages of one list show `first` and `then`: never mixed, the list starts over."""

    def __init__(self, first: str, then: str) -> None:
        self.first = first
        self.then = then
        super().__init__("list", f"pages of one list show resourceVersion {first} and then {then}")


class UnauthorizedError(RequestError):
    """401."""


class ForbiddenError(RequestError):
    """403: the rights are missing; the message names verb, resource and identity."""


class ResourceNotFoundError(RequestError):
    """404 of the resource itself: no such group, version or plural (now)."""


class WatchListUnsupportedError(RequestError):
    """No streamed list from this server: pages instead."""


class BadAnswerError(RequestError):
    """The body is not the JSON that the API promises."""


class BadStreamError(RequestError):
    """A line of a watch is not an event; the next ones cannot be trusted."""


class LineTooLongError(BadStreamError):
    """More than `limit_bytes` without a newline."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__("watch", f"a line is longer than {limit_bytes} bytes")
