"""A whole list into a `ListIngest`: page by page, or from the start of a streamed list.

Place: `reflector` begins and commits; this is what lies between.

Invariants
1. The result is the version of the whole list: all pages show it, or the list failed.
2. At any moment no more than one page is in memory.
"""

from __future__ import annotations

import asyncio

from typha.upstream.errors import (
    ConnectionLostError,
    InconsistentListError,
    LineTooLongError,
    StreamSilentError,
    WatchListUnsupportedError,
)
from typha.upstream.ingest import ListIngest
from typha.upstream.lister_watcher import ListerWatcher
from typha.upstream.loading_pace import Pace
from typha.upstream.pages import parse_page
from typha.upstream.watch_session import WatchSession

__all__ = ["load_initial_events", "load_pages"]


async def load_pages(lister_watcher: ListerWatcher, loading: ListIngest, not_older_than: str, budget_s: float) -> str:
    """All pages. Raises RequestError, RestoredError."""
    pace = Pace(budget_s)
    list_rv = token = ""
    while True:
        page = parse_page(await lister_watcher.list_page(token, not_older_than))
        list_rv = list_rv or page.resource_version
        if page.resource_version != list_rv:
            raise InconsistentListError(list_rv, page.resource_version)
        pace.restart()
        while page.items:
            loading.put(page.items.pop())
            if pace.is_due():
                await asyncio.sleep(0)
                pace.restart()
        token = page.continue_token
        if not token:
            return list_rv


async def load_initial_events(session: WatchSession, loading: ListIngest, *, was_silent: bool) -> str:
    """A streamed list. `was_silent`: the one before brought nothing. Raises RequestError, RestoredError."""
    try:
        return await session.load(loading)
    except StreamSilentError as error:
        # Events and then no end: a server that does not know sendInitialEvents. Nothing at all may be an outage; twice
        # in a row it is such a server, and the resource is empty.
        kind = WatchListUnsupportedError if session.has_events or was_silent else ConnectionLostError
        raise kind("watch list", error.message) from None
    except LineTooLongError as error:
        raise WatchListUnsupportedError("watch list", error.message) from None
