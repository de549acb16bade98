"""A reflector on a simulated API server over loopback, its topics, and the truth to compare them with."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import msgpack
from kubernetes_asyncio.client import Configuration

from tests.upstream.manual_clock import ManualClock
from typha import feeds
from typha.cache.topic import Topic
from typha.simulation.serve import SimulationServer
from typha.simulation.store import Store, decode
from typha.upstream.api_session import ApiSession
from typha.upstream.clock import Clock
from typha.upstream.reflector import Reflector, Target
from typha.upstream.settings import Settings
from typha.upstream.statistics import State
from typha.wire.states import TopicState

PODS = "v1/pods"
QUICK = Settings(
    watch_list=False,
    page_objects=5,
    probe_timeout_s=2.0,
    read_timeout_s=2.0,
    headers_timeout_s=2.0,
    absent_poll_s=0.02,
    absent_confirm_s=0.08,
)
STREAMED = dataclasses.replace(QUICK, watch_list=True)


def pod(name: str, *, namespace: str = "a", node: str = "n1", phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name},
            "managedFields": [{"manager": "m"}],
        },
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


class Rig:
    """One reflector; `topic` is its first topic."""

    def __init__(
        self,
        server: SimulationServer,
        *,
        settings: Settings = QUICK,
        clock: Clock | None = None,
        topics: dict[str, dict[str, Any]] | None = None,
        token: str | None = None,
        random: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.server = server
        self.store: Store = server.store
        self.faults = server.faults
        self.token = token
        self.loads = 0
        self.session = ApiSession(self._load)
        self.clock: Clock = clock or ManualClock()
        specs = feeds.parse(topics or {"pods": {"resource": PODS}}, {})
        self.topics = {
            spec.name: Topic(spec.name, number, form=spec.form, attributes=spec.attributes)
            for number, spec in enumerate(specs.topics.values())
        }
        self.topic = next(iter(self.topics.values()))
        self.restored: list[str] = []
        [(source, members)] = specs.sources().items()
        self.reflector = Reflector(
            self.session,
            source,
            [Target(self.topics[spec.name], spec.make_converter) for spec in members],
            clock=self.clock,
            random=random,
            on_restored=self._on_restored,
            settings=settings,
        )
        self._task: asyncio.Task[None] | None = None

    async def _load(self) -> Configuration:
        self.loads += 1
        configuration = Configuration(host=self.server.url)
        if self.token is not None:
            configuration.api_key["BearerToken"] = f"Bearer {self.token}"
        return configuration

    def _on_restored(self, why: str) -> None:
        self.restored.append(why)
        for topic in self.topics.values():
            topic.restart(self.clock.now())
        self.reflector.restart()

    async def start(self) -> None:
        await self.session.open()
        self._task = asyncio.create_task(self.reflector.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.session.close()

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Let real sockets work until `condition` holds."""
        async with asyncio.timeout(10):
            while not condition():
                assert self._task is None or not self._task.done(), "the reflector ended"
                await asyncio.sleep(0.002)

    async def synced(self) -> None:
        """In sync, following, and equal to the truth."""
        await self.until(lambda: self.topic.state is TopicState.IN_SYNC and self.reflector.state is State.WATCH)
        await self.until(self.equals_truth)

    async def following(self) -> None:
        """Synced, and the watch is open at the server."""
        await self.synced()
        await self.until(lambda: bool(self.server.statistics().open_watches[self._plural]))

    @property
    def _plural(self) -> str:
        return self.reflector.source.resource.plural

    def held(self, name: str | None = None) -> dict[str, Any]:
        """Key -> value of a topic, decoded."""
        topic = self.topic if name is None else self.topics[name]
        return {key: msgpack.unpackb(entry.value, strict_map_key=False) for key, entry in topic.log.entries.items()}

    def truth(self, resource: str | None = None) -> dict[str, Any]:
        """Key -> object at the server, as passthrough shows it."""
        table = self.store.table(resource or str(self.reflector.source.resource))
        shown = {}
        for key, stored in table.objects.items():
            decoded = decode(stored)
            decoded["metadata"].pop("managedFields", None)
            shown[key] = {"apiVersion": table.resource.api_version, "kind": table.resource.kind, **decoded}
        return shown

    def equals_truth(self) -> bool:
        return self.held() == self.truth()

    @property
    def failures(self) -> dict[str, int]:
        return self.reflector.statistics().failures

    @property
    def state(self) -> TopicState:
        # A property and not the attribute: mypy would take its value before an await for its value after it.
        return self.topic.state
