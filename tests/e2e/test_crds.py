"""A resource that is not there (yet, any more, again): absent is in sync, and its coming is noticed within seconds."""

from asyncio import to_thread

import pytest

from tests.controlplane.admin_rest import CRDS
from tests.e2e.house import House
from tests.e2e.objects import create_cert, pods_topic

pytestmark = pytest.mark.e2e

# Discovery is asked every 2 to 3 s; a new CRD is served after up to 2.
SECONDS = 20


async def test_crd_comes_goes_and_comes_again(house: House, namespace: str) -> None:
    rest, group = house.rest, "late.example.com"
    await to_thread(rest.create_pod, namespace, "web", "n1")
    certs = {"resource": f"{group}/v1/certs", "namespace": namespace}
    # No wait for readiness: until absence is certain (10 s) the topic is not complete.
    server = await house.serve({"pods": pods_topic(namespace), "certs": certs}, ready=False)
    agent = await house.agent(server)
    await house.wait("pods are complete", lambda: agent.client.topic("pods").is_synced)
    assert agent.state("certs") == "waiting"
    assert server.page("/readyz").code == 503
    await house.wait_state("certs", "absent", agent)
    # Absent is complete: nobody waits for what does not exist.
    await house.wait_equal()
    await house.wait_page("it is ready", lambda: server.page("/readyz").code == 200)

    resource = await to_thread(rest.create_crd, group, "certs", "Cert")
    await house.wait_state("certs", "in_sync", agent, timeout_s=SECONDS)
    for number in range(3):
        await to_thread(create_cert, rest, resource, namespace, f"c{number}", round=1)
    await house.wait_equal(agent)

    # Deleted with all its objects: first empty, then absent.
    await to_thread(rest.delete_crd, group, "certs")
    await house.wait("its objects are gone", lambda: agent.held("certs") == {})
    assert not await to_thread(rest.exists, CRDS, f"certs.{group}")
    await house.wait_state("certs", "absent", agent)
    await house.wait_equal()

    await to_thread(rest.create_crd, group, "certs", "Cert")
    await to_thread(create_cert, rest, resource, namespace, "c1", round=2)
    await house.wait("c1 is there again", lambda: agent.held("certs").keys() == {f"{namespace}/c1"}, SECONDS)
    await house.wait_equal(agent)
    # Pods went on all the time, on one connection.
    await to_thread(rest.create_pod, namespace, "more", "n1")
    await house.wait_equal(agent)
    assert agent.client.statistics()["connects"] == 1
    await to_thread(rest.delete_crd, group, "certs")


async def test_crd_deleted_and_created_at_once_keeps_no_old_object(house: House, namespace: str) -> None:
    rest, group = house.rest, "quick.example.com"
    resource = await to_thread(rest.create_crd, group, "certs", "Cert")
    await to_thread(create_cert, rest, resource, namespace, "old", round=1)
    await to_thread(create_cert, rest, resource, namespace, "both", round=1)
    server = await house.serve({"certs": {"resource": resource, "namespace": namespace}})
    agent = await house.agent(server)
    await house.wait_equal()

    await to_thread(rest.delete_crd, group, "certs")
    await to_thread(rest.create_crd, group, "certs", "Cert")
    await to_thread(create_cert, rest, resource, namespace, "both", round=2)
    await to_thread(create_cert, rest, resource, namespace, "new", round=2)
    await house.wait_equal()
    assert agent.held("certs").keys() == {f"{namespace}/both", f"{namespace}/new"}
    await to_thread(rest.delete_crd, group, "certs")
