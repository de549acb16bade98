"""How the first list is read: streamed (WatchList) where the API server offers it, in pages where it does not."""

import http.client
import re
from asyncio import to_thread

import pytest

from tests.controlplane.apiserver import ApiServer
from tests.controlplane.controlplane import ControlPlane
from tests.e2e.house import House, in_parallel
from tests.e2e.objects import CONFIG_MAPS, create_config_map

pytestmark = pytest.mark.e2e

# A page has 500: two pages.
OBJECTS = 520


def requests_of(control_plane: ControlPlane, apiserver: ApiServer, verb: str) -> int:
    """How many such requests for configmaps the API server has counted."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", apiserver.port, context=control_plane.credentials.client_tls(), timeout=30
    )
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {control_plane.admin.token}"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    samples = re.findall(r"^apiserver_request_total\{(.*)\} (\d+)$", text, re.MULTILINE)
    wanted = ('resource="configmaps"', 'scope="namespace"', f'verb="{verb}"')
    return sum(int(count) for labels, count in samples if all(label in labels for label in wanted))


async def compare_with_many(house: House, namespace: str) -> int:
    """Fills the namespace, serves it to an agent, compares, and gives the number of the server's LIST requests."""
    rest, control_plane = house.rest, house.control_plane
    await to_thread(
        in_parallel, lambda number: create_config_map(rest, namespace, f"c{number:04}", a=str(number)), range(OBJECTS)
    )
    before = await to_thread(requests_of, control_plane, control_plane.apiserver, "LIST")
    server = await house.serve({"maps": {"resource": CONFIG_MAPS, "namespace": namespace, "fields": ["data"]}})
    lists = await to_thread(requests_of, control_plane, control_plane.apiserver, "LIST") - before
    agent, compressed = await house.agent(server), await house.agent(server, compression=True)
    await house.wait_equal()
    assert len(agent.held("maps")) == OBJECTS
    assert compressed.counters()["bytes_received"] < agent.counters()["bytes_received"] / 2
    return lists


async def test_watch_list_is_used_where_it_is_offered(house: House, namespace: str) -> None:
    assert await compare_with_many(house, namespace) == 0


async def test_pages_where_there_is_no_watch_list(fresh_house: House) -> None:
    control_plane, rest = fresh_house.control_plane, fresh_house.rest
    await to_thread(control_plane.restart_apiserver, "--feature-gates=WatchList=false")
    await to_thread(rest.create_namespace, "many")
    assert await compare_with_many(fresh_house, "many") == 2
    (server,) = fresh_house.servers
    # The watch goes on where the pages ended.
    await to_thread(create_config_map, rest, "many", "after", a="x")
    await to_thread(rest.delete, CONFIG_MAPS, "c0000", "many")
    await fresh_house.wait_equal()
    # And so do pages that are read again after a 410, not older than what is held.
    await to_thread(control_plane.kill_apiserver)
    await to_thread(control_plane.compact_etcd)
    await to_thread(control_plane.restart_apiserver, "--feature-gates=WatchList=false")
    await to_thread(create_config_map, rest, "many", "later", a="x")
    await fresh_house.wait_equal()
    assert server.status()["upstream"]["lives_total"] == 0
