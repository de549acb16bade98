"""Consistent LISTs over HTTP, as any client of the API server makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from typha.cli.demo.scene import path_of

if TYPE_CHECKING:
    import aiohttp

PAGE: Final = 500


async def list_all(session: aiohttp.ClientSession, url: str, resource: str) -> tuple[list[dict[str, Any]], int, int]:
    """(items, resourceVersion of the list, bytes of the answers) of a consistent LIST in pages."""
    items: list[dict[str, Any]] = []
    token, received = "", 0
    while True:
        query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
        async with session.get(url + path_of(resource), params=query) as response:
            body = await response.read()
            response.raise_for_status()
        received += len(body)
        page = json.loads(body)
        items += page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            return items, int(page["metadata"]["resourceVersion"]), received


def key_of(item: Mapping[str, Any]) -> str:
    """``namespace/name``, or ``name``."""
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])
