"""The API over HTTP: discovery, reads, writes, the real server's refusals."""

from __future__ import annotations

from pathlib import Path

import kubernetes_asyncio
import kubernetes_asyncio.client
import kubernetes_asyncio.config
import msgspec
import pytest

from tests.simulation.api_client import PODS, Client, pod
from typha.simulation.discovery import Resource
from typha.simulation.serve import SimulationServer
from typha.simulation.store import Store, decode

CERTS = Resource("example.com", "v1", "certs", "Cert")


async def test_discovery_follows_what_is_registered(store: Store, client: Client) -> None:
    assert (await client.get("/readyz")) == (200, "ok")
    assert (await client.get("/version"))[1]["gitVersion"].startswith("v1.")
    assert (await client.get("/api"))[1]["versions"] == ["v1"]
    _, core = await client.get("/api/v1")
    pods = next(each for each in core["resources"] if each["name"] == "pods")
    assert (pods["kind"], pods["namespaced"]) == ("Pod", True)
    assert "pods/status" in [each["name"] for each in core["resources"]]
    assert await client.get("/apis/example.com/v1") == (404, "404 page not found\n")
    store.register(CERTS)
    _, group = await client.get("/apis/example.com")
    assert group["preferredVersion"] == {"groupVersion": "example.com/v1", "version": "v1"}
    _, groups = await client.get("/apis")
    assert "example.com" in [each["name"] for each in groups["groups"]]
    _, listed = await client.get("/apis/example.com/v1")
    assert listed["groupVersion"] == "example.com/v1"


async def test_list_equals_state(store: Store, client: Client) -> None:
    for number in range(25):
        store.create("pods", pod(f"p{number}", f"ns{number % 3}", app="web"))
    items, rv = await client.list_all()
    assert items == [decode(store.table("pods").objects[key]) for key in sorted(store.table("pods").objects)]
    assert rv == str(store.resource_version)
    assert not {"kind", "apiVersion"} & items[0].keys()
    assert await client.list_all(limit=4) == (items, rv)
    some, _ = await client.list_all("/api/v1/namespaces/ns1/pods", limit=3)
    assert [item["metadata"]["namespace"] for item in some] == ["ns1"] * 8


async def test_list_metadata(store: Store, client: Client) -> None:
    for number in range(5):
        store.create("pods", pod(f"p{number}", node=f"n{number % 2}"))
    _, page = await client.get(PODS, limit=2)
    assert (page["kind"], page["apiVersion"]) == ("PodList", "v1")
    assert page["metadata"]["remainingItemCount"] == 3
    _, selected = await client.get(PODS, limit=1, fieldSelector="spec.nodeName=n0")
    assert selected["metadata"]["continue"]
    assert "remainingItemCount" not in selected["metadata"]
    rest, _ = await client.list_all(limit=2, fieldSelector="spec.nodeName=n0")
    assert [item["metadata"]["name"] for item in rest] == ["p0", "p2", "p4"]
    _, empty = await client.get("/api/v1/configmaps")
    assert empty["items"] == []


async def test_create_read_update_patch_delete(store: Store, client: Client) -> None:
    code, created = await client.request("POST", "/api/v1/namespaces/default/pods", pod("a"))
    assert (code, created["kind"], created["metadata"]["resourceVersion"]) == (201, "Pod", "2")
    path = "/api/v1/namespaces/default/pods/a"
    assert await client.get(path) == (200, created)
    created["spec"]["nodeName"] = "n1"
    assert (await client.request("PUT", path, created))[0] == 200
    assert (await client.request("PUT", path, created))[1]["reason"] == "Conflict"
    patch = {"metadata": {"labels": {"x": "1"}}}
    _, patched = await client.request("PATCH", path, patch, "application/merge-patch+json")
    assert (patched["metadata"]["labels"], patched["spec"]["nodeName"]) == ({"x": "1"}, "n1")
    status = {"metadata": {"name": "a", "labels": {}}, "spec": {}, "status": {"phase": "Failed"}}
    _, written = await client.request("PUT", f"{path}/status", status)
    assert (written["status"], written["spec"], written["metadata"]["labels"]) == (
        {"phase": "Failed"},
        {"nodeName": "n1"},
        {"x": "1"},
    )
    odd = {"status": {"phase": "Running"}, "spec": {"nodeName": "n9"}}
    _, patched = await client.request("PATCH", f"{path}/status", odd, "application/merge-patch+json")
    assert (patched["status"]["phase"], patched["spec"]["nodeName"]) == ("Running", "n1")
    code, deleted = await client.request("DELETE", path)
    assert (code, deleted["metadata"]["resourceVersion"]) == (200, str(store.resource_version))
    code, answer = await client.get(path)
    assert (code, answer["reason"], answer["message"]) == (404, "NotFound", 'pods "a" not found')


