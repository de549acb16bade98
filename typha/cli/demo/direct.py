"""One agent without typha: it lists and watches the API server itself, and counts what that costs.

1. It does what a plain client does: pages, then a watch per resource with bookmarks; JSON, whole objects.
2. It counts bodies only; headers and chunk sizes would come on top.
"""

from __future__ import annotations

import asyncio

import aiohttp

from typha.cli.demo.proof import RESOURCES, Resource, list_all


class DirectAgent:
    """Runs until cancelled; `bytes_received` is what it has cost so far."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.bytes_received = 0
        self._session = session
        self._url = url

    async def run(self) -> None:
        """List and watch every resource of the demo."""
        async with asyncio.TaskGroup() as group:
            for resource in RESOURCES:
                group.create_task(self._follow(resource))

    async def _follow(self, resource: Resource) -> None:
        _, rv, received = await list_all(self._session, self._url, resource)
        self.bytes_received += received
        # The demo is shorter than any watch that the server would end by itself.
        query = {"watch": "1", "resourceVersion": str(rv), "allowWatchBookmarks": "true", "timeoutSeconds": "3600"}
        async with self._session.get(self._url + resource.path, params=query) as response:
            async for chunk in response.content.iter_any():
                self.bytes_received += len(chunk)
