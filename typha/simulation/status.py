"""Answers that are not objects: the `Status` bodies of a real API server, word for word where clients read the words.

Place: raised by `requests`, `selectors` and `store`, turned into an HTTP answer or a watch ERROR
event by `api_server` and `watches`.

Invariants:
1. Code and reason always belong together as in k8s.io/apimachinery `pkg/api/errors`.
2. A `StatusError` is complete: nothing about the answer is added where it is sent.

Not taken: one class per reason; nothing here needs to be told apart by type, clients read the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from typha.simulation.discovery import Resource

REASONS: Final[dict[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
MESSAGES: Final[dict[int, str]] = {
    401: "Unauthorized",
    429: "Too many requests, please try again later.",
    500: "Internal error occurred: simulated",
    503: "the server is currently unable to handle the request",
    504: "request did not complete within the allotted timeout",
}


class StatusError(Exception):
    """An answer of kind `Status`: HTTP `code`, `reason`, `message`, and what a client needs to recover."""

    def __init__(
        self,
        code: int,
        message: str = "",
        *,
        reason: str = "",
        details: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        continue_token: str = "",
    ) -> None:
        self.code = code
        self.reason = reason or REASONS.get(code, "Unknown")
        self.message = message or MESSAGES.get(code, self.reason)
        self.retry_after_s = retry_after_s
        self._details = dict(details or {})
        if retry_after_s is not None:
            self._details["retryAfterSeconds"] = retry_after_s
        self._metadata = {"continue": continue_token} if continue_token else {}
        super().__init__(f"{code} {self.reason}: {self.message}")

    def body(self) -> bytes:
        """The JSON of the `Status` object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self._metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self._details:
            status["details"] = self._details
        status["code"] = self.code
        return msgspec.json.encode(status)

    def headers(self) -> dict[str, str]:
        """`Retry-After` in seconds where the answer asks for patience."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def not_found(resource: Resource, name: str) -> StatusError:
    """No object of this name."""
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return StatusError(404, f'{resource.qualified} "{name}" not found', details=details)


def already_exists(resource: Resource, name: str) -> StatusError:
    """The object to create is there already."""
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    message = f'{resource.qualified} "{name}" already exists'
    return StatusError(409, message, reason="AlreadyExists", details=details)


def conflict(resource: Resource, name: str) -> StatusError:
    """The writer's resourceVersion is not the object's."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return StatusError(409, message, details={"name": name, "kind": resource.plural})


def forbidden(resource: Resource, verb: str) -> StatusError:
    """RBAC refuses (at the start of a request only: a watch that runs goes on)."""
    message = (
        f'{resource.qualified} is forbidden: User "system:serviceaccount:typha:typha" cannot {verb} resource '
        f'"{resource.plural}" in API group "{resource.group}" at the cluster scope'
    )
    return StatusError(403, message, details={"group": resource.group, "kind": resource.plural})


def expired_watch(rv: int, oldest_rv: int) -> StatusError:
    """A watch from before the history that is held (apiserver `watch_cache.go`)."""
    return StatusError(410, f"too old resource version: {rv} ({oldest_rv})")


def expired_list() -> StatusError:
    """A list at an exact rv that is compacted (apiserver `etcd3/errors.go`)."""
    return StatusError(410, "The resourceVersion for the provided list is too old.")


def expired_continue(inconsistent_token: str) -> StatusError:
    """A page token whose rv is compacted; offers, as the real server does, a token for an inconsistent rest."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
        "the results. Continuing with the provided token results in an inconsistent list - objects that were "
        "created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return StatusError(410, message, continue_token=inconsistent_token)


def too_large(rv: int, head: int) -> StatusError:
    """A list not older than an rv that is still to come (apiserver `storage/errors.go`)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Too large resource version: {rv}, current: {head}"
    return StatusError(504, message, details={"causes": [cause]}, retry_after_s=1)


def invalid_option(field: str, message: str) -> StatusError:
    """A list or watch option that is not allowed here (apimachinery `ValidateListOptions`)."""
    text = f"Forbidden: {message}"
    cause = {"reason": "FieldValueForbidden", "message": text, "field": field}
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]}
    return StatusError(422, f'ListOptions.meta.k8s.io "" is invalid: {field}: {text}', details=details)
