"""A server that starts from its files beside a real API server: drained, killed, cut off, too late, with a bad file."""

from __future__ import annotations

import stat
from asyncio import to_thread
from pathlib import Path

import pytest

from tests.e2e.house import House
from tests.e2e.objects import PODS, create_config_map, pods_topic, relabel
from tests.e2e.typha_process import Json, TyphaProcess
from tests.kit.pems import authority
from typha_client import Tls

pytestmark = pytest.mark.e2e


def config(folder: Path, interval_s: float = 3600) -> Json:
    return {"warm_start": {"folder": str(folder), "interval_s": interval_s}}


def told(server: TyphaProcess, message: str) -> list[Json]:
    return [line for line in server.log_lines() if line.get("msg") == message]


async def drain(server: TyphaProcess) -> None:
    await to_thread(server.terminate)
    assert await to_thread(server.wait_exit) == 0


def edit(house: House, namespace: str) -> None:
    relabel(house.rest, namespace, "p0", edited="yes")
    house.rest.create_pod(namespace, "born", "n1")
    house.rest.delete(PODS, "p1", namespace)


async def fill(house: House, namespace: str) -> None:
    for number in range(20):
        await to_thread(house.rest.create_pod, namespace, f"p{number}", "n1")


async def test_a_restart_resumes_with_what_changed(house: House, namespace: str, tmp_path: Path) -> None:
    await fill(house, namespace)
    folder = tmp_path / "warm"
    server = await house.serve({"pods": pods_topic(namespace)}, config(folder))
    agent = await house.agent(server)
    on_node = await house.agent(server, where={"pods": {"node": "n1"}}, shows={"pods": lambda value: True})
    await house.wait_equal()
    await drain(server)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = agent.counters(), on_node.counters()
    await to_thread(edit, house, namespace)

    await to_thread(server.start)
    await house.wait_equal()
    assert told(server, "warm start")[0]["entries"] == 20
    for each, counted in zip((agent, on_node), before, strict=True):
        change = each.counters() - counted
        assert change["snapshots"] == 0
        assert change["reconciles"] == 0
    # No list was made: the watch went on where the file ended.
    assert server.status()["upstream"]["reflectors"][0]["lists_total"] == 0


async def test_a_killed_server_starts_from_the_file_of_its_last_interval(
    house: House, namespace: str, tmp_path: Path
) -> None:
    await fill(house, namespace)
    server = await house.serve({"pods": pods_topic(namespace)}, config(tmp_path / "warm", 1))
    agent = await house.agent(server)
    await house.wait_equal()
    await house.wait("it was written", lambda: bool(told(server, "topics kept for a warm start")))
    await to_thread(edit, house, namespace)  # the agent has seen more than the file, perhaps
    await house.wait_equal()
    await to_thread(server.kill)
    await to_thread(server.start)
    await house.wait_equal()
    assert agent.counters()["snapshots"] == 1
    assert told(server, "warm start")


async def test_agents_are_served_while_the_api_server_is_down(fresh_house: House, tmp_path: Path) -> None:
    house = fresh_house
    await to_thread(house.rest.create_namespace, "a")
    await fill(house, "a")
    server = await house.serve({"pods": pods_topic()}, config(tmp_path / "warm"))
    agent = await house.agent(server)
    await house.wait_equal()
    await drain(server)
    await to_thread(house.control_plane.kill_apiserver)

    await to_thread(server.start, ready=False)
    await house.wait_page("it has come back", lambda: server.subscriber(agent.node) is not None)
    await house.wait_state("pods", "syncing", agent)
    assert len(agent.held("pods")) == 20
    assert not agent.client.is_synced
    assert server.page("/readyz").code == 503
    assert server.topic("pods")["entries"] == 20

    await to_thread(house.control_plane.restart_apiserver)
    await to_thread(edit, house, "a")
    await house.wait_equal()
    assert server.page("/readyz").code == 200
    assert agent.counters()["snapshots"] == 1


async def test_a_file_older_than_the_api_servers_history(fresh_house: House, tmp_path: Path) -> None:
    house = fresh_house
    await to_thread(house.rest.create_namespace, "a")
    await fill(house, "a")
    server = await house.serve({"pods": pods_topic()}, config(tmp_path / "warm"))
    agent = await house.agent(server)
    await house.wait_equal()
    await drain(server)
    await to_thread(edit, house, "a")
    await to_thread(house.control_plane.forget_history)
    await to_thread(server.start)
    await house.wait_equal()
    assert agent.counters()["snapshots"] == 1
    assert server.status()["upstream"]["reflectors"][0]["lists_total"] == 1


async def test_a_bad_file_is_set_aside_and_secrets_are_not_written(
    house: House, namespace: str, tmp_path: Path
) -> None:
    await fill(house, namespace)
    await to_thread(create_config_map, house.rest, namespace, "c", key="value")
    folder = tmp_path / "warm"
    topics = {
        "pods": pods_topic(namespace),
        "secrets": {"resource": "v1/secrets", "namespace": namespace},
        "maps": {"resource": "v1/configmaps", "namespace": namespace},
    }
    pki = authority(tmp_path / "pki")
    shown = {name: pki.issue(name, common_name=name) for name in ("server", "agent")}
    secured = {
        "tls": {
            "cert": str(shown["server"].cert),
            "key": str(shown["server"].key),
            "client_ca": str(pki.ca_file),
        },
        "rights": {"agents": {"identities": ["cn:agent"], "topics": list(topics)}},
    }
    server = await house.serve(topics, config(folder) | secured)
    tls = Tls(ca=pki.ca_file, cert=shown["agent"].cert, key=shown["agent"].key)
    await house.agent(server, tls=tls)
    await house.wait_equal()
    await drain(server)
    files = sorted(folder.iterdir())
    assert ["configmaps" in file.name or "pods" in file.name for file in files] == [True, True]
    pods = next(file for file in files if "pods" in file.name)
    pods.write_bytes(pods.read_bytes()[:-10])

    await to_thread(server.start)
    await house.wait_equal()
    (line,) = told(server, "a file of the warm start cannot be used; its topics are listed")
    assert line["reason"] == "it is cut off"
    assert pods.with_name(pods.name + ".bad").exists()
    assert told(server, "warm start")[0]["topics"] == 1
