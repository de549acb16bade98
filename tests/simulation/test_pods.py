"""Pods: templates give real-looking objects of the promised size."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from typha.simulation.pods import Pod, PodTemplates, Stage, Workload, cni_annotations, pod_name, suffix

WORKLOAD = Workload("shop", "web", "0123456789", "owner-uid")


def rendered(stage: Stage, *, managed_fields: bool = False) -> tuple[dict[str, Any], int]:
    rest = PodTemplates(managed_fields=managed_fields).render(
        Pod(7, 0, stage=stage, node=1, slot=3, revision=2),
        WORKLOAD,
        uid="00000000-0001-4000-8000-000000000007",
        node="node-0001",
        host_ip="172.16.0.2",
        pod_ip="10.0.1.5",
        created="2026-01-01T00:00:00Z",
        now="2026-01-01T00:00:05Z",
    )
    return msgspec.json.decode(b'{"metadata":{' + rest), len(rest)


@pytest.mark.parametrize(
    ("stage", "phase", "node", "ip"),
    [
        (Stage.PENDING, "Pending", None, None),
        (Stage.SCHEDULED, "Pending", "node-0001", None),
        (Stage.RUNNING, "Running", "node-0001", "10.0.1.5"),
        (Stage.SUCCEEDED, "Succeeded", "node-0001", "10.0.1.5"),
        (Stage.TERMINATING, "Running", "node-0001", "10.0.1.5"),
    ],
)
def test_stages(stage: Stage, phase: str, node: str | None, ip: str | None) -> None:
    obj, _ = rendered(stage)
    assert (obj["status"]["phase"], obj["spec"].get("nodeName"), obj["status"].get("podIP")) == (phase, node, ip)
    assert ("deletionTimestamp" in obj["metadata"]) is (stage is Stage.TERMINATING)
    assert obj["metadata"]["name"] == pod_name(WORKLOAD, Pod(7, 0))
    assert obj["metadata"]["labels"] == {"app": "web", "pod-template-hash": "0123456789", "revision": "r2"}
    assert "@" not in msgspec.json.encode(obj).decode()


def test_size() -> None:
    _, plain_bytes = rendered(Stage.RUNNING)
    assert 1500 < plain_bytes < 1800
    obj, managed_bytes = rendered(Stage.RUNNING, managed_fields=True)
    assert managed_bytes > plain_bytes + 500
    assert [each["manager"] for each in obj["metadata"]["managedFields"]] == ["kube-controller-manager", "kubelet"]


def test_ids_of_a_runtime_are_in_started_pods_only() -> None:
    templates = PodTemplates(runtime_ids=True)
    for stage in Stage:
        rest = templates.render(
            Pod(7, 0, stage=stage),
            WORKLOAD,
            uid="u",
            node="n",
            host_ip="",
            pod_ip="",
            created="",
            now="",
            container="c1",
            previous="c0",
        )
        statuses = msgspec.json.decode(b'{"metadata":{' + rest)["status"].get("containerStatuses", [])
        assert [each["containerID"] for each in statuses] == ["containerd://c1"] * (stage >= Stage.RUNNING)
        ended = [each["lastState"]["terminated"]["containerID"] for each in statuses]
        assert ended == ["containerd://c0"] * (stage >= Stage.RUNNING)


def test_what_calicos_plugin_writes() -> None:
    prefix = "cni.projectcalico.org/"
    assert msgspec.json.decode(cni_annotations("c1", ["10.0.0.2", "fd00::2"])) == {
        f"{prefix}containerID": "c1",
        f"{prefix}podIP": "10.0.0.2/32",
        f"{prefix}podIPs": "10.0.0.2/32,fd00::2/128",
    }
    assert msgspec.json.decode(cni_annotations("c1", [])) == {
        f"{prefix}containerID": "c1",
        f"{prefix}podIP": "",
        f"{prefix}podIPs": "",
    }


@pytest.mark.parametrize("stage", list(Stage))
def test_annotations_and_both_families_have_their_place(stage: Stage) -> None:
    rest = PodTemplates(calico=True).render(
        Pod(7, 0, stage=stage),
        WORKLOAD,
        uid="u",
        node="n",
        host_ip="172.16.0.2",
        pod_ip="10.0.1.5",
        created="",
        now="",
        annotations=cni_annotations("c1", ["10.0.1.5"]) if stage >= Stage.RUNNING else b"",
        pod_ips=b'[{"ip":"10.0.1.5"},{"ip":"fd00::5"}]',
    )
    obj = msgspec.json.decode(b'{"metadata":{' + rest)
    if stage < Stage.RUNNING:
        assert obj["metadata"]["annotations"] == {}
        assert "podIPs" not in obj["status"]
    else:
        assert obj["metadata"]["annotations"]["cni.projectcalico.org/podIP"] == "10.0.1.5/32"
        assert obj["status"]["podIPs"] == [{"ip": "10.0.1.5"}, {"ip": "fd00::5"}]


def test_suffixes_are_a_permutation() -> None:
    some = [suffix(number) for number in range(20_000)]
    assert len(set(some)) == len(some)
    assert {len(each) for each in some} == {5}
