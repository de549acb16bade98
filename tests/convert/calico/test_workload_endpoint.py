"""Workload endpoints: what the corpus (pods/*) does not show."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from typha.convert.calico.values import labels_of
from typha.convert.calico.workload_endpoint import WorkloadEndpoints
from typha.convert.converter import NO_VALUE, ConversionError

ENDPOINTS = WorkloadEndpoints()
KEY = "/calico/v1/host/n1/workload/k8s/team%2fweb/endpoint/eth0"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ANNOTATIONS = st.sampled_from(
    [
        *(f"cni.projectcalico.org/{name}" for name in ("podIP", "podIPs", "floatingIPs", "allowedSourcePrefixes")),
        *(f"qos.projectcalico.org/{name}" for name in ("ingressBandwidth", "egressBurst", "egressPacketRate", "dscp")),
        "vpc.amazonaws.com/pod-ips",
        "k8s.v1.cni.cncf.io/network-status",
        "kubernetes.io/ingress-bandwidth",
    ]
)
TEXTS = st.sampled_from(
    ["", "10.0.0.1", "10.0.0.0/8", "fd00::1", '["10.0.0.0/8"]', '["192.0.2.1"]', "1M", "AF11"]
) | st.text(max_size=8)


def pods(**odd: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Pods that are whole in most places; `odd` replaces a place."""
    ports = st.fixed_dictionaries(
        {"containerPort": st.integers(-1, 70_000)},
        optional={"name": st.text(max_size=3), "protocol": st.sampled_from(["TCP", "UDP", "SCTP", "", "X"])},
    )
    containers = st.lists(st.fixed_dictionaries({"ports": st.lists(ports, max_size=2) | st.none()}), max_size=2)
    metadata = st.fixed_dictionaries(
        {},
        optional={
            "labels": odd.get(
                "labels", st.dictionaries(st.sampled_from(["a", "pcns.a", "pcsa.b"]), st.text(max_size=3))
            ),
            "annotations": odd.get("annotations", st.dictionaries(ANNOTATIONS, TEXTS, max_size=4)),
            "deletionTimestamp": st.just("2026-01-01T00:00:00Z"),
            "generateName": st.text(max_size=3),
        },
    )
    spec = st.fixed_dictionaries(
        {"nodeName": st.just("n1")},
        optional={
            "hostNetwork": odd.get("host", st.booleans()),
            "serviceAccountName": st.text(max_size=3),
            "containers": odd.get("containers", containers),
            "initContainers": containers,
        },
    )
    status = st.fixed_dictionaries(
        {},
        optional={
            "phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
            "podIP": TEXTS,
            "podIPs": odd.get("ips", st.lists(st.fixed_dictionaries({"ip": TEXTS}), max_size=2)),
        },
    )
    return st.fixed_dictionaries({"metadata": metadata, "spec": spec, "status": status})


def _raw(pod: Any) -> bytes:
    return json.dumps(pod).encode()


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running", **status}}


def _attempt(pod: Any) -> Any:
    try:
        return list(ENDPOINTS.convert("team/web", _raw(pod)))
    except ConversionError as error:
        return error.reason, error.keys


def test_an_endpoint() -> None:
    (entry,) = ENDPOINTS.convert("team/web", _raw(_pod(podIPs=[{"ip": "10.0.0.1"}])))
    assert entry.key == KEY
    assert entry.attributes == ("n1", "team", labels_of)
    assert msgspec.msgpack.decode(entry.value) == {
        "state": "active",
        "name": "cali1f3c1c52df3",
        "active_instance_id": "",
        "mac": None,
        "profile_ids": ["kns.team"],
        "ipv4_nets": ["10.0.0.1/32"],
        "ipv6_nets": None,
        "labels": {"projectcalico.org/namespace": "team", "projectcalico.org/orchestrator": "k8s"},
    }
    assert labels_of(entry.value) == {"projectcalico.org/namespace": "team", "projectcalico.org/orchestrator": "k8s"}


def test_a_pod_without_an_address_keeps_its_key_without_value() -> None:
    for pod in (_pod(), _pod(phase="Failed", podIP="10.0.0.1")):
        (entry,) = ENDPOINTS.convert("team/web", _raw(pod))
        assert entry == (KEY, NO_VALUE, ("n1", "team", labels_of))


