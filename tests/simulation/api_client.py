"""A small client of the simulated API server: requests as tests write them, watches as decoded lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

Json = dict[str, Any]
PODS = "/api/v1/pods"
WATCH_LIST = {
    "watch": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}


class Client:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def request(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json", **query: Any
    ) -> tuple[int, Any]:
        data = None if body is None else msgspec.json.encode(body)
        params = {name.rstrip("_"): str(value) for name, value in query.items()}
        headers = {"Content-Type": content_type} if data else {}
        async with self.session.request(method, path, data=data, params=params, headers=headers) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json"
            return answer.status, msgspec.json.decode(raw) if is_json else raw.decode()

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return await self.request("GET", path, **query)

    async def list_all(self, path: str = PODS, limit: int = 0, **query: Any) -> tuple[list[Json], str]:
        """All items over all pages, and the rv of the last page."""
        items: list[Json] = []
        token = ""
        while True:
            page = {**query, "limit": limit, **({"continue_": token} if token else {})}
            code, answer = await self.get(path, **page)
            assert code == 200, answer
            items += answer["items"]
            token = answer["metadata"].get("continue", "")
            if not token:
                return items, answer["metadata"]["resourceVersion"]

    @contextlib.asynccontextmanager
    async def watch(self, path: str = PODS, **query: Any) -> AsyncIterator[Watch]:
        params = {"watch": "true", **{name: str(value) for name, value in query.items()}}
        async with self.session.get(path, params=params) as answer:
            assert answer.status == 200, await answer.text()
            yield Watch(answer)


class Watch:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def line(self) -> bytes:
        """The next line; b"" at a clean end."""
        return await self._answer.content.readline()

    async def next(self) -> tuple[str, Json]:
        event = msgspec.json.decode(await self.line())
        return event["type"], event["object"]

    async def take(self, count: int) -> list[tuple[str, str]]:
        """Type and name of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(kind, obj["metadata"].get("name", "")) for kind, obj in events]

    async def initial(self) -> tuple[list[tuple[str, Json]], str]:
        """Events until the bookmark that ends the initial ones, and its rv."""
        events: list[tuple[str, Json]] = []
        while True:
            kind, obj = await self.next()
            if kind == "BOOKMARK":
                assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
                return events, obj["metadata"]["resourceVersion"]
            events.append((kind, obj))

    async def is_silent(self) -> bool:
        """Whether nothing comes for a while that is long against loopback."""
        try:
            await asyncio.wait_for(self.line(), 0.05)
        except TimeoutError:
            return True
        return False


def pod(name: str, namespace: str = "default", *, node: str = "", phase: str = "Running", **labels: str) -> Json:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }
