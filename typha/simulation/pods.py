"""Pods as they look through their lives, as bytes made from templates.

Place: `cluster` renders each change of a pod with `render` and hands it to `Store.put_encoded`. Pure.

Invariants:
1. A pod's bytes are a function of its `Pod`, its `Workload` and the template alone.
2. A running pod is about 1.6 KB of JSON with the parts that converters read: labels, owner, node, IPs, conditions,
   containers, volumes, tolerations.
3. Names are unique over a cluster's life: the suffix is a permutation of the pod's number.

Not taken: a dict per pod encoded each time (five times as slow, and 100,000 of them come at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import product
from typing import Any, Final

import msgspec

# The alphabet of generated names (apimachinery `util/rand`): no vowels, so no words.
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_PAIRS: Final = tuple(map("".join, product(_ALPHABET, repeat=2)))
_TRIPLES: Final = tuple(map("".join, product(_ALPHABET, repeat=3)))
_SUFFIXES: Final = len(_TRIPLES) * len(_PAIRS)
# Prime to the number of suffixes (a power of 3): multiplication is a permutation, neighbours get unlike names.
_SCATTER: Final = 5_882_353


class Stage(IntEnum):
    """Where a pod is in its life."""

    PENDING = 0
    SCHEDULED = 1
    RUNNING = 2
    SUCCEEDED = 3
    TERMINATING = 4


class Workload(msgspec.Struct, frozen=True):
    """What makes pods: a Deployment `name` in `namespace` with one ReplicaSet of `template_hash`."""

    namespace: str
    name: str
    template_hash: str
    uid: str


class Pod(msgspec.Struct, gc=False):
    """A living pod. `slot` is its address in the node's block, -1 without one; rvs are times (`store.timestamp`).

    `is_released`: Calico has taken its address back, and the pod is about to go.
    """

    number: int
    workload: int
    stage: int = Stage.PENDING
    node: int = -1
    slot: int = -1
    revision: int = 0
    created_rv: int = 0
    is_released: bool = False


def suffix(number: int) -> str:
    """Five characters, another for each of the first 14 million numbers."""
    left, right = divmod(number * _SCATTER % _SUFFIXES, len(_PAIRS))
    return _TRIPLES[left] + _PAIRS[right]


def pod_name(workload: Workload, pod: Pod) -> str:
    """`deployment-hash-suffix`."""
    return f"{workload.name}-{workload.template_hash}-{suffix(pod.number)}"


class PodTemplates:
    """One template per stage.

    `managed_fields` adds the field managers' records that real pods carry (0.6 KB more), `calico` room for what its
    CNI plugin writes: the annotations, and addresses of both families; `runtime_ids` the ids that a container runtime
    gives, which make most of what is left of a compressed pod (10 to 1; without them 30 to 1).
    """

    def __init__(self, *, managed_fields: bool = False, calico: bool = False, runtime_ids: bool = False) -> None:
        self.has_runtime_ids = runtime_ids
        self._templates = [
            _template(stage, managed_fields=managed_fields, calico=calico, runtime_ids=runtime_ids) for stage in Stage
        ]

    def render(
        self,
        pod: Pod,
        workload: Workload,
        *,
        uid: str,
        node: str,
        host_ip: str,
        pod_ip: str,
        created: str,
        now: str,
        annotations: bytes = b"",
        pod_ips: bytes = b"",
        container: str = "",
        previous: str = "",
    ) -> bytes:
        """The pod's JSON after its resourceVersion (`table.stamp`).

        With `calico`: `annotations` (a JSON object, or nothing) and `pod_ips` (a JSON list) are taken as they are.
        With `runtime_ids`: 64 hex digits of the container, and of the one before its restart.
        """
        name = pod_name(workload, pod)
        return self._templates[pod.stage] % {
            b"name": name.encode(),
            b"app": workload.name.encode(),
            b"hash": workload.template_hash.encode(),
            b"namespace": workload.namespace.encode(),
            b"uid": uid.encode(),
            b"owner": workload.uid.encode(),
            b"revision": b"%d" % pod.revision,
            b"node": node.encode(),
            b"host_ip": host_ip.encode(),
            b"pod_ip": pod_ip.encode(),
            b"created": created.encode(),
            b"now": now.encode(),
            b"annotations": annotations or b"{}",
            b"pod_ips": pod_ips,
            b"container": container.encode(),
            b"previous": previous.encode(),
        }


def cni_annotations(container: str, addresses: Sequence[str]) -> bytes:
    """What Calico's CNI plugin writes into a pod, as JSON; no addresses: what it leaves there when it is done."""
    found = [f"{each}/{128 if ':' in each else 32}" for each in addresses]
    prefix = "cni.projectcalico.org/"
    texts = {"containerID": container, "podIP": found[0] if found else "", "podIPs": ",".join(found)}
    return msgspec.json.encode({f"{prefix}{name}": text for name, text in texts.items()})


def _template(stage: Stage, *, managed_fields: bool, calico: bool, runtime_ids: bool) -> bytes:
    metadata: dict[str, Any] = {
        "name": "@name@",
        "generateName": "@app@-@hash@-",
        "namespace": "@namespace@",
        "uid": "@uid@",
        "creationTimestamp": "@created@",
        "labels": {"app": "@app@", "pod-template-hash": "@hash@", "revision": "r@revision@"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "@app@-@hash@",
                "uid": "@owner@",
                "controller": True,
            }
        ],
    }
    if calico:
        metadata["annotations"] = "@annotations@"
    if stage is Stage.TERMINATING:
        metadata |= {"deletionTimestamp": "@now@", "deletionGracePeriodSeconds": 30}
    if managed_fields:
        metadata["managedFields"] = _managed_fields()
    spec = _spec()
    if stage is not Stage.PENDING:
        spec["nodeName"] = "@node@"
    status = _status(stage)
    if calico and "podIPs" in status:
        status["podIPs"] = "@pod_ips@"
    if runtime_ids and "containerStatuses" in status:
        ended = {"exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://@previous@"}
        ids = {"containerID": "containerd://@container@", "lastState": {"terminated": ended}, "restartCount": 1}
        status["containerStatuses"][0] |= ids
    encoded = msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status})
    for whole in (b"@annotations@", b"@pod_ips@"):
        encoded = encoded.replace(b'"%b"' % whole, whole)
    parts = encoded[len(b'{"metadata":{') :].split(b"@")
    # Every second part stood between two marks: a name.
    return b"".join(b"%%(%b)b" % part if index % 2 else part for index, part in enumerate(parts))


def _spec() -> dict[str, Any]:
    return {
        "volumes": [
            {
                "name": "kube-api-access",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt"}},
                    ],
                },
            }
        ],
        "containers": [
            {
                "name": "@app@",
                "image": "registry.example.com/@app@:1.@revision@",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "volumeMounts": [{"name": "kube-api-access", "readOnly": True, "mountPath": "/var/run/secrets/api"}],
            }
        ],
        "restartPolicy": "Always",
        "serviceAccountName": "default",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{taint}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for taint in ("not-ready", "unreachable")
        ],
    }


def _status(stage: Stage) -> dict[str, Any]:
    if stage is Stage.PENDING:
        return {"phase": "Pending", "qosClass": "Burstable"}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "@created@"}
    if stage is Stage.SCHEDULED:
        return {"phase": "Pending", "conditions": [scheduled], "qosClass": "Burstable"}
    done = stage is Stage.SUCCEEDED
    ready = {"type": "Ready", "status": "False" if done else "True", "lastTransitionTime": "@now@"}
    started: dict[str, Any] = {"running": {"startedAt": "@created@"}}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "@now@"}}
    return {
        "phase": "Succeeded" if done else "Running",
        "conditions": [ready, scheduled],
        "hostIP": "@host_ip@",
        "podIP": "@pod_ip@",
        "podIPs": [{"ip": "@pod_ip@"}],
        "startTime": "@created@",
        "containerStatuses": [
            {
                "name": "@app@",
                "state": ended if done else started,
                "ready": not done,
                "restartCount": 0,
            }
        ],
        "qosClass": "Burstable",
    }


def _managed_fields() -> list[dict[str, Any]]:
    owned: dict[str, Any] = {
        f"f:{each}": {} for each in ("containers", "restartPolicy", "tolerations", "volumes", "serviceAccount")
    }
    state: dict[str, Any] = {
        f"f:{each}": {} for each in ("conditions", "hostIP", "podIP", "podIPs", "phase", "startTime")
    }
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": "@created@",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}, "f:pod-template-hash": {}}}, part: fields},
        }
        for manager, part, fields in (
            ("kube-controller-manager", "f:spec", owned),
            ("kubelet", "f:status", state),
        )
    ]
