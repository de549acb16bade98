"""A cluster that lives: one change at a time, the same ones for the same seed.

Place: writes to `store`; `serve` runs it beside the server, tests call `step`.

Invariants:
1. `step` makes exactly one change in the store, and which one depends on the seed and the steps before alone.
2. A pod is created pending, scheduled to a node, gets an address and runs, may change its labels, completes or
   terminates, and is deleted; an address is free for another pod only after that. A service's endpoints follow, later.
3. The number of pods stays within a tenth of `pods`.
4. With Calico what belongs to one event (a block, then its pod) is written by consecutive steps, one change each.

Not taken: controllers and a scheduler with reasons; watchers see the same order of changes without them.
"""

from __future__ import annotations

import asyncio
from itertools import accumulate
from random import Random
from typing import Any, Final

from typha.simulation import objects
from typha.simulation.calico.installation import Installation
from typha.simulation.pods import PodTemplates, Workload
from typha.simulation.population import POD_UID, Population
from typha.simulation.store import Store, timestamp

# Out of 100 changes; what cannot be done now (no pending pod to schedule) becomes another pod's new labels.
_WEIGHTS: Final = {
    "come_or_go": 22,
    "schedule": 18,
    "start": 18,
    "delete": 18,
    "relabel": 10,
    "heartbeat": 6,
    "endpoints": 6,
    "policy": 1,
    "namespace": 1,
}
# More to choose from with Calico: its own objects, and nodes' keys.
_CALICO_WEIGHTS: Final = {**_WEIGHTS, "calico": 12, "rotate_key": 1}
_WORKLOADS_PER_NAMESPACE: Final = 4
# Pods per namespace, so that a service has some 50 endpoints however large the cluster.
_PODS_PER_NAMESPACE: Final = 200
# The loop is never held longer than this, and never asked more often: 5 ms of changes are one write to each watch.
_SLICE_S: Final = 0.005
# What could not be done in time is forgotten after this, so that a rate too high is a load, not a growing debt.
_DEBT_S: Final = 1.0
_POLICIES: Final = "networking.k8s.io/v1/networkpolicies"


