"""The pods of a cluster: who lives where, in which stage, and what each change of a pod writes.

Place: `cluster` decides what kind of change comes next and asks for it here; writes to `store`.

Invariants:
1. Each method that changes a pod makes exactly one change in the store, or none and answers False.
2. With Calico a pod's address is held in a block before the pod has it, and until the pod has lost it: the changes that
   belong to one event stand in `due`, to be made one after the other before anything else happens.
3. An address is free for another pod only after its pod was deleted.

Not taken: a scheduler with reasons; nodes are drawn blindly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Final
from uuid import UUID

import msgspec

from typha.simulation import objects
from typha.simulation.calico.installation import Installation, Write
from typha.simulation.objects import Endpoint
from typha.simulation.pods import Pod, PodTemplates, Stage, Workload, cni_annotations, pod_name
from typha.simulation.store import Store, timestamp

# Of the first pods, so many in a hundred are not running.
_FIRST_PENDING: Final = 2
_FIRST_SUCCEEDED: Final = 1
# The endpoints of one slice, as in Kubernetes.
_ENDPOINTS_PER_SLICE: Final = 100
# Pods' uids stand apart from those that the store gives.
POD_UID: Final = 1 << 48


class Population:
    """Pods of `workloads` on `nodes`, each with a range of `span` addresses; about `target` of them."""

    def __init__(
        self,
        store: Store,
        random: Random,
        *,
        workloads: Sequence[Workload],
        nodes: Sequence[str],
        span: int,
        target: int,
        templates: PodTemplates,
        calico: Installation | None,
    ) -> None:
        self.count = 0
        self.due: deque[Write] = deque()
        self.stale_slices: dict[int, None] = {}
        """Workloads whose endpoints have changed since `endpoints` was asked for them; the caller takes them out."""
        self._store = store
        self._random = random
        self._workloads = workloads
        self._nodes = nodes
        self._span = span
        self._target = target
        self._templates = templates
        self._calico = calico
        self._pods: list[list[Pod]] = [[] for _ in Stage]
        self._members: list[dict[int, Pod]] = [{} for _ in workloads]
        self._free_slots: list[list[int]] = [[] for _ in nodes]
        self._next_slot = [0] * len(nodes)
        self._next_number = 0
        self._revision = 0

    def create_first(self) -> None:
        """One of the pods that are there from the start, most likely running."""
        pod = self._new_pod()
        chance = self._random.randrange(100)
        if chance >= _FIRST_PENDING:
            self._give_node(pod)
            self._give_slot(pod)
            if self._calico is not None:
                self._calico.start_with(*self._place(pod))
            pod.stage = Stage.SUCCEEDED if chance < _FIRST_PENDING + _FIRST_SUCCEEDED else Stage.RUNNING
        self._enter(pod)

    def come_or_go(self) -> bool:
        """A new pod, or the end of one, so that their number stays within a tenth of the target."""
        slack = max(1, self._target // 10)
        if self.count >= self._target + slack:
            return self._finish()
        if self.count <= self._target - slack or self._random.random() < 0.5:
            self._enter(self._new_pod())
            return True
        return self._finish()

    def schedule(self) -> bool:
        """A pending pod gets its node."""
        pod = self._take(Stage.PENDING)
        if pod is None:
            return self.relabel()
        self._give_node(pod)
        pod.stage = Stage.SCHEDULED
        self._enter(pod)
        return True

    def start(self) -> bool:
        """A scheduled pod gets its address and runs."""
        pod = self._take(Stage.SCHEDULED)
        if pod is None:
            return self.relabel()
        self._give_slot(pod)

        def run() -> None:
            pod.stage = Stage.RUNNING
            self._enter(pod)

        if self._calico is not None:
            # The CNI plugin's annotations come before the kubelet's status.
            self.due += [*self._calico.take(*self._place(pod)), lambda: self._write(pod)]
        self.due.append(run)
        self.due.popleft()()
        return True

    def relabel(self) -> bool:
        """A running pod gets another revision."""
        pod = self._take(Stage.RUNNING)
        if pod is None:
            return False
        self._revision += 1
        pod.revision = self._revision
        self._enter(pod)
        return True

    def delete(self) -> bool:
        """A pod that has ended loses its address and goes."""
        pod = self._take(Stage.TERMINATING) or self._take(Stage.SUCCEEDED)
        if pod is None:
            return self.relabel()

        def clear() -> None:
            pod.is_released = True
            self._write(pod)

        def delete() -> None:
            self._store.delete("v1/pods", self._key(pod))
            self._free_slots[pod.node].append(pod.slot)
            self.count -= 1

        if self._calico is not None:
            self.due += [clear, *self._calico.release(pod.node, pod.slot)]
        self.due.append(delete)
        self.due.popleft()()
        return True

    def endpoints(self, workload: int) -> list[Endpoint]:
        """The addresses behind a workload's service."""
        members = self._members[workload]
        return [
            Endpoint(
                ip=objects.pod_ip(pod.node, pod.slot, self._span),
                node=self._nodes[pod.node],
                pod=pod_name(self._workloads[workload], pod),
                uid=self._uid(pod),
            )
            for pod in (members[number] for number in sorted(members)[:_ENDPOINTS_PER_SLICE])
        ]

    # Inside

    def _finish(self) -> bool:
        pod = self._take(Stage.RUNNING)
        if pod is None:
            return False
        pod.stage = Stage.SUCCEEDED if self._random.random() < 0.3 else Stage.TERMINATING
        self._enter(pod)
        return True

    def _new_pod(self) -> Pod:
        number = self._next_number
        self._next_number += 1
        self.count += 1
        return Pod(number, number % len(self._workloads), created_rv=self._store.resource_version)

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
        self._write(pod)
        members = self._members[pod.workload]
        if (pod.stage == Stage.RUNNING) is not (pod.number in members):
            if pod.number in members:
                del members[pod.number]
            else:
                members[pod.number] = pod
            self.stale_slices[pod.workload] = None

    def _write(self, pod: Pod) -> None:
        annotations = pod_ips = b""
        if self._calico is not None and pod.slot >= 0:
            addresses = self._calico.addresses(pod.node, pod.slot)
            annotations = cni_annotations(self._container(pod), () if pod.is_released else addresses)
            pod_ips = msgspec.json.encode([{"ip": each} for each in addresses])
        rest = self._templates.render(
            pod,
            self._workloads[pod.workload],
            uid=self._uid(pod),
            node=self._nodes[pod.node] if pod.node >= 0 else "",
            host_ip=objects.node_ip(pod.node),
            pod_ip=objects.pod_ip(pod.node, pod.slot, self._span),
            created=timestamp(pod.created_rv),
            now=timestamp(self._store.resource_version),
            annotations=annotations,
            pod_ips=pod_ips,
            **self._runtime_ids(pod),
        )
        self._store.put_encoded("v1/pods", self._key(pod), rest)

    def _place(self, pod: Pod) -> tuple[int, int, str, str, str]:
        """Who gets which address: (node, slot, namespace, name, container)."""
        workload = self._workloads[pod.workload]
        return pod.node, pod.slot, workload.namespace, pod_name(workload, pod), self._container(pod)

    def _key(self, pod: Pod) -> str:
        workload = self._workloads[pod.workload]
        return f"{workload.namespace}/{pod_name(workload, pod)}"

    def _uid(self, pod: Pod) -> str:
        uid = self._store.uid(POD_UID + pod.number)
        return str(UUID(_digest(uid)[:32], version=4)) if self._templates.has_runtime_ids else uid

    def _runtime_ids(self, pod: Pod) -> dict[str, str]:
        if not self._templates.has_runtime_ids:
            return {}
        uid = self._store.uid(POD_UID + pod.number)
        return {"container": _digest(f"{uid} 1"), "previous": _digest(f"{uid} 0")}

    def _container(self, pod: Pod) -> str:
        return self._uid(pod).replace("-", "") * 2  # 64 hex digits, as a container runtime names them

    def _give_node(self, pod: Pod) -> None:
        pod.node = self._random.randrange(len(self._nodes))

    def _give_slot(self, pod: Pod) -> None:
        free = self._free_slots[pod.node]
        if free:
            pod.slot = free.pop()  # the address that was freed last, so that addresses are soon used again
            return
        pod.slot = self._next_slot[pod.node]
        self._next_slot[pod.node] += 1


def _digest(text: str) -> str:
    """64 hex digits that look random and depend on `text` alone."""
    return sha256(text.encode()).hexdigest()