def test_equal_attributes_are_one_object() -> None:
    first, second = (ENDPOINTS.convert(f"team/{name}", _raw(_pod(podIP="10.0.0.1")))[0] for name in ("a", "b"))
    assert first.attributes is second.attributes


def test_a_pod_that_is_refused_names_its_key() -> None:
    unreadable, undecodable = _pod(podIP="bad"), _pod(podIP=7)
    for pod in (unreadable, undecodable):
        with pytest.raises(ConversionError) as caught:
            ENDPOINTS.convert("team/web", _raw(pod))
        assert caught.value.keys == (KEY,)


def test_a_pod_without_namespace_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"^a pod has a namespace$") as caught:
        ENDPOINTS.convert("web", _raw(_pod(podIP="10.0.0.1")))
    assert caught.value.keys == (KEY.replace("team%2f", ""),)


@pytest.mark.parametrize(
    ("setting", "prefix"), [("cali", "cali"), ("tap", "tap"), ("gke,cali", "gke"), ("a,b,c", "a"), (",x", "")]
)
def test_the_interface_prefix_is_the_first_of_the_setting(setting: str, prefix: str) -> None:
    (entry,) = WorkloadEndpoints("", setting).convert("team/web", _raw(_pod(podIP="10.0.0.1")))
    assert msgspec.msgpack.decode(entry.value)["name"] == f"{prefix}1f3c1c52df3"


def test_the_form_follows_the_settings() -> None:
    assert WorkloadEndpoints("", "tap,x").form == WorkloadEndpoints("", "tap").form != ENDPOINTS.form
    assert WorkloadEndpoints("g").form != ENDPOINTS.form
    assert ENDPOINTS.attributes == ("node", "namespace", "labels")
    assert ENDPOINTS.standing == ()


@given(pods())
def test_twice_is_equal_and_a_watch_equals_a_list(pod: dict[str, Any]) -> None:
    watched = {"kind": "Pod", "apiVersion": "v1", **pod}
    assert _attempt(pod) == _attempt(pod) == _attempt(watched)


@given(pods())
def test_a_pod_has_one_key_whatever_becomes_of_it(pod: dict[str, Any]) -> None:
    found = _attempt(pod)
    if pod["spec"].get("hostNetwork"):
        assert found == []
    elif isinstance(found, tuple):
        assert found[1] == (KEY,)
    else:
        assert [entry.key for entry in found] == [KEY]


@given(pods())
def test_no_label_of_a_profile_gets_through(pod: dict[str, Any]) -> None:
    found = _attempt(pod)
    for entry in found if isinstance(found, list) else ():
        if entry.value:
            labels = labels_of(entry.value)
            assert not [name for name in labels if name.startswith(("pcns.", "pcsa."))]
            assert labels["projectcalico.org/namespace"] == "team"
            assert list(labels) == sorted(labels)


@given(pods(labels=JSON, annotations=JSON, host=JSON, containers=JSON, ips=JSON) | JSON)
@example({"spec": {"nodeName": "n1", "containers": [{"ports": [{"name": "a", "containerPort": 10**400}]}]}})
@example({"metadata": {}, "spec": None})
def test_anything_converts_or_is_refused(pod: Any) -> None:
    assert _attempt(pod) == _attempt(pod)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"spec":{"nodeName":"n1"},"metadata":{"labels":' + b"[" * 100_000,
        b'{"metadata":{},"spec":{"nodeName":"\xff"}}',
        b'{"metadata":{"labels":{"a":"\\ud800"}},"spec":{"nodeName":"n1"},"status":{"podIP":"10.0.0.1"}}',
    ],
)
def test_hostile_bytes(raw: bytes) -> None:
    with pytest.raises(ConversionError):
        ENDPOINTS.convert("team/web", raw)


def test_a_profile_list_is_not_shared_with_another_account() -> None:
    """Lists of profiles are cached; what one pod has must not show in another."""
    pods_of = [_pod(podIP="10.0.0.1") for _ in range(3)]
    for pod, account in zip(pods_of, ("a", "", "b"), strict=True):
        pod["spec"]["serviceAccountName"] = account
    values = [msgspec.msgpack.decode(ENDPOINTS.convert("team/web", _raw(pod))[0].value) for pod in pods_of]
    assert [value["profile_ids"] for value in values] == [
        ["kns.team", "ksa.team.a"],
        ["kns.team"],
        ["kns.team", "ksa.team.b"],
    ]
