"""A simulated cluster with Calico installed, ``typha serve`` on it, and the truth in the agents' language.

The truth is made of the cluster's objects by the converters and the corpus' own rule of claims, apart from the cache
and from feed views.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import msgpack

from bench.processes import BenchError, Server, Simulation
from tests.corpus.holding import held_lines
from tests.corpus.resources import Json
from tests.corpus.test_samples import standing_lines
from tests.interop.go_agent import GoAgent, digest_of
from typha.cache.log import Entry
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.downstream.calico_values import value_of
from typha.feeds.calico import calico_feeds

# A busy machine gives the loop of 400 clients a few seconds.
WAIT_S: Final = 60.0
_SETS: Final = "/apis/crd.projectcalico.org/v1/globalnetworksets"
_POOLS: Final = "/apis/crd.projectcalico.org/v1/ippools"
_PODS: Final = "/api/v1/namespaces/team-000/pods"
State = dict[str, str]


class Cluster:
    """A context. ``server`` can be stopped and started again, on the same port."""

    def __init__(self, *, pods: int, **settings: Any) -> None:
        self.simulation = Simulation(pods=pods, nodes=10, calico=True)
        self.server = Server(self.simulation, built_in_feeds=BUILT_IN_FEEDS, **settings)
        self._random = random.Random(7)
        self._made = 0

    def __enter__(self) -> Self:
        self.simulation.__enter__()
        self.server.__enter__()
        self.serve()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)
        self.simulation.__exit__(*error)

    @property
    def address(self) -> str:
        """Where agents connect."""
        return f"127.0.0.1:{self.server.port}"

    def serve(self) -> None:
        """Start the server, and wait until it is ready."""
        self.server.start()
        self.server.wait_ready()

    def agents(self, *flags: str) -> GoAgent:
        """Go agents of this server."""
        return GoAgent(self.address, *flags)

    # --- what changes

    def change(self, count: int) -> None:
        """So many writes: pods are made, relabelled and deleted; network sets and pools come, change and go."""
        for _ in range(count):
            kind, number = self._random.randrange(6), self._random.randrange(8)
            match kind:
                case 0:
                    self._made += 1
                    labels = {"made": str(self._made), "text": "a<b>&c"}
                    metadata = {"name": f"made-{self._made}", "namespace": "team-000", "labels": labels}
                    spec = {"nodeName": f"node-{number:04d}", "containers": []}
                    status = {"phase": "Running", "podIP": f"10.9.{self._made // 250}.{self._made % 250}"}
                    self.simulation.request("POST", _PODS, {"metadata": metadata, "spec": spec, "status": status})
                case 1 if self._made:
                    with suppress(BenchError):
                        self.simulation.request("DELETE", f"{_PODS}/made-{self._random.randint(1, self._made)}")
                case 2 | 3 if self._made:
                    name, labels = f"made-{self._random.randint(1, self._made)}", {"v": str(self._random.random())}
                    with suppress(BenchError):
                        self.simulation.request("PATCH", f"{_PODS}/{name}", {"metadata": {"labels": labels}})
                case 4:
                    self.set_nets(f"changing-{number}", [f"10.{number}.{self._random.randrange(250)}.0/24"])
                case _:
                    with suppress(BenchError):
                        self.simulation.request("DELETE", f"{_SETS}/changing-{number}")

    def set_nets(self, name: str, nets: Sequence[str]) -> None:
        """The network set has these."""
        body = {"metadata": {"name": name}, "spec": {"nets": list(nets)}}
        try:
            self.simulation.request("PATCH", f"{_SETS}/{name}", body)
        except BenchError:
            self.simulation.request("POST", _SETS, body)

    # --- the truth

    def lines(self, feed: str) -> list[Json]:
        """Topic, key and value of all that the feed holds, by the objects that the cluster has now."""
        built_in = calico_feeds()
        served: list[Json] = []
        for source in built_in.sources():
            resource = source.resource
            if resource.version is None:
                continue  # a kind that the simulated cluster does not have
            group = f"apis/{resource.group}" if resource.group else "api"
            listed = self.simulation.request("GET", f"/{group}/{resource.version}/{resource.plural}")
            version, kind = listed["apiVersion"], listed["kind"].removesuffix("List")
            served += [{"apiVersion": version, "kind": kind, **item} for item in listed["items"]]
        order = built_in.feeds[feed]
        found = [line for line in (*held_lines(served), *standing_lines()) if line["topic"] in order and "key" in line]
        return sorted(found, key=lambda line: order.index(line["topic"]))

    def truth(self, feed: str) -> State:
        """Key -> value as agents hold it. Of two topics with one key the feed's first counts."""
        held: State = {}
        for line in self.lines(feed):
            value = value_of(Entry(0, line["key"], msgpack.packb(line["value"]), ())).decode()
            if value:
                held.setdefault(line["key"], value)
        return held


async def wait_equal(agents: GoAgent, count: int, state: State, timeout_s: float = WAIT_S) -> None:
    """Until every one of these agents holds exactly that. Raises AssertionError with who does not."""
    wanted, deadline_at = digest_of(state), time.monotonic() + timeout_s
    while wrong := {place: each[0] for place, each in enumerate(await agents.digests(count)) if each != wanted}:
        assert time.monotonic() < deadline_at, (
            f"agents that differ, and how many keys of {wanted[0]} they hold: {wrong}"
        )
        agents.lines[:] = [line for line in agents.lines if line["is"] != "state"]
        await asyncio.sleep(0.2)


def log_of(server: Server) -> str:
    """Everything that the server logged."""
    return (Path(server.folder) / "log").read_text()
