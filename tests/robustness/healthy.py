"""Agents that must not notice: replicas on a thread of their own, compared with the API server at the end."""

from __future__ import annotations

import selectors
import threading
import time
from typing import Final, Self

from bench.processes import BenchError
from bench.returning_agents import ReturningAgent

_TIMEOUT_S: Final = 20.0


class HealthyAgents:
    """A context: connected and read until its end. ``failure`` is what one of them noticed, or ""."""

    def __init__(self, port: int, count: int) -> None:
        self.agents = [ReturningAgent(number) for number in range(count)]
        self.failure = ""
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, name="healthy agents")

    def __enter__(self) -> Self:
        self._thread.start()
        deadline_at = time.monotonic() + _TIMEOUT_S
        while not all(agent.is_synced for agent in self.agents):
            if self.failure or time.monotonic() > deadline_at:
                self.__exit__()
                raise BenchError(f"healthy agents are not in sync: {self.failure or 'too slow'}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for agent in self.agents:
            agent.disconnect()

    @property
    def cluster(self) -> str:
        """As the server named it."""
        return self.agents[0].replicas.cluster or ""

    @property
    def form(self) -> str:
        """Of the topic's values."""
        return self.agents[0].replicas.topics["pods"].format or ""

    def differences(self, truth: dict[str, int]) -> str:
        """ "" once all hold exactly these keys at these versions, with equal bytes; else what differs."""
        deadline_at = time.monotonic() + _TIMEOUT_S
        while any(agent.versions() != truth for agent in self.agents):
            if self.failure:
                return self.failure
            if time.monotonic() > deadline_at:
                return f"a replica differs from the API server's list of {len(truth)} pods"
            time.sleep(0.05)
        digests = {agent.replicas.topics["pods"].content_digest() for agent in self.agents}
        return "" if len(digests) == 1 else "replicas of the same versions have different values"

    def _read(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for agent in self.agents:
                    selector.register(agent.connect(self._port), selectors.EVENT_READ, agent)
                while not self._done.is_set():
                    for key, _ in selector.select(0.1):
                        key.data.read()
        except (BenchError, OSError) as error:
            self.failure = f"a healthy agent lost its connection: {error}"
