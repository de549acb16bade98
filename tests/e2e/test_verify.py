"""`typha verify` beside a real API server: equal, one event that never came, a watch that is cut, and under writes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from asyncio import to_thread
from pathlib import Path

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.e2e.hiding_proxy import HidingProxy
from tests.e2e.house import WAIT_S, House
from tests.e2e.objects import CONFIG_MAPS, PODS, create_config_map, create_service, pods_topic, relabel
from tests.e2e.typha_process import Json, TyphaProcess, clean_environment

pytestmark = pytest.mark.e2e

SERVICES = "v1/services"


def topics(namespace: str) -> dict[str, Json]:
    return {"pods": pods_topic(namespace), "services": {"resource": SERVICES, "namespace": namespace}}


async def verify(server: TyphaProcess, kubeconfig: Path, *arguments: str) -> tuple[int, dict[str, list[Json]]]:
    """Exit code, and the differences of each topic."""
    command = [*clean_environment(KUBECONFIG=str(kubeconfig)), sys.executable, "-m", "typha", "verify"]
    command += ["--config", str(server.config_path), "--server", server.address, "-o", "json", *arguments]
    done = await to_thread(subprocess.run, command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    if not done.stdout:
        return done.returncode, {"": [{"error": done.stderr}]}
    page = json.loads(done.stdout)
    assert page["equal"] is (done.returncode == 0)
    return done.returncode, {topic["topic"]: topic["differences"] for topic in page["topics"]}


async def fill(house: House, namespace: str) -> None:
    for number in range(5):
        await to_thread(house.rest.create_pod, namespace, f"p{number}", "n1", f"10.0.0.{number}")
    await to_thread(create_service, house.rest, namespace, "svc")


async def test_equal_and_equal_under_writes(house: House, control_plane: ControlPlane, namespace: str) -> None:
    await fill(house, namespace)
    server = await house.serve(topics(namespace))
    assert await verify(server, control_plane.kubeconfig) == (0, {"pods": [], "services": []})

    is_over = False

    async def write() -> None:
        number = 0
        while not is_over:
            number += 1
            await to_thread(relabel, house.rest, namespace, f"p{number % 5}", n=str(number))
            await to_thread(house.rest.create_pod, namespace, f"new-{number}", "n2")
            await to_thread(house.rest.delete, PODS, f"new-{number}", namespace)

    writing = asyncio.create_task(write())
    try:
        assert await verify(server, control_plane.kubeconfig) == (0, {"pods": [], "services": []})
    finally:
        is_over = True
        await writing


async def test_an_event_that_never_came_is_found(
    house: House, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await fill(house, namespace)
    rest, proxy = house.rest, HidingProxy(control_plane)
    # WatchList answers hold the events of first lists: a proxy that hides watch events would hide objects of these too.
    config = {"upstream": {"watch_list": False, "watch_timeout_s": [300, 300]}}
    async with proxy.serve(tmp_path / "proxy.kubeconfig") as kubeconfig:
        server = await house.serve(topics(namespace), config, kubeconfig=kubeconfig)
        await house.agent(server)
        await house.wait_equal()
        proxy.hidden = {"p0", "p1", "lost"}
        await to_thread(relabel, rest, namespace, "p0", hidden="yes")
        await to_thread(rest.delete, PODS, "p1", namespace)
        await to_thread(rest.create_pod, namespace, "lost", "n1")
        await to_thread(relabel, rest, namespace, "p2", seen="yes")  # the head goes on: nothing tells the server
        await house.wait_page(
            "p2 has passed", lambda: server.topic("pods")["head"] >= int(_version(house, namespace, "p2"))
        )
        code, found = await verify(server, control_plane.kubeconfig, "--grace", "3")
        assert code == 1
        assert {each["key"]: each["kind"] for each in found["pods"]} == {
            f"{namespace}/p0": "different",
            f"{namespace}/p1": "surplus",
            f"{namespace}/lost": "missing",
        }
        assert found["services"] == []
        assert proxy.swallowed >= 3

        # Once the events' objects change again and are seen, all is well.
        proxy.hidden = set()
        await to_thread(relabel, rest, namespace, "p0", hidden="no")
        await to_thread(relabel, rest, namespace, "lost", seen="yes")
        await to_thread(rest.create_pod, namespace, "p1", "n1")
        assert await verify(server, control_plane.kubeconfig) == (0, {"pods": [], "services": []})


def _version(house: House, namespace: str, pod: str) -> str:
    return str(house.rest.get(PODS, pod, namespace)["metadata"]["resourceVersion"])


async def test_a_watch_that_is_cut_is_found_where_the_cursor_stands_still(
    house: House, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    proxy = HidingProxy(control_plane)
    config = {"upstream": {"watch_list": False, "watch_timeout_s": [300, 300]}}
    maps = {"maps": {"resource": CONFIG_MAPS, "namespace": namespace}}
    async with proxy.serve(tmp_path / "proxy.kubeconfig") as kubeconfig:
        server = await house.serve(maps, config, kubeconfig=kubeconfig)
        await house.agent(server)
        await house.wait_equal()
        proxy.is_cut = True
        await to_thread(create_config_map, house.rest, namespace, "late", key="value")
        code, found = await verify(server, control_plane.kubeconfig, "--grace", "2")
        assert (code, [(each["key"], each["kind"]) for each in found["maps"]]) == (
            1,
            [(f"{namespace}/late", "missing")],
        )


async def test_another_configuration_is_no_difference(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    await fill(house, namespace)
    server = await house.serve(topics(namespace))
    server.config["topics"]["pods"] = {"resource": PODS, "namespace": namespace}
    await to_thread(server.config_path.write_text, json.dumps(server.config))
    code, found = await verify(server, control_plane.kubeconfig)
    assert code == 2
    assert "in another form" in found[""][0]["error"]


async def test_calicos_feeds_are_equal(house: House, control_plane: ControlPlane, namespace: str) -> None:
    await fill(house, namespace)
    server = await house.serve({}, {"calico": {"feeds": ["felix", "bgp"]}, "feeds": {}})
    code, found = await verify(server, control_plane.kubeconfig)
    assert code == 0, {name: each for name, each in found.items() if each}
    assert "workloadendpoints" in found
