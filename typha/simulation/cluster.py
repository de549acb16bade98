"""A cluster that lives: one change at a time, the same ones for the same seed.

Place: writes to `store`; `serve` runs it beside the server, tests call `step`.

Invariants:
1. `step` makes exactly one change in the store, and which one depends on the seed and the steps before alone.
2. A pod is created pending, scheduled to a node, gets an address and runs, may change its labels, completes or
   terminates, and is deleted; an address is free for another pod only after that. A service's endpoints follow, later.
3. The number of pods stays within a tenth of `pods`.

Not taken: controllers and a scheduler with reasons; watchers see the same order of changes without them.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from typha.simulation import objects
from typha.simulation.objects import Endpoint
from typha.simulation.pods import Pod, PodTemplates, Stage, Workload, pod_name
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
_KINDS: Final = tuple(_WEIGHTS)
_CUMULATIVE: Final = tuple(sum(list(_WEIGHTS.values())[: index + 1]) for index in range(len(_WEIGHTS)))
# Of the first pods, so many in a hundred are not running.
_FIRST_PENDING: Final = 2
_FIRST_SUCCEEDED: Final = 1
# The endpoints of one slice, as in Kubernetes.
_ENDPOINTS_PER_SLICE: Final = 100
_WORKLOADS_PER_NAMESPACE: Final = 4
# Pods per namespace, so that a service has some 50 endpoints however large the cluster.
_PODS_PER_NAMESPACE: Final = 200
# The loop is never held longer than this, and never asked more often: 5 ms of changes are one write to each watch.
_SLICE_S: Final = 0.005
# What could not be done in time is forgotten after this, so that a rate too high is a load, not a growing debt.
_DEBT_S: Final = 1.0
# Pods' uids stand apart from those that the store gives.
_POD_UID: Final = 1 << 48


class Cluster:
    """Nodes, namespaces, services, policies and pods in `store`; ValueError where the pods do not fit the addresses."""

    def __init__(
        self,
        store: Store,
        *,
        seed: int = 0,
        nodes: int = 10,
        pods: int = 100,
        namespaces: int | None = None,
        managed_fields: bool = False,
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
        self._random = Random(seed)
        self._templates = PodTemplates(managed_fields=managed_fields)
        self._target = pods
        self._nodes = [f"node-{number:04d}" for number in range(nodes)]
        count = namespaces or max(2, pods // _PODS_PER_NAMESPACE)
        self._namespaces = [f"team-{number:03d}" for number in range(count)]
        self._workloads = [
            Workload(space, app, f"{self._random.getrandbits(36):09x}", store.uid(_POD_UID - 1 - index))
            for index, (space, app) in enumerate(
                (space, f"app-{each}") for space in self._namespaces for each in range(_WORKLOADS_PER_NAMESPACE)
            )
        ]
        self._pods: list[list[Pod]] = [[] for _ in Stage]
        self._members: list[dict[int, Pod]] = [{} for _ in self._workloads]
        self._stale_slices: dict[int, None] = {}
        self._free_slots: list[list[int]] = [[] for _ in self._nodes]
        self._next_slot = [0] * nodes
        self._next_number = 0
        self._revision = 0

    # The whole cluster

    def populate(self) -> None:
        """Create everything, most pods running."""
        for name in (objects.SYSTEM_NAMESPACE, "default", *self._namespaces):
            self.store.create("namespaces", objects.namespace(name))
            self.store.create("serviceaccounts", objects.service_account(name))
        for number, name in enumerate(self._nodes):
            now = timestamp(self.store.resource_version)
            self.store.create("nodes", objects.node(number, name, self._block, now))
        for name in self._namespaces:
            self.store.create("networkpolicies", objects.network_policy(name))
        for _ in range(self._target):
            self._create_first()
        for number, workload in enumerate(self._workloads):
            self.store.create("services", objects.service(workload.namespace, workload.name, number))
            self.store.create("endpointslices", self._slice(number))
        self._stale_slices.clear()

    @property
    def pods(self) -> int:
        """Pods that exist."""
        return sum(map(len, self._pods))

    def step(self) -> None:
        """Make one change."""
        match self._random.choices(_KINDS, cum_weights=_CUMULATIVE)[0]:
            case "come_or_go":
                done = self._come_or_go()
            case "schedule":
                done = self._schedule()
            case "start":
                done = self._start()
            case "delete":
                done = self._delete()
            case "endpoints":
                done = self._update_slice()
            case "policy":
                done = self._update_policy()
            case "namespace":
                done = self._update_namespace()
            case "heartbeat":
                done = False
            case _:
                done = self._relabel()
        if not done:
            self._heartbeat()
        self.changes += 1

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

    # A pod's life

    def _new_pod(self) -> Pod:
        number = self._next_number
        self._next_number += 1
        return Pod(number, number % len(self._workloads), created_rv=self.store.resource_version)

    def _create_first(self) -> None:
        pod = self._new_pod()
        chance = self._random.randrange(100)
        if chance >= _FIRST_PENDING:
            self._give_node(pod)
            self._give_slot(pod)
            pod.stage = Stage.SUCCEEDED if chance < _FIRST_PENDING + _FIRST_SUCCEEDED else Stage.RUNNING
        self._enter(pod)

    def _come_or_go(self) -> bool:
        count, slack = self.pods, max(1, self._target // 10)
        if count >= self._target + slack:
            return self._finish()
        if count <= self._target - slack or self._random.random() < 0.5:
            self._enter(self._new_pod())
            return True
        return self._finish()

    def _schedule(self) -> bool:
        pod = self._take(Stage.PENDING)
        if pod is None:
            return self._relabel()
        self._give_node(pod)
        pod.stage = Stage.SCHEDULED
        self._enter(pod)
        return True

    def _start(self) -> bool:
        pod = self._take(Stage.SCHEDULED)
        if pod is None:
            return self._relabel()
        self._give_slot(pod)
        pod.stage = Stage.RUNNING
        self._enter(pod)
        return True

    def _relabel(self) -> bool:
        pod = self._take(Stage.RUNNING)
        if pod is None:
            return False
        self._revision += 1
        pod.revision = self._revision
        self._enter(pod)
        return True

    def _finish(self) -> bool:
        pod = self._take(Stage.RUNNING)
        if pod is None:
            return False
        pod.stage = Stage.SUCCEEDED if self._random.random() < 0.3 else Stage.TERMINATING
        self._enter(pod)
        return True

    def _delete(self) -> bool:
        pod = self._take(Stage.TERMINATING) or self._take(Stage.SUCCEEDED)
        if pod is None:
            return self._relabel()
        workload = self._workloads[pod.workload]
        self.store.delete("v1/pods", f"{workload.namespace}/{pod_name(workload, pod)}")
        self._free_slots[pod.node].append(pod.slot)
        return True

    def _take(self, stage: Stage) -> Pod | None:
        """Any pod of `stage`, out of its list."""
        pods = self._pods[stage]
        if not pods:
            return None
        index = self._random.randrange(len(pods))
        pods[index], pods[-1] = pods[-1], pods[index]
        return pods.pop()

    def _enter(self, pod: Pod) -> None:
        """Write the pod as it is now, and remember it by its stage."""
        self._pods[pod.stage].append(pod)
        workload = self._workloads[pod.workload]
        rest = self._templates.render(
            pod,
            workload,
            uid=self.store.uid(_POD_UID + pod.number),
            node=self._nodes[pod.node] if pod.node >= 0 else "",
            host_ip=objects.node_ip(pod.node),
            pod_ip=objects.pod_ip(pod.node, pod.slot, self._block),
            created=timestamp(pod.created_rv),
            now=timestamp(self.store.resource_version),
        )
        self.store.put_encoded("v1/pods", f"{workload.namespace}/{pod_name(workload, pod)}", rest)
        members = self._members[pod.workload]
        if (pod.stage == Stage.RUNNING) is not (pod.number in members):
            if pod.number in members:
                del members[pod.number]
            else:
                members[pod.number] = pod
            self._stale_slices[pod.workload] = None

    def _give_node(self, pod: Pod) -> None:
        pod.node = self._random.randrange(len(self._nodes))

    def _give_slot(self, pod: Pod) -> None:
        free = self._free_slots[pod.node]
        if free:
            pod.slot = free.pop()  # the address that was freed last, so that addresses are soon used again
            return
        pod.slot = self._next_slot[pod.node]
        self._next_slot[pod.node] += 1

    # The rest

    def _heartbeat(self) -> None:
        number = self._random.randrange(len(self._nodes))
        # The time of the change to come: never the one that is there.
        now = f"{timestamp(self.store.resource_version)[:-1]}.{self.store.resource_version % 10}Z"
        self.store.replace("nodes", objects.node(number, self._nodes[number], self._block, now))

    def _update_slice(self) -> bool:
        if not self._stale_slices:
            return self._relabel()
        number = next(iter(self._stale_slices))
        del self._stale_slices[number]
        before = self.store.resource_version
        self.store.replace("endpointslices", self._slice(number))
        return self.store.resource_version > before

    def _update_policy(self) -> bool:
        self._revision += 1
        space = self._random.choice(self._namespaces)
        before = self.store.resource_version
        self.store.replace("networkpolicies", objects.network_policy(space, self._revision))
        return self.store.resource_version > before

    def _update_namespace(self) -> bool:
        self._revision += 1
        space = self._random.choice(self._namespaces)
        before = self.store.resource_version
        self.store.replace("namespaces", objects.namespace(space, self._revision))
        return self.store.resource_version > before

    def _slice(self, number: int) -> dict[str, object]:
        workload = self._workloads[number]
        members = [self._members[number][each] for each in sorted(self._members[number])[:_ENDPOINTS_PER_SLICE]]
        endpoints = [
            Endpoint(
                ip=objects.pod_ip(pod.node, pod.slot, self._block),
                node=self._nodes[pod.node],
                pod=pod_name(workload, pod),
                uid=self.store.uid(_POD_UID + pod.number),
            )
            for pod in members
        ]
        return objects.endpoint_slice(workload.namespace, workload.name, endpoints)
