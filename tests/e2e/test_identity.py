"""Tokens, names and rights against a real API server: who is refused, and that log, error and doctor name one cause."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import time
from asyncio import to_thread
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.admin_rest import AdminRest
from tests.e2e.house import House
from tests.e2e.objects import on_node, pods_topic
from tests.e2e.typha_process import TyphaProcess
from tests.kit.pems import Authority, authority
from typha_client import Client, RefusedError, Tls, connect

pytestmark = pytest.mark.e2e

AUDIENCE = "typha.example"


def token_of(rest: AdminRest, namespace: str, account: str, pod: str, audience: str = AUDIENCE) -> str:
    """As the kubelet asks for the token that it mounts into a pod."""
    uid = rest.get("v1/pods", pod, namespace)["metadata"]["uid"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    spec = {"audiences": [audience], "expirationSeconds": 3600, "boundObjectRef": bound}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    return str(rest.request("POST", path, body={"spec": spec})["status"]["token"])


def create_agent(rest: AdminRest, namespace: str, name: str, node: str) -> None:
    pod = {"nodeName": node, "serviceAccountName": name, "containers": [{"name": "m", "image": "example.invalid/m"}]}
    rest.create("v1/serviceaccounts", {"metadata": {"name": name}}, namespace)
    rest.create("v1/pods", {"metadata": {"name": name}, "spec": pod}, namespace)


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki")


async def serve(house: House, pki: Authority, namespace: str, **sections: Any) -> TyphaProcess:
    files = pki.issue("server")
    tls = {"cert": str(files.cert), "key": str(files.key), "client_ca": str(files.ca), **sections.pop("tls", {})}
    is_ready = sections.pop("ready", True)
    config = {"tls": tls, "tokens": {"audience": AUDIENCE, "review_interval_s": 1}, **sections}
    return await house.serve({"pods": pods_topic(namespace)}, config, ready=is_ready)


def agent(server: TyphaProcess, pki: Authority, token: str | Path | None = None, **asked: Any) -> Client:
    asked.setdefault("topics", ["pods"])
    tls = asked.pop("tls", Tls(ca=pki.ca_file))
    return connect(server.address, node="agent", tls=tls, token=token, max_backoff_s=0.1, **asked)


async def refusal(client: Client) -> RefusedError:
    async with client:
        with pytest.raises(RefusedError) as caught:
            await client.wait_synced(20)
    return caught.value


def errors(server: TyphaProcess) -> list[str]:
    lines = map(json.loads, server.log_path.read_text().splitlines())
    return [str(line.get("error", "")) for line in lines if line.get("error")]


async def doctor_says(server: TyphaProcess, pki: Authority, token: str, text: str) -> None:
    """`python -m typha_client doctor` with that token fails, once, and for that."""
    file = pki.folder / "token"
    file.write_text(token)
    asked = [server.address, "--tls-ca", pki.ca_file, "--token-file", file, "--topic", "pods", "-o", "json"]
    command = [sys.executable, "-m", "typha_client", "doctor", *map(str, asked)]
    done = await to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    (failed,) = [check for check in json.loads(done.stdout)["checks"] if check["outcome"] == "fail"]
    assert text in failed["what"]
    assert failed["hint"]


def wait_for_log(server: TyphaProcess, text: str) -> None:
    deadline = time.monotonic() + 20
    while not any(text in error for error in errors(server)):
        assert time.monotonic() < deadline, (text, errors(server))
        time.sleep(0.05)


async def test_a_token_reads_the_pods_of_its_own_node(house: House, pki: Authority, namespace: str) -> None:
    rest = house.rest
    await to_thread(create_agent, rest, namespace, "agent", "n1")
    await to_thread(rest.create_pod, namespace, "other", "n2")
    rule = {
        "identities": [f"serviceaccount:{namespace}/agent"],
        "topics": ["pods"],
        "where": {"pods": {"node": "%node"}},
    }
    server = await serve(house, pki, namespace, rights={"agents": rule})
    token = await to_thread(token_of, rest, namespace, "agent", "agent")
    async with agent(server, pki, token, where=on_node("n1")["where"]) as client:
        await client.wait_synced(20)
        assert {entry.key for entry in client.list("pods")} == {f"{namespace}/agent"}
    refused = await refusal(agent(server, pki, token, where=on_node("n2")["where"]))
    assert refused.code == "forbidden"
    assert refused.message == (
        f"topic 'pods' for serviceaccount:{namespace}/agent: rule 'agents' allows it only where node=n1; "
        "asked was node=n2"
    )
    await to_thread(wait_for_log, server, refused.message)


async def test_a_token_for_another_audience(house: House, pki: Authority, namespace: str) -> None:
    rest = house.rest
    await to_thread(create_agent, rest, namespace, "agent", "n1")
    server = await serve(house, pki, namespace)
    for audience in ("https://kubernetes.default.svc", "another"):
        token = await to_thread(token_of, rest, namespace, "agent", "agent", audience)
        refused = await refusal(agent(server, pki, token))
        assert refused.code == "unauthenticated"
        assert "the token was refused" in refused.message
        assert "audience" in refused.message
        assert AUDIENCE in refused.message
        await to_thread(wait_for_log, server, refused.message)
        await doctor_says(server, pki, token, refused.message)
    assert "neither" not in (await refusal(agent(server, pki, "nonsense"))).message


async def test_a_token_whose_pod_is_gone_ends_its_connection(house: House, pki: Authority, namespace: str) -> None:
    rest = house.rest
    for name in ("one", "two"):
        await to_thread(create_agent, rest, namespace, name, "n1")
    server = await serve(house, pki, namespace)
    tokens = [await to_thread(token_of, rest, namespace, name, name) for name in ("one", "two")]
    async with agent(server, pki, tokens[0]) as one, agent(server, pki, tokens[1]) as two:
        await one.wait_synced(20)
        await two.wait_synced(20)
        await to_thread(rest.delete, "v1/pods", "one", namespace)
        await house.wait("the token is refused", lambda: isinstance(one.last_error, RefusedError))
        assert "the token was refused" in str(one.last_error)
        await to_thread(wait_for_log, server, "the token was refused")
        await doctor_says(server, pki, tokens[0], "the token was refused")
        await house.wait("the other goes on", lambda: f"{namespace}/one" not in [e.key for e in two.list("pods")])
        assert two.statistics()["connects"] == 1
        assert two.last_error is None


async def test_certificate_or_token_and_the_names(house: House, pki: Authority, namespace: str) -> None:
    await to_thread(house.rest.create_pod, namespace, "p", "n1")
    server = await serve(house, pki, namespace, tls={"client_names": ["uri:spiffe://cluster/agents/*"]})

    def shown(common_name: str, uri: str) -> Tls:
        files = pki.issue(common_name, common_name=common_name, uri=uri)
        return Tls(ca=pki.ca_file, cert=files.cert, key=files.key)

    async with agent(server, pki, tls=shown("good", "spiffe://cluster/agents/a")) as client:
        await client.wait_synced(20)
    refused = await refusal(agent(server, pki, tls=shown("bad", "spiffe://cluster/other")))
    assert refused.message.endswith("wanted is uri:spiffe://cluster/agents/*")
    await to_thread(wait_for_log, server, refused.message)
    assert "needs a token of a ServiceAccount or a certificate" in (await refusal(agent(server, pki))).message


async def test_the_page_beyond_loopback_is_for_who_has_a_rule(house: House, pki: Authority, namespace: str) -> None:
    rest = house.rest
    for name in ("agent", "operator"):
        await to_thread(create_agent, rest, namespace, name, "n1")
    rules = {
        "agents": {"identities": [f"serviceaccount:{namespace}/agent"], "topics": ["pods"]},
        "operators": {"identities": [f"serviceaccount:{namespace}/operator"], "admin": True},
    }
    server = await serve(house, pki, namespace, ready=False, admin="0.0.0.0:0", rights=rules)
    port = server.status_address().rpartition(":")[2]

    def get(token: str) -> tuple[int, Any]:
        trusted = ssl.create_default_context(cafile=str(pki.ca_file))
        with closing(http.client.HTTPSConnection("localhost", int(port), timeout=10, context=trusted)) as connection:
            connection.request("GET", "/status", headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    code, page = await to_thread(get, await to_thread(token_of, rest, namespace, "operator", "operator"))
    assert (code, [topic["name"] for topic in page["topics"]]) == (200, ["pods"])
    code, page = await to_thread(get, await to_thread(token_of, rest, namespace, "agent", "agent"))
    assert (code, page["error"]) == (
        403,
        f"the status page for serviceaccount:{namespace}/agent: no rule of `rights` with `admin: true` is for it",
    )
    await to_thread(wait_for_log, server, page["error"])
    code, page = await to_thread(get, await to_thread(token_of, rest, namespace, "operator", "operator", "another"))
    assert code == 401
    assert "the token was refused" in page["error"]
    assert AUDIENCE in page["error"]
    assert (await to_thread(get, ""))[0] == 401


async def test_a_renewed_certificate_is_in_force_without_a_restart(
    house: House, pki: Authority, namespace: str
) -> None:
    await to_thread(house.rest.create_pod, namespace, "p", "n1")
    server = await serve(house, pki, namespace)
    files = pki.issue("agent", common_name="agent")
    tls = Tls(ca=pki.ca_file, cert=files.cert, key=files.key)
    renewed = Tls(ca=pki.ca_file, cert=files.cert, key=files.key, server_names=["cn:renewed"])
    async with agent(server, pki, tls=tls) as before, agent(server, pki, tls=renewed) as after:
        await before.wait_synced(20)
        await to_thread(lambda: pki.issue("server", common_name="renewed"))
        await after.wait_synced(20)
        assert before.statistics()["connects"] == 1
        reloaded = 'typha_tls_reloads_total{result="ok"} 1.0'
        await house.wait_page("the metrics say so", lambda: reloaded in server.page("/metrics").text)
        assert 'typha_tls_certificate_expiry_timestamp_seconds{file="certificate"}' in server.page("/metrics").text
