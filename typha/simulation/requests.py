"""A request's path and query, read as the API server reads them.

Place: the first step of `api_server`; pure.

Invariants:
1. A path names a registered resource or it is none of ours: the caller answers plain `404 page not found`.
2. Options that contradict each other are a `StatusError` of the real server's code, before anything is served.

Not taken: a route per resource; resources come and go while the server runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from typha.simulation.selectors import EVERYTHING, Selection, parse_selection
from typha.simulation.status import StatusError, invalid_option, too_large
from typha.simulation.store import Store
from typha.simulation.table import Table

_SUBRESOURCES: Final = frozenset({"status"})
_MATCHES: Final = frozenset({"", "NotOlderThan", "Exact"})

__all__ = ["Options", "Target", "check_list", "parse_options", "parse_path"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a collection (`name` is ""), an object, or its status."""

    table: Table
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> str:
        """The object's key in its table."""
        return f"{self.namespace}/{self.name}" if self.table.resource.namespaced else self.name


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a list or watch; `resource_version` is None where absent; times in seconds."""

    watch: bool = False
    namespace: str = ""
    selection: Selection = EVERYTHING
    limit: int = 0
    token: str = ""
    resource_version: int | None = None
    match: str = ""
    timeout_s: float | None = None
    bookmarks: bool = False
    initial_events: bool | None = None

    @property
    def verb(self) -> str:
        """`list`, `continue` (a later page), `watch` or `watchlist`."""
        if self.watch:
            return "watchlist" if self.initial_events else "watch"
        return "continue" if self.token else "list"


def parse_path(store: Store, path: str) -> Target | None:
    """The target of `/api/v1/...` or `/apis/<group>/<version>/...`; None where nothing of that name is served."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        version, rest = "/".join(parts[1:2]), parts[2:]
    elif parts[0] == "apis":
        version, rest = "/".join(parts[1:3]), parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in _SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3 or (len(rest) == 3 and rest[2] not in _SUBRESOURCES):
        return None
    try:
        table = store.table(f"{version}/{rest[0]}")
    except KeyError:
        return None
    named = len(rest) > 1
    if table.resource.namespaced is not bool(namespace) and (named or namespace):
        return None
    return Target(table, namespace, *rest[1:])


def parse_options(target: Target, query: Mapping[str, str]) -> Options:
    """The options in `query`; StatusError 400 names one that cannot be read, 422 one that is not allowed here."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    rv = query.get("resourceVersion", "")
    timeout_s = query.get("timeoutSeconds", "")
    options = Options(
        watch=_boolean(query, "watch") is True,
        namespace=target.namespace,
        selection=parse_selection(target.table.resource.plural, labels, fields),
        limit=_number(query.get("limit", ""), "limit") or 0,
        token=query.get("continue", ""),
        resource_version=_number(rv, "resourceVersion"),
        match=query.get("resourceVersionMatch", ""),
        timeout_s=_number(timeout_s, "timeoutSeconds"),
        bookmarks=_boolean(query, "allowWatchBookmarks") is True,
        initial_events=_boolean(query, "sendInitialEvents"),
    )
    _check(options)
    return options


def check_list(options: Options, head: int) -> int | None:
    """The exact rv that a list must show, None for the present; StatusError where `head` is not there yet."""
    rv = options.resource_version
    if not rv or options.token:
        return None
    if rv > head:
        raise too_large(rv, head)
    return rv if options.match == "Exact" else None


def _check(options: Options) -> None:
    if options.match not in _MATCHES:
        raise invalid_option("resourceVersionMatch", f"unsupported value {options.match!r}: NotOlderThan or Exact")
    if options.watch:
        if options.initial_events is not None and options.match != "NotOlderThan":
            message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise invalid_option("resourceVersionMatch", message)
        if options.match and options.initial_events is None:
            message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise invalid_option("resourceVersionMatch", message)
        return
    if options.initial_events is not None:
        raise invalid_option("sendInitialEvents", "sendInitialEvents is forbidden for list")
    if options.token and options.resource_version:
        raise StatusError(400, "specifying resource version is not allowed when using continue")
    if options.match and options.resource_version is None:
        message = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_option("resourceVersionMatch", message)
    if options.match and options.token:
        message = "resourceVersionMatch is forbidden when continue is provided"
        raise invalid_option("resourceVersionMatch", message)
    if options.match == "Exact" and not options.resource_version:
        raise invalid_option("resourceVersionMatch", '"exact" is forbidden for resourceVersion "0"')


def _number(text: str, name: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise StatusError(400, f'{name}: Invalid value: "{text}": must be a whole number, 0 or more')
    return int(text)


def _boolean(query: Mapping[str, str], name: str) -> bool | None:
    text = query.get(name)
    if text is None:
        return None
    if text.lower() in {"1", "true", ""}:
        return True
    if text.lower() in {"0", "false"}:
        return False
    raise StatusError(400, f'{name}: Invalid value: "{text}": must be true or false')
