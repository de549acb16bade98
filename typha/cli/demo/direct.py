"""One agent without typha: it lists and watches the API server itself, and counts what that costs.

1. It does what a plain client does: pages, then a watch per resource with bookmarks; JSON, whole objects.
2. It counts bodies only; headers and chunk sizes would come on top.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import aiohttp

from typha.cli.demo.listing import list_all
from typha.cli.demo.scene import Role, Scene, path_of


class DirectAgent:
    """Runs until cancelled; ``bytes_received`` is what each resource has cost so far."""

    def __init__(self, session: aiohttp.ClientSession, url: str, resources: Iterable[str]) -> None:
        self.bytes_received: Counter[str] = Counter()
        self.resources = tuple(dict.fromkeys(resources))
        self._session = session
        self._url = url

    async def run(self) -> None:
        """List and watch every resource of the demo."""
        async with asyncio.TaskGroup() as group:
            for resource in self.resources:
                group.create_task(self._follow(resource))

    async def _follow(self, resource: str) -> None:
        _, rv, received = await list_all(self._session, self._url, resource)
        self.bytes_received[resource] += received
        # The demo is shorter than any watch that the server would end by itself.
        query = {"watch": "1", "resourceVersion": str(rv), "allowWatchBookmarks": "true", "timeoutSeconds": "3600"}
        async with self._session.get(self._url + path_of(resource), params=query) as response:
            async for chunk in response.content.iter_any():
                self.bytes_received[resource] += len(chunk)


def needed(scene: Scene, role: Role) -> set[str]:
    """The resources that an agent of that role would watch itself."""
    return {scene.resources[topic] for topic in role.topics}


def unfiltered(scene: Scene, role: Role) -> set[str]:
    """Those of them that it needs whole: what a selector could narrow is not held against direct watches."""
    return needed(scene, role) - {scene.resources[topic] for topic in role.where}
