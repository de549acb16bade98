"""Rights and tokens that are taken and given back: data is kept, called stale, and never called complete."""

import json
from asyncio import to_thread
from pathlib import Path

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.credentials import User
from tests.e2e.house import House
from tests.e2e.objects import PODS, SERVICES, create_service, pods_topic, relabel
from tests.e2e.typha_process import Json

pytestmark = pytest.mark.e2e

NAMESPACES = "v1/namespaces"  # typha reads the UID of kube-system
# Rights show at a request's start only: watches that end after seconds make that soon.
SHORT_WATCHES = {
    "upstream": {"watch_timeout_s": [2, 3], "probe_after_s": 1, "probe_timeout_s": 1, "replace_after_s": 2},
    "timing": {"stale_after_s": 4},
}


def topics(namespace: str) -> dict[str, Json]:
    return {"pods": pods_topic(namespace), "services": {"resource": SERVICES, "namespace": namespace}}


def fill(rest: AdminRest, namespace: str) -> None:
    rest.create_pod(namespace, "kept", "n1", "10.0.0.1")
    rest.create_pod(namespace, "gone", "n1", "10.0.0.2")
    create_service(rest, namespace, "svc")


def edit(rest: AdminRest, namespace: str) -> None:
    relabel(rest, namespace, "kept", edited="yes")
    rest.delete(PODS, "gone", namespace)


async def test_rights_on_one_resource_are_taken_and_given_back(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    rest = house.rest
    await to_thread(fill, rest, namespace)
    user = await to_thread(control_plane.add_certificate_user, "typha-rights")
    await to_thread(rest.allow, user, NAMESPACES, PODS, SERVICES)
    kubeconfig = control_plane.write_kubeconfig(user)
    server = await house.serve(topics(namespace), SHORT_WATCHES, kubeconfig=kubeconfig)
    fresh = await house.serve(topics(namespace), SHORT_WATCHES, kubeconfig=kubeconfig)
    await to_thread(fresh.kill)
    agent, mover = await house.agent(server), await house.agent(server, fresh)
    await house.wait_equal()

    await to_thread(rest.forbid, user, PODS)
    await house.wait_state("pods", "stale", agent)
    await to_thread(edit, rest, namespace)
    # The data is kept: an agent would take missing data for deleted data. The rest goes on.
    assert agent.held("pods").keys() == {f"{namespace}/kept", f"{namespace}/gone"}
    assert "forbidden" in agent.client.topic("pods").message
    await to_thread(create_service, rest, namespace, "more")
    await house.wait("services go on", lambda: f"{namespace}/more" in agent.held("services"))
    assert agent.state("services") == "in_sync"
    assert not agent.client.is_synced
    assert server.page("/readyz").code == 200

    # A fresh server never had the data: it waits, and its agents with it.
    await to_thread(fresh.start, ready=False)
    newcomer = await house.agent(fresh)
    await house.wait_state("pods", "waiting", newcomer)
    await house.wait("services are complete", lambda: newcomer.client.topic("services").is_synced)
    assert newcomer.held("pods") == {}
    assert not newcomer.client.is_synced
    assert fresh.page("/readyz").code == 503
    # One that comes from a server that had it keeps its copy there.
    await to_thread(server.kill)
    await house.wait_page("it has moved", lambda: fresh.subscriber(mover.node) is not None)
    await house.wait_state("pods", "waiting", mover)
    assert mover.held("pods").keys() == {f"{namespace}/kept", f"{namespace}/gone"}
    assert not mover.client.is_synced
    await to_thread(server.start, ready=False)

    await to_thread(rest.allow, user, PODS)
    await house.wait_equal()
    await house.wait_page("the fresh one is ready", lambda: fresh.page("/readyz").code == 200)
    # Over all this the log has no line for each attempt.
    warnings = [line for line in fresh.log_lines() if line.get("level") == "warning" and "pods" in json.dumps(line)]
    assert len(warnings) == 1


async def test_revoked_token_is_replaced_through_its_file(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    rest = house.rest
    await to_thread(fill, rest, namespace)

    def new_user() -> User:
        user = control_plane.add_service_account("typha-token")
        rest.allow(user, NAMESPACES, PODS, SERVICES)
        return user

    user = await to_thread(new_user)
    kubeconfig = control_plane.write_kubeconfig(user, token_in_file=True)
    token_path = Path(json.loads(kubeconfig.read_text())["users"][0]["user"]["tokenFile"])
    server = await house.serve(topics(namespace), SHORT_WATCHES, kubeconfig=kubeconfig)
    agent = await house.agent(server)
    await house.wait_equal()

    await to_thread(control_plane.revoke_token, user)
    await house.wait_state("pods", "stale", agent)
    failures = server.status()["upstream"]["reflectors"][0]["errors_total"]
    assert "UnauthorizedError" in failures, failures
    await to_thread(edit, rest, namespace)
    assert agent.held("pods").keys() == {f"{namespace}/kept", f"{namespace}/gone"}

    renewed = await to_thread(new_user)
    assert renewed.token is not None
    assert renewed.token != user.token
    await to_thread(token_path.write_text, renewed.token)
    await house.wait_equal()
    assert agent.client.statistics()["connects"] == 1
    # Nothing secret is logged.
    assert renewed.token not in server.log_path.read_text()
    assert (user.token or "") not in server.log_path.read_text()
