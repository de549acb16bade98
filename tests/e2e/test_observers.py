"""/livez, /readyz, /metrics and /status of the real process, through its whole life."""

from asyncio import to_thread

import pytest

from tests.e2e.house import House
from tests.e2e.objects import pods_topic

pytestmark = pytest.mark.e2e


async def test_pages_from_the_first_second_to_the_last(fresh_house: House) -> None:
    house, control_plane = fresh_house, fresh_house.control_plane
    await to_thread(house.rest.create_namespace, "a")
    await to_thread(house.rest.create_pod, "a", "web", "n1", "10.0.0.1")
    # Not synced yet: alive, not ready.
    await to_thread(control_plane.freeze)
    quick = {"upstream": {"probe_after_s": 1, "probe_timeout_s": 1, "replace_after_s": 2}}
    server = await house.serve({"pods": pods_topic()}, quick | {"timing": {"stale_after_s": 2}}, ready=False)
    assert server.page("/livez").code == 200
    assert server.page("/readyz").code == 503
    assert "pods" in server.page("/readyz").text
    metrics = await to_thread(server.metrics)
    assert metrics['typha_topic_entries{topic="pods"}'] == 0

    await to_thread(control_plane.thaw)
    await house.wait_page("it is ready", lambda: server.page("/readyz").code == 200)
    agent = await house.agent(server)
    await house.wait_equal()
    await to_thread(house.rest.create_pod, "a", "more", "n1")
    await house.wait_equal()
    status = server.status()
    assert (status["live"], status["ready"]) == (True, True)
    assert [each["node"] for each in status["subscribers"]] == [agent.node]
    await house.wait_page("two pods in /metrics", lambda: server.metrics()['typha_topic_entries{topic="pods"}'] == 2)
    metrics = await to_thread(server.metrics)
    assert any(name.startswith("typha_build_info{") for name in metrics)
    # No label per client.
    assert not [name for name in metrics if agent.node in name.split("{")[-1].split('"')]

    # Stale stays ready: one outage of the API server must not empty the Service.
    await to_thread(control_plane.freeze)
    await house.wait_state("pods", "stale", agent)
    assert (server.page("/readyz").code, server.page("/livez").code) == (200, 200)
    await to_thread(control_plane.thaw)
    await house.wait_state("pods", "in_sync", agent)

    # Draining: alive until the end, not ready. The agent has nowhere to go and stays while it may.
    server.terminate()
    await house.wait_page("it is not ready", lambda: server.page("/readyz").code == 503)
    assert server.page("/livez").code == 200
    assert server.status()["server"]["draining"] is True
    assert agent.client.is_synced
    assert await to_thread(server.wait_exit) == 0
    assert agent.held("pods").keys() == {"a/web", "a/more"}


async def test_drain_without_agents_ends_at_once(house: House, namespace: str) -> None:
    server = await house.serve({"pods": pods_topic(namespace)})
    server.terminate()
    assert await to_thread(server.wait_exit, 5.0) == 0


async def test_waiting_is_counted_from_the_servers_start(fresh_house: House) -> None:
    house = fresh_house
    await to_thread(house.control_plane.freeze)
    server = await house.serve({"pods": pods_topic()}, ready=False)
    # The age was that of the machine: `waiting for 3853 s` one second after the start.
    status = server.status()
    (topic,) = status["topics"]
    assert topic["state"] == "waiting"
    assert topic["since_s"] <= status["uptime_s"]
