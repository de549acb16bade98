"""Several agents, with filters and without, while objects come, change and go through the API."""

from asyncio import to_thread

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.house import House
from tests.e2e.objects import PODS, SERVICES, SLICES, create_service, create_slice, on_node, pods_topic, relabel
from tests.e2e.truth import Json

pytestmark = pytest.mark.e2e


def is_web(value: Json) -> bool:
    return bool(value.get("metadata", {}).get("labels", {}).get("tier") == "web")


def come(rest: AdminRest, namespace: str) -> None:
    for number in range(8):
        rest.create_pod(namespace, f"p{number}", f"n{number % 4}", ip=f"10.0.1.{number}", labels={"tier": "web"})
    create_slice(rest, namespace, "svc", "10.0.1.0")


def change_and_go(rest: AdminRest, namespace: str) -> None:
    for number in range(0, 8, 2):
        relabel(rest, namespace, f"p{number}", tier="db")
    relabel(rest, namespace, "p0", tier=None)
    # Deleted and created again: another object of the same name, on another node.
    rest.delete(PODS, "p1", namespace)
    rest.create_pod(namespace, "p1", "n2", ip="10.0.1.100", labels={"tier": "web"})
    rest.delete(PODS, "p3", namespace)
    rest.set_pod_status(namespace, "p5", phase="Succeeded")
    rest.patch(SLICES, "svc", {"endpoints": [{"addresses": ["10.0.1.5"]}]}, namespace)
    rest.delete(SERVICES, "svc", namespace)


async def test_agents_follow_what_comes_changes_and_goes(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(create_service, rest, namespace, "svc")
    server = await house.serve(
        {
            "pods": pods_topic(namespace),
            "services": {"resource": SERVICES, "namespace": namespace},
            "slices": {"resource": SLICES, "namespace": namespace},
        }
    )
    everything = await house.agent(server)
    await house.agent(server, compression=True)
    of_nodes = [await house.agent(server, node=f"node-{number}", **on_node(f"n{number}")) for number in range(3)]
    web = await house.agent(server, where={"pods": {"labels": "tier=web"}}, shows={"pods": is_web})
    one = await house.agent(server, topics=["services"])
    await house.wait_equal()
    assert everything.held("services").keys() == {f"{namespace}/svc"}

    await to_thread(come, rest, namespace)
    await house.wait_equal()  # what comes and goes in one round is news to nobody
    await to_thread(change_and_go, rest, namespace)
    await house.wait_equal()
    # No subscriber learns a key outside its filter.
    assert {key for topic, _, key in of_nodes[0].calls if topic == "pods"} == {f"{namespace}/p0", f"{namespace}/p4"}
    # A label that does not match any more is a deletion, and p1 went and came.
    assert ("pods", "delete", f"{namespace}/p2") in web.calls
    assert {topic for topic, _, _ in one.calls} == {"services"}

    late = await house.agent(server)
    await house.wait_equal()
    assert late.counters()["snapshots"] == 3
    # One set of watches, however many agents.
    assert len(server.status()["upstream"]["reflectors"]) == 3


async def test_a_heartbeat_is_not_sent_and_moves_the_cursor(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(rest.create_pod, namespace, "web", "n1")
    server = await house.serve({"pods": pods_topic(namespace)})
    agent = await house.agent(server)
    await house.wait_equal()
    before, calls = agent.counters(), len(agent.calls)
    beat = {"metadata": {"annotations": {"beat": "1"}}}
    beaten = await to_thread(rest.patch, PODS, "web", beat, namespace)
    await agent.client.wait_for("pods", int(beaten["metadata"]["resourceVersion"]), timeout=10)
    assert len(agent.calls) == calls
    assert agent.counters()["frames_Entries"] == before["frames_Entries"]
    assert server.topic("pods")["unchanged_total"] >= 1


async def test_two_topics_of_one_resource_share_its_watch(house: House, namespace: str) -> None:
    rest = house.rest
    await to_thread(rest.create_pod, namespace, "web", "n1", "10.0.0.1")
    server = await house.serve({"pods": pods_topic(namespace), "whole": {"resource": PODS, "namespace": namespace}})
    await house.agent(server)
    await house.wait_equal()
    await to_thread(relabel, rest, namespace, "web", tier="db")
    await house.wait_equal()
    (reflector,) = server.status()["upstream"]["reflectors"]
    assert sorted(reflector["topics"]) == ["pods", "whole"]
