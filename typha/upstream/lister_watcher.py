"""The requests of one source: a page, a watch, a streamed list, a probe. Bytes out; what they mean is told elsewhere.

Place: `reflector` calls it; `api_session` sends.

Invariants
1. No request waits for ever: connects, first bytes and reads have limits of their own; a frozen server ends in
   `ConnectionLostError`. (A watch's silence is no error here: `silence` decides about it.)
2. A list without `not_older_than` is a consistent read; resourceVersion "0" (any cache, however old) is never used.
3. Never an unpaged list of everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import aiohttp

from typha.upstream.api_session import ApiSession
from typha.upstream.chunks import Chunks, ResponseChunks
from typha.upstream.errors import ConnectionLostError, Phase
from typha.upstream.resources import Resource, Source
from typha.upstream.settings import Settings

__all__ = ["ListerWatcher", "reading_timeout"]


def reading_timeout(settings: Settings) -> aiohttp.ClientTimeout:
    """For answers that end by themselves."""
    return aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s, sock_read=settings.read_timeout_s)


class ListerWatcher:
    """One resource in one namespace (or all) with one pair of selectors."""

    def __init__(self, session: ApiSession, resource: Resource, source: Source, settings: Settings) -> None:
        self.resource = resource
        self._session = session
        self._settings = settings
        self._path = resource.path(source.namespace)
        self._selectors = {
            name: selector
            for name, selector in (("labelSelector", source.label_selector), ("fieldSelector", source.field_selector))
            if selector
        }
        self._reading = reading_timeout(settings)
        # Several times the longest silence that `silence` allows: only a stream that nobody watches would end by it.
        idle_s = 4 * (settings.silence_s + settings.replace_after_s)
        self._streaming = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s, sock_read=idle_s)

    async def list_page(self, continue_token: str = "", not_older_than: str = "") -> bytes:
        """A page: the first, at or after `not_older_than` (""; consistent), or the one that the token continues."""
        parameters = {**self._selectors, "limit": str(self._settings.page_objects)}
        if continue_token:
            parameters["continue"] = continue_token
        elif not_older_than:
            parameters |= {"resourceVersion": not_older_than, "resourceVersionMatch": "NotOlderThan"}
        return await self._session.read("list", self._path, parameters, self._reading)

    async def probe(self) -> bytes:
        """A consistent list of one object, for the version that it shows."""
        timeout = aiohttp.ClientTimeout(
            total=self._settings.probe_timeout_s, sock_connect=self._settings.connect_timeout_s
        )
        return await self._session.read("probe", self._path, {**self._selectors, "limit": "1"}, timeout)

    def watch(self, resource_version: str, timeout_s: float) -> contextlib.AbstractAsyncContextManager[Chunks]:
        """Chunks of a watch from `resource_version` on, which the server ends after `timeout_s`."""
        return self._stream("watch", {"resourceVersion": resource_version}, timeout_s)

    def watch_list(self, not_older_than: str, timeout_s: float) -> contextlib.AbstractAsyncContextManager[Chunks]:
        """Chunks of a streamed list (consistent, or at or after `not_older_than`) that goes on as a watch."""
        parameters = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        if not_older_than:
            parameters["resourceVersion"] = not_older_than
        return self._stream("watch list", parameters, timeout_s)

    @contextlib.asynccontextmanager
    async def _stream(self, phase: Phase, parameters: Mapping[str, str], timeout_s: float) -> AsyncIterator[Chunks]:
        query = {
            **self._selectors,
            **parameters,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(timeout_s))),
        }
        async with contextlib.AsyncExitStack() as stack:
            request = self._session.request(phase, self._path, query, self._streaming)
            try:
                async with asyncio.timeout(self._settings.headers_timeout_s):
                    response = await stack.enter_async_context(request)
            except TimeoutError:
                seconds = self._settings.headers_timeout_s
                raise ConnectionLostError(phase, f"no answer within {seconds:.0f} s") from None
            # A stream that is left early is not read to its end: close it, the connection is of no further use.
            stack.callback(response.close)
            yield ResponseChunks(response)