class Cluster:
    """Nodes, namespaces, services, policies and pods in `store`; ValueError where the pods do not fit the addresses.

    `calico` installs it, with one tenant for each of `namespaces`: the store must have been made with
    `calico.resources.CALICO`. `only`: every change is of that kind, where it can be done. `bare`: no services,
    endpoint slices and policies.
    """

    def __init__(
        self,
        store: Store,
        *,
        seed: int = 0,
        nodes: int = 10,
        pods: int = 100,
        namespaces: int | None = None,
        managed_fields: bool = False,
        calico: bool = False,
        only: str | None = None,
        bare: bool = False,
        runtime_ids: bool = False,
    ) -> None:
        if nodes < 1 or pods < 0 or (namespaces is not None and namespaces < 1):
            raise ValueError(
                f"a cluster has 1 node and namespace or more, 0 pods or more; got {nodes=} {namespaces=} {pods=}"
            )
        # Twice the fair share, a power of two: the scheduler is blind, and addresses are free late.
        self._block = 256
        while self._block * nodes < 2 * pods + 4 * nodes:
            self._block *= 2
        if self._block * nodes > objects.POD_ADDRESSES:
            raise ValueError(f"{pods} pods on {nodes} nodes need more addresses than 10.0.0.0/8 has: take fewer nodes")
        self.store = store
        self.changes = 0
        self._bare = bare
        self._random = Random(seed)
        weights = _CALICO_WEIGHTS if calico else _WEIGHTS
        if bare:
            weights = {kind: weight for kind, weight in weights.items() if kind not in ("endpoints", "policy")}
        if only is not None and only not in weights:
            raise ValueError(f"there is no kind of change {only!r}; there are {', '.join(weights)}")
        weights = weights if only is None else {only: 1}
        self._kinds = tuple(weights)
        self._cumulative = tuple(accumulate(weights.values()))
        self._first = pods
        self._nodes = [f"node-{number:04d}" for number in range(nodes)]
        count = namespaces or max(2, pods // _PODS_PER_NAMESPACE)
        self._namespaces = [f"team-{number:03d}" for number in range(count)]
        self._workloads = [
            Workload(space, app, f"{self._random.getrandbits(36):09x}", store.uid(POD_UID - 1 - index))
            for index, (space, app) in enumerate(
                (space, f"app-{each}") for space in self._namespaces for each in range(_WORKLOADS_PER_NAMESPACE)
            )
        ]
        self._revision = 0
        self._calico: Installation | None = None
        if calico:
            self._calico = Installation(store, seed=seed, nodes=self._nodes, spaces=self._namespaces, span=self._block)
        self._population = Population(
            store,
            self._random,
            workloads=self._workloads,
            nodes=self._nodes,
            span=self._block,
            target=pods,
            templates=PodTemplates(managed_fields=managed_fields, calico=calico, runtime_ids=runtime_ids),
            calico=self._calico,
        )

    # The whole cluster

    def populate(self) -> None:
        """Create everything, most pods running."""
        for name in (objects.SYSTEM_NAMESPACE, "default", *self._namespaces):
            self.store.create("namespaces", objects.namespace(name))
            self.store.create("serviceaccounts", objects.service_account(name))
        for number in range(len(self._nodes)):
            now = timestamp(self.store.resource_version)
            self.store.create("nodes", self._node(number, now))
        for name in () if self._bare else self._namespaces:
            self.store.create(_POLICIES, objects.network_policy(name))
        if self._calico is not None:
            self._calico.populate()
        for _ in range(self._first):
            self._population.create_first()
        if self._calico is not None:
            self._calico.populate_blocks()
        for number, workload in enumerate(() if self._bare else self._workloads):
            self.store.create("services", objects.service(workload.namespace, workload.name, number))
            self.store.create("endpointslices", self._slice(number))
        self._population.stale_slices.clear()

    @property
    def pods(self) -> int:
        """Pods that exist."""
        return self._population.count

    @property
    def is_amid(self) -> bool:
        """Whether the next step goes on with what the last one began."""
        return bool(self._population.due)

    def step(self) -> None:
        """Make one change."""
        if self._population.due:
            self._population.due.popleft()()
        else:
            self._begin(self._random.choices(self._kinds, cum_weights=self._cumulative)[0])
        self.changes += 1

    def _begin(self, kind: str) -> None:
        match kind:
            case "come_or_go":
                done = self._population.come_or_go()
            case "schedule":
                done = self._population.schedule()
            case "start":
                done = self._population.start()
            case "delete":
                done = self._population.delete()
            case "endpoints":
                done = self._update_slice()
            case "policy":
                done = self._update_policy()
            case "namespace":
                done = self._update_namespace()
            case "calico":
                done = self._change_calico()
            case "heartbeat" | "rotate_key":
                done = False
            case _:
                done = self._population.relabel()
        if not done:
            self._heartbeat(rotate=kind == "rotate_key")

    async def run(self, rate_per_s: float) -> None:
        """Make `rate_per_s` changes a second until cancelled; ValueError for a rate that is not above 0."""
        if rate_per_s <= 0:
            raise ValueError(f"changes per second must be above 0, not {rate_per_s}")
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        while True:
            now = loop.time()
            due_at = max(due_at, now - _DEBT_S)
            yield_at = now + _SLICE_S
            while due_at <= now and loop.time() < yield_at:
                self.step()
                due_at += 1 / rate_per_s
            await asyncio.sleep(_SLICE_S if due_at > now else 0)

    # The rest

    def _change_calico(self) -> bool:
        if self._calico is not None:
            self._calico.change()
        return self._calico is not None

    def _node(self, number: int, now: str) -> dict[str, Any]:
        if self._calico is not None:
            return self._calico.node(number, now)
        return objects.node(number, self._nodes[number], self._block, now)

    def _heartbeat(self, *, rotate: bool = False) -> None:
        number = self._random.randrange(len(self._nodes))
        if rotate and self._calico is not None:
            self._calico.rotate_key(number)
        # The time of the change to come: never the one that is there.
        now = f"{timestamp(self.store.resource_version)[:-1]}.{self.store.resource_version % 10}Z"
        self.store.replace("nodes", self._node(number, now))

    def _update_slice(self) -> bool:
        stale = self._population.stale_slices
        if not stale:
            return self._population.relabel()
        number = next(iter(stale))
        del stale[number]
        before = self.store.resource_version
        self.store.replace("endpointslices", self._slice(number))
        return self.store.resource_version > before

    def _update_policy(self) -> bool:
        self._revision += 1
        space = self._random.choice(self._namespaces)
        before = self.store.resource_version
        self.store.replace(_POLICIES, objects.network_policy(space, self._revision))
        return self.store.resource_version > before

    def _update_namespace(self) -> bool:
        self._revision += 1
        space = self._random.choice(self._namespaces)
        before = self.store.resource_version
        self.store.replace("namespaces", objects.namespace(space, self._revision))
        return self.store.resource_version > before

    def _slice(self, number: int) -> dict[str, object]:
        workload = self._workloads[number]
        return objects.endpoint_slice(workload.namespace, workload.name, self._population.endpoints(number))