@pytest.mark.parametrize(
    ("method", "path", "content_type", "code"),
    [
        ("POST", "/api/v1/namespaces/default/pods/a", "application/json", 405),
        ("PUT", "/api/v1/pods", "application/json", 405),
        ("OPTIONS", "/api/v1/pods", "application/json", 405),
        ("PATCH", "/api/v1/namespaces/default/pods/a", "application/json-patch+json", 415),
        ("POST", "/api/v1/namespaces/other/pods", "application/json", 400),
    ],
)
async def test_refusals(client: Client, method: str, path: str, content_type: str, code: int) -> None:
    got, answer = await client.request(method, path, pod("a"), content_type)
    assert (got, answer["kind"], answer["code"]) == (code, "Status", code)


async def test_bodies_that_are_no_objects(client: Client) -> None:
    for body in (b"{", b"[]", b'{"metadata":3}'):
        async with client.session.post("/api/v1/namespaces/default/pods", data=body) as answer:
            assert answer.status == 400


async def test_unknown_resources_answer_plain_text(client: Client) -> None:
    # The real server's words for a group it does not know: no Status, no JSON.
    assert await client.get("/apis/example.com/v1/certs") == (404, "404 page not found\n")
    assert await client.get("/nothing/here/at/all") == (404, "404 page not found\n")


async def test_too_large_resource_version(client: Client) -> None:
    async with client.session.get(PODS, params={"resourceVersion": "9", "resourceVersionMatch": "NotOlderThan"}) as got:
        answer = msgspec.json.decode(await got.read())
        assert (got.status, got.headers["Retry-After"], answer["reason"]) == (504, "1", "Timeout")
    assert answer["details"]["causes"] == [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]


async def test_statistics(store: Store, server: SimulationServer, client: Client) -> None:
    store.create("pods", pod("a"))
    body = (await client.session.get(PODS)).content_length
    await client.get(PODS, limit=1)
    await client.get("/api")
    counted = server.statistics()
    assert counted.requests == {"list pods": 2, "discovery": 1}
    assert counted.bytes_sent["pods"] == 2 * (body or 0)
    assert (counted.resource_version, counted.objects["v1/pods"]) == (2, 1)
    _, seen = await client.get("/simulation/statistics")
    assert seen["requests"] == {"list pods": 2, "discovery": 1}


async def test_a_real_client_library_reads_it(store: Store, server: SimulationServer, tmp_path: Path) -> None:
    store.create("pods", {**pod("a", node="n1"), "spec": {"nodeName": "n1", "containers": [{"name": "c"}]}})
    configuration = kubernetes_asyncio.client.Configuration()
    await kubernetes_asyncio.config.load_kube_config(
        str(server.kubeconfig(tmp_path / "kubeconfig", token="t")), client_configuration=configuration
    )
    server.faults.require_token("t")
    async with kubernetes_asyncio.client.ApiClient(configuration) as api:
        pods = await kubernetes_asyncio.client.CoreV1Api(api).list_pod_for_all_namespaces(limit=10)
    assert [(each.metadata.name, each.spec.node_name) for each in pods.items] == [("a", "n1")]
