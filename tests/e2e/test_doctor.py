"""`typha doctor` beside a real API server: what it names is what is wrong there."""

from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
import time
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.controlplane.admin_rest import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, wait_until
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.credentials import User
from tests.controlplane.server_process import free_ports
from tests.deploy.rendering import find, kustomized
from tests.e2e.house import House
from tests.e2e.objects import create_config_map, pods_topic
from tests.e2e.typha_process import Json, clean_environment
from typha import feeds as all_feeds
from typha.config import Config
from typha.doctor.findings import Finding, Outcome
from typha.doctor.rights import examine_rights, find_served
from typha.upstream.api_session import ApiSession
from typha.upstream.credentials import CredentialSettings, load_configuration
from typha.upstream.settings import Settings

# Each run of the command is a process that imports the server: seconds on a machine with all cores taken.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROLE = "doctor-test"
Doctor = Callable[..., tuple[int, dict[str, Json]]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Runs the command with a configuration; exit code, and the checks by name."""

    def run(config: Json, kubeconfig: Path | None) -> tuple[int, dict[str, Json]]:
        (admin,) = free_ports(1)
        free = {"listen": "127.0.0.1:0", "health": "127.0.0.1:0", "admin": f"127.0.0.1:{admin}"}
        file = tmp_path / "doctor.yaml"
        file.write_text(json.dumps(free | config))
        environment = clean_environment(**({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}))
        command = [*environment, sys.executable, "-m", "typha", "doctor", "--config", str(file), "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.stdout, done.stderr
        page = json.loads(done.stdout)
        assert page["ok"] is (done.returncode == 0)
        # What is not ok says what to do.
        assert all(check["hint"] for check in page["checks"] if check["outcome"] != "ok")
        # One look may find several things: the worst stays.
        order = ["ok", "warn", "fail"]
        ordered = sorted(page["checks"], key=lambda check: order.index(check["outcome"]))
        return done.returncode, {check["check"]: check for check in ordered}

    return run


@pytest.fixture
def user(control_plane: ControlPlane) -> Iterator[User]:
    with somebody(control_plane) as found:
        yield found


@contextmanager
def somebody(control_plane: ControlPlane) -> Iterator[User]:
    """With exactly the rights of deploy/base."""
    rest = control_plane.rest
    user = control_plane.add_certificate_user("doctor")
    rest.create(CLUSTER_ROLES, {"metadata": {"name": ROLE}, "rules": rules()})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE}
    rest.create(CLUSTER_ROLE_BINDINGS, {"metadata": {"name": ROLE}, "roleRef": role, "subjects": [subject]})
    wait_until("the role holds", lambda: rest.is_allowed(user, "v1/pods", "watch"))
    yield user
    rest.delete(CLUSTER_ROLE_BINDINGS, ROLE)
    rest.delete(CLUSTER_ROLES, ROLE)


def rules() -> list[Json]:
    """The ClusterRole of deploy/base."""
    return deepcopy(list(find(kustomized("base"), "ClusterRole")["rules"]))


def without_each() -> Iterator[tuple[str, list[str], list[Json]]]:
    """What is taken away, the resources that must be named, and the rules that are left."""
    whole = rules()
    for number, rule in enumerate(whole):
        names = [
            f"{plural}.{group}" if group else plural for group in rule["apiGroups"] for plural in rule["resources"]
        ]
        yield f"rule {number}", names, [each for place, each in enumerate(whole) if place != number]
        for verb in rule["verbs"]:
            less = deepcopy(whole)
            less[number]["verbs"].remove(verb)
            yield (
                f"{verb} of rule {number}",
                names,
                less if less[number]["verbs"] else less[:number] + less[number + 1 :],
            )


async def findings_of(session: ApiSession, served: Any) -> list[Finding]:
    return [finding async for finding in examine_rights(session, served, Settings())]


async def test_each_rule_that_is_removed_is_named(fresh_control_plane: ControlPlane) -> None:
    """Where no kind of Calico's is served yet: of two groups that could serve one, doctor names the one that does."""
    with somebody(fresh_control_plane) as user:
        await each_rule_is_named(fresh_control_plane, user)


async def each_rule_is_named(control_plane: ControlPlane, user: User) -> None:
    rest = control_plane.rest
    kubeconfig = control_plane.write_kubeconfig(user)
    settings = CredentialSettings(kubeconfig=str(kubeconfig))
    async with ApiSession(lambda: load_configuration(settings)) as session:
        served = await find_served(session, all_feeds.of(Config()), Settings())
        assert [each for each in await findings_of(session, served) if each.outcome is not Outcome.OK] == []
        for what, names, left in without_each():
            await to_thread(rest.replace, CLUSTER_ROLES, ROLE, {"metadata": {"name": ROLE}, "rules": left})
            deadline = time.monotonic() + 10
            while True:  # the authorizer's informer follows within 0.1 s
                bad = [each for each in await findings_of(session, served) if each.outcome is not Outcome.OK]
                text = "\n".join(f"{each.check}: {each.what} {each.hint}" for each in bad)
                missing = [name for name in names if name not in text]
                if not missing or time.monotonic() > deadline:
                    break
            assert not missing, f"{what}: nobody names {missing}\n{text}"
            assert all("add to the ClusterRole: {apiGroups:" in each.hint for each in bad)
            # The cluster's own resources are missed now, the others once they exist.
            core = {"rights v1/pods", "rights v1/nodes"} & {each.check for each in bad}
            assert all(each.outcome is Outcome.FAIL for each in bad if each.check in core)
        await to_thread(rest.replace, CLUSTER_ROLES, ROLE, {"metadata": {"name": ROLE}, "rules": rules()})


async def test_all_is_well(house: House, control_plane: ControlPlane, user: User, doctor: Doctor) -> None:
    code, checks = await to_thread(doctor, {}, control_plane.write_kubeconfig(user))
    assert code == 0, checks
    assert "Kubernetes v" in checks["API server"]["what"]
    assert checks["credentials"]["what"] == "accepted, as doctor"
    assert checks["WatchList"]["what"] == "offered: lists are streamed"
    assert "objects" in checks["memory"]["what"]
    assert not [check for check in checks.values() if check["outcome"] == "fail"]


async def test_objects_are_counted_and_what_would_be_quarantined_is_named(
    house: House, control_plane: ControlPlane, namespace: str, doctor: Doctor
) -> None:
    for number in range(3):
        await to_thread(create_config_map, house.rest, namespace, f"c{number}", key="x" * 100)
    topic = {"resource": "v1/configmaps", "namespace": namespace}
    _, checks = await to_thread(doctor, {"topics": {"maps": topic}}, control_plane.kubeconfig)
    assert "for 3 objects (3 entries) and 0 agents" in checks["memory"]["what"]
    assert f"rights v1/configmaps in {namespace}" in checks


async def test_a_right_that_is_missing_fails(control_plane: ControlPlane, doctor: Doctor) -> None:
    rest = control_plane.rest
    nobody = await to_thread(control_plane.add_certificate_user, "doctor-nobody")
    await to_thread(rest.allow, nobody, "v1/namespaces")
    code, checks = await to_thread(doctor, {"topics": {"pods": pods_topic()}}, control_plane.write_kubeconfig(nobody))
    assert code == 1
    pods = checks["rights v1/pods"]
    assert (pods["outcome"], pods["what"]) == ("fail", "list and watch pods: denied; its topics wait")
    assert pods["hint"] == 'add to the ClusterRole: {apiGroups: [""], resources: [pods], verbs: [list, watch]}'
    assert checks["rights get namespaces/kube-system"]["outcome"] == "ok"


async def test_wrong_kubeconfig(control_plane: ControlPlane, tmp_path: Path, doctor: Doctor) -> None:
    code, checks = await to_thread(doctor, {}, tmp_path / "none")
    assert (code, checks["credentials"]["outcome"]) == (1, "fail")
    assert "no such file" in checks["credentials"]["what"]
    code, checks = await to_thread(doctor, {}, None)
    assert "no way to an API server" in checks["credentials"]["what"]

    stranger = User("stranger", token="not-a-token")
    code, checks = await to_thread(doctor, {}, control_plane.apiserver.write_kubeconfig(stranger))
    assert code == 1
    failed = [check for check in checks.values() if check["outcome"] == "fail"]
    assert [("refuse" in check["what"], "renew the token" in check["hint"]) for check in failed] == [(True, True)]


async def test_unreachable_server_and_wrong_ca(control_plane: ControlPlane, tmp_path: Path, doctor: Doctor) -> None:
    (closed,) = free_ports(1)
    document = json.loads(control_plane.kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    wrong = tmp_path / "wrong.kubeconfig"

    wrong.write_text(json.dumps(document).replace(cluster["server"], f"https://127.0.0.1:{closed}"))
    code, checks = await to_thread(doctor, {}, wrong)
    assert (code, checks["API server"]["outcome"]) == (1, "fail")
    assert "Connect call failed" in checks["API server"]["what"]
    assert "HTTPS_PROXY" in checks["API server"]["hint"]

    other = tmp_path / "other-ca.crt"
    trustme.CA().cert_pem.write_to_path(other)
    wrong.write_text(json.dumps(document).replace(cluster["certificate-authority"], str(other)))
    code, checks = await to_thread(doctor, {}, wrong)
    assert (code, checks["API server"]["outcome"]) == (1, "fail")
    assert "CERTIFICATE_VERIFY_FAILED" in checks["API server"]["what"]
    assert "must have signed" in checks["API server"]["hint"]


async def test_taken_port_and_the_port_of_a_running_server(
    house: House, control_plane: ControlPlane, namespace: str, doctor: Doctor
) -> None:
    topics = {"pods": pods_topic(namespace)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, checks = await to_thread(
            doctor, {"topics": topics, "listen": f"127.0.0.1:{port}"}, control_plane.kubeconfig
        )
    assert (code, checks["port listen"]["outcome"]) == (1, "fail")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in checks["port listen"]["what"]

    server = await house.serve(topics)
    admin = server.status_address()
    code, checks = await to_thread(
        doctor, {"topics": topics, "listen": server.address, "admin": admin}, control_plane.kubeconfig
    )
    assert code == 0, checks
    assert "in use by the typha" in checks["port listen"]["what"]
    assert "in use by the typha" in checks["port admin"]["what"]


async def test_tls_files(control_plane: ControlPlane, namespace: str, tmp_path: Path, doctor: Doctor) -> None:
    authority, other = trustme.CA(), trustme.CA()
    cert, key, ca = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt"

    def write(pair: trustme.LeafCert, above: trustme.CA) -> None:
        pair.private_key_pem.write_to_path(key)
        pair.cert_chain_pems[0].write_to_path(cert)
        above.cert_pem.write_to_path(cert, append=True)
        authority.cert_pem.write_to_path(ca)

    config = {
        "topics": {"pods": pods_topic(namespace)},
        "tls": {"cert": str(cert), "key": str(key), "client_ca": str(ca)},
    }
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    write(authority.issue_cert("typha.example.com", not_after=yesterday), authority)
    code, checks = await to_thread(doctor, config, control_plane.kubeconfig)
    assert code == 1
    assert "expired" in " ".join(check["what"] for check in checks.values() if check["outcome"] == "fail")

    write(authority.issue_cert("typha.example.com"), other)
    code, checks = await to_thread(doctor, config, control_plane.kubeconfig)
    assert code == 1
    assert "has not signed" in " ".join(check["what"] for check in checks.values() if check["outcome"] == "fail")

    write(authority.issue_cert("typha.example.com"), authority)
    code, checks = await to_thread(doctor, config, control_plane.kubeconfig)
    assert code == 0, checks
    assert checks["TLS tls.crt"]["outcome"] == "ok"
