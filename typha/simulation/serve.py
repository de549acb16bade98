"""Runs the simulated API server on loopback, inside this process.

Place: `typha demo` and tests use `serve_simulation`; `python -m typha.simulation` uses it in a process of its own.

Invariants:
1. `start` listens on the port of the first time, so that clients find a restarted server where they left it.
2. Leaving the block leaves nothing behind: no task, no socket, however silent or frozen the requests were.

Not taken: TLS; credentials are tested by `Faults.require_token`, transport security by the end-to-end tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from typha.simulation.api_server import ApiServer
from typha.simulation.cluster import Cluster
from typha.simulation.faults import Faults
from typha.simulation.store import Store
from typha.simulation.watches import Settings, Statistics

HOST = "127.0.0.1"
# Requests that a fault keeps silent are cancelled after this; nobody waits for their answers.
SHUTDOWN_S = 0.05


class SimulationServer:
    """A store served at `url`; see `serve_simulation`."""

    def __init__(self, store: Store, settings: Settings, port: int = 0) -> None:
        self.store = store
        self.faults = Faults(store)
        self.port = port
        self._api = ApiServer(store, self.faults, settings)
        self._running: tuple[web.AppRunner, socket.socket] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://{HOST}:{self.port}"

    def kubeconfig(self, path: Path | str, *, token: str | None = None) -> Path:
        """Write a kubeconfig for this server (JSON, which is YAML) to `path` and return it."""
        user = {} if token is None else {"token": token}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simulation",
            "clusters": [{"name": "simulation", "cluster": {"server": self.url}}],
            "users": [{"name": "simulation", "user": user}],
            "contexts": [{"name": "simulation", "context": {"cluster": "simulation", "user": "simulation"}}],
        }
        path = Path(path)
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def statistics(self) -> Statistics:
        """Counters since the start, over restarts."""
        return self._api.statistics()

    async def start(self) -> None:
        """Listen; OSError where the port is taken."""
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        runner = web.AppRunner(
            self._api.application(), access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        await web.SockSite(runner, listener).start()
        self._running = (runner, listener)

    async def stop(self) -> None:
        """Reset all connections and refuse new ones, as a server that was killed; `start` brings it back."""
        if self._running is None:
            return
        (runner, listener), self._running = self._running, None
        # asyncio loses a connection whose accept is under way when its server closes: accept no more, finish those.
        asyncio.get_running_loop().remove_reader(listener)
        await asyncio.sleep(0)
        self.faults.cut_open("reset")
        await runner.cleanup()
        await asyncio.sleep(0)  # transports that were told to close do it in the loop's next turn

    def close(self) -> None:
        """Let go of the store."""
        self._api.close()


@contextlib.asynccontextmanager
async def serve_simulation(
    store: Store,
    cluster: Cluster | None = None,
    port: int = 0,
    *,
    churn_per_s: float = 0.0,
    begin: asyncio.Event | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[SimulationServer]:
    """Serve `store` while the block runs; `cluster` then makes `churn_per_s` changes per second. Port 0: a free one.

    Changes begin when `begin` is set; without it at once.
    """
    server = SimulationServer(store, settings or Settings(), port)
    await server.start()
    churn = asyncio.create_task(_churn(cluster, churn_per_s, begin)) if cluster is not None and churn_per_s else None
    try:
        yield server
    finally:
        if churn is not None:
            churn.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await churn
        server.faults.clear()
        await server.stop()
        server.close()


async def _churn(cluster: Cluster, rate_per_s: float, begin: asyncio.Event | None) -> None:
    if begin is not None:
        await begin.wait()
    await cluster.run(rate_per_s)
