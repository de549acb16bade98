"""A proxy between a server and the API server that hides what a test names: one event, or everything from now on.

A watch is passed on line by line; all else as it is. Nothing is changed, so that a difference is one that a broken load
balancer, cache or API server would make.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.controlplane.controlplane import ControlPlane

_HOP_HEADERS = {"transfer-encoding", "content-length", "connection", "content-encoding", "authorization", "host"}


class HidingProxy:
    """Made by `hiding_proxy`. ``hidden``: names of objects whose watch events do not pass."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.hidden: set[str] = set()
        self.is_cut = False
        self.swallowed = 0
        self._target = f"https://127.0.0.1:{control_plane.rest.port}"
        self._headers = {"Authorization": f"Bearer {control_plane.admin.token}"}
        self._tls = control_plane.credentials.client_tls()
        self._session: aiohttp.ClientSession

    async def handle(self, request: web.Request) -> web.StreamResponse:
        async with self._session.get(
            self._target + request.path_qs, headers=self._headers, ssl=self._tls, timeout=aiohttp.ClientTimeout(None)
        ) as answer:
            headers = {name: text for name, text in answer.headers.items() if name.lower() not in _HOP_HEADERS}
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            if "watch" not in request.query:
                await response.write(await answer.read())
                return response
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if self._passes(line):
                        await response.write(line + b"\n")
            return response

    def _passes(self, line: bytes) -> bool:
        if not line:
            return True
        passes = not self.is_cut and json.loads(line)["object"]["metadata"].get("name") not in self.hidden
        self.swallowed += not passes
        return passes

    @asynccontextmanager
    async def serve(self, path: Path) -> AsyncIterator[Path]:
        """While the block runs; gives a kubeconfig that leads here."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self.handle)
        async with aiohttp.ClientSession(auto_decompress=True) as self._session:
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "proxy",
                "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "nobody", "user": {}}],
                "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
            }
            await asyncio.to_thread(path.write_text, json.dumps(config))
            try:
                yield path
            finally:
                await runner.cleanup()
