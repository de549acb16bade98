"""The control plane proves itself: what other e2e tests take for granted is shown here on the real servers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.controlplane.admin_rest import wait_until
from tests.controlplane.build import find_binaries
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.rest import ApiStatusError, Json
from tests.controlplane.server_process import ControlPlaneError, ServerProcess

pytestmark = pytest.mark.e2e

PODS = "v1/pods"


def names(listed: Json) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def resource_version(listed: Json) -> int:
    return int(listed["metadata"]["resourceVersion"])


def test_pod_comes_changes_and_goes(control_plane: ControlPlane) -> None:
    rest = control_plane.rest
    rest.create_namespace("pods")
    pod = rest.create_pod("pods", "web", node="n1", ip="10.0.0.7", labels={"app": "web"})
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["status"]["podIPs"] == [{"ip": "10.0.0.7"}]
    rest.patch(PODS, "web", {"metadata": {"labels": {"app": "other"}}}, "pods")
    (listed,) = control_plane.list_json(PODS, "pods")["items"]
    assert listed["metadata"]["labels"] == {"app": "other"}
    rest.delete(PODS, "web", "pods")
    assert names(control_plane.list_json(PODS, "pods")) == []
    events = list(rest.watch(PODS, "pods", resource_version=pod["metadata"]["resourceVersion"], timeout_s=1))
    # The label, the deletionTimestamp (a pod with a node is marked first, also at grace 0), the end.
    assert [event["type"] for event in events] == ["MODIFIED", "MODIFIED", "DELETED"]
    rest.delete_namespace("pods")
    assert not rest.exists("v1/namespaces", "pods")


def test_crd_is_served_and_goes(control_plane: ControlPlane) -> None:
    rest = control_plane.rest
    certs = rest.create_crd("served.example.com", "certs", "Cert")
    body = {"apiVersion": "served.example.com/v1", "kind": "Cert", "metadata": {"name": "c1"}, "spec": {"free": [1]}}
    assert rest.create(certs, body, "default")["spec"] == {"free": [1]}
    assert names(control_plane.list_json(certs)) == ["c1"]
    rest.delete_crd("served.example.com", "certs")
    with pytest.raises(ApiStatusError, match="404"):
        control_plane.list_json(certs)


def test_rights_are_given_and_taken(control_plane: ControlPlane) -> None:
    by_token = control_plane.add_service_account("rights")
    by_certificate = control_plane.add_certificate_user("carl", "guests")
    for user in (by_token, by_certificate):
        with control_plane.apiserver.rest_as(user) as rest:
            with pytest.raises(ApiStatusError) as before:
                rest.list(PODS)
            control_plane.rest.allow(user, PODS)
            assert "items" in rest.list(PODS)
            control_plane.rest.forbid(user, PODS)
            with pytest.raises(ApiStatusError) as after:
                rest.list(PODS)
        assert (before.value.code, after.value.code) == (403, 403)


def test_kubeconfig_names_server_user_and_authority(control_plane: ControlPlane) -> None:
    config = json.loads(control_plane.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == control_plane.apiserver.url
    assert Path(config["clusters"][0]["cluster"]["certificate-authority"]).exists()
    user = control_plane.add_service_account("rotated")
    in_file = json.loads(control_plane.write_kubeconfig(user, token_in_file=True).read_text())["users"][0]["user"]
    assert Path(in_file["tokenFile"]).read_text() == user.token


def test_raw_objects_are_served_like_any_other(control_plane: ControlPlane) -> None:
    rest = control_plane.rest
    rest.create_namespace("raw")
    pod = rest.create_pod("raw", "made", node="n1") | {"apiVersion": "v1", "kind": "Pod"}
    del pod["metadata"]["resourceVersion"]
    copies = {
        f"/registry/pods/raw/p{i}": pod | {"metadata": pod["metadata"] | {"name": f"p{i}", "uid": f"uid-{i}"}}
        for i in range(20)
    }
    assert control_plane.put_raw(copies) == 20
    assert len(names(control_plane.list_json(PODS, "raw"))) == 21
    with pytest.raises(ControlPlaneError, match="while an API server runs"):
        control_plane.put_raw(copies, per_revision=100)


def test_freeze_kill_restart_and_token_revocation(fresh_control_plane: ControlPlane) -> None:
    control_plane, rest = fresh_control_plane, fresh_control_plane.rest
    control_plane.freeze()
    assert not rest.is_ready(timeout_s=0.5)
    control_plane.thaw()
    assert rest.is_ready(timeout_s=10)

    control_plane.kill_apiserver()
    with pytest.raises(ConnectionRefusedError):
        control_plane.list_json(PODS)
    port = control_plane.apiserver.port
    control_plane.restart_apiserver("--feature-gates=WatchList=false")
    assert control_plane.apiserver.port == port
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with pytest.raises(ApiStatusError, match="sendInitialEvents"):
        list(rest.watch(PODS, resource_version="", timeout_s=1, **query))

    user = control_plane.add_token_user("tom", "system:masters")
    with control_plane.apiserver.rest_as(user) as as_tom:
        assert "items" in as_tom.list(PODS)
        control_plane.revoke_token(user)
        with pytest.raises(ApiStatusError, match="401"):
            as_tom.list(PODS)


def test_forgotten_history_is_410_for_watch_and_continue(fresh_control_plane: ControlPlane) -> None:
    control_plane, rest = fresh_control_plane, fresh_control_plane.rest
    rest.create_namespace("a")
    old = rest.create_pod("a", "first", node="n1")["metadata"]["resourceVersion"]
    rest.create_pod("a", "second", node="n1")
    page = rest.list(PODS, limit=1)["metadata"]
    rest.create_pod("a", "third", node="n1")
    # The watch cache remembers: compaction alone is not enough.
    control_plane.compact_etcd()
    assert next(rest.watch(PODS, resource_version=old, timeout_s=1))["type"] == "ADDED"

    control_plane.forget_history()
    (event,) = rest.watch(PODS, resource_version=old, timeout_s=1)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    with pytest.raises(ApiStatusError) as expired:
        rest.list(PODS, limit=1, **{"continue": page["continue"]})
    assert expired.value.code == 410


def test_restore_goes_back_for_both_servers(fresh_control_plane: ControlPlane) -> None:
    control_plane, rest = fresh_control_plane, fresh_control_plane.rest
    second = control_plane.add_apiserver()
    rest.create_namespace("a")
    rest.create_pod("a", "kept", node="n1")
    assert names(second.rest.list(PODS)) == ["kept"]
    snapshot = control_plane.snapshot_etcd()
    for i in range(20):
        rest.create_pod("a", f"lost-{i}", node="n1")
    before = resource_version(control_plane.list_json(PODS))

    control_plane.restore_etcd(snapshot)
    for server in control_plane.apiservers:
        listed = server.rest.list(PODS)
        assert names(listed) == ["kept"]
        assert resource_version(listed) < before
    # One frozen server does not hold up the other.
    control_plane.freeze()
    assert second.rest.is_ready(timeout_s=10)


def test_failed_start_shows_the_log_and_leaves_nothing(control_plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match=r"(?s)before it was ready.*unknown flag: --no-such-flag.*What to do"):
        control_plane.add_apiserver("--no-such-flag")
    assert len(control_plane.apiservers) == 1


def test_wrong_assets_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ControlPlaneError, match=f"{tmp_path} lacks the executable.* etcd, kube-apiserver. What to do"):
        find_binaries()


def test_children_end_with_a_killed_python(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tests.controlplane.server_process import ServerProcess\n"
        "print(ServerProcess('sleep', ['sleep', '600'], Path(sys.argv[1])).pid, flush=True); time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], cwd=root, stdout=subprocess.PIPE, text=True
    ) as python:
        assert python.stdout is not None
        child = int(python.stdout.readline())
        python.send_signal(signal.SIGKILL)
    wait_until("the child has ended", lambda: not is_alive(child), timeout_s=10)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan whose new parent does not wait for it stays as a zombie.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_clean_stop_releases_the_reaper(tmp_path: Path) -> None:
    process = ServerProcess("sleep", ["sleep", "600"], tmp_path / "log")
    process.freeze()
    started_at = time.monotonic()
    process.stop()
    process.stop()
    assert not process.is_running
    assert time.monotonic() - started_at < 60
