"""HTTP in one place: typed errors, credentials per request, refresh, TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from typha.simulation.discovery import Resource as Served
from typha.simulation.serve import SimulationServer
from typha.simulation.store import Store
from typha.upstream.api_session import ApiSession
from typha.upstream.cluster import read_cluster_uid
from typha.upstream.credentials import CredentialSettings, load_configuration
from typha.upstream.discovery import discover
from typha.upstream.errors import (
    BadAnswerError,
    ConnectionLostError,
    CredentialsError,
    DiscoveryFailedError,
    ResourceNotFoundError,
    TlsFailedError,
    UnauthorizedError,
)
from typha.upstream.resources import Resource, ResourceName, parse_resource_name
from typha.upstream.settings import Settings

TIMEOUT = aiohttp.ClientTimeout(total=5)


def configuration(host: str, token: str = "") -> Configuration:
    made = Configuration(host=host)
    if token:
        made.api_key["BearerToken"] = f"Bearer {token}"
    return made


@pytest.fixture
async def session(server: SimulationServer) -> AsyncIterator[ApiSession]:
    async def load() -> Configuration:
        return configuration(server.url)

    async with ApiSession(load) as session:
        yield session


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1/pods", Resource("", "v1", "pods", "Pod", namespaced=True)),
        ("nodes", Resource("", "v1", "nodes", "Node", namespaced=False)),
        (
            "discovery.k8s.io/endpointslices",
            Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
        ),
        ("example.com/certs", Resource("example.com", "v1", "certs", "Cert", namespaced=True)),
        ("example.com/olds", Resource("example.com", "v2", "olds", "Old", namespaced=False)),
    ],
)
async def test_discovery(session: ApiSession, store: Store, name: str, expected: Resource) -> None:
    store.register(Served("example.com", "v1", "certs", "Cert"))
    store.register(Served("example.com", "v2", "olds", "Old", namespaced=False))  # not in the preferred version
    assert await discover(session, parse_resource_name(name), TIMEOUT) == expected


@pytest.mark.parametrize("name", ["v1/nothing", "v7/pods", "example.com/certs", "apps/v1/deployments", "deployments"])
async def test_discovery_of_what_is_not_there(session: ApiSession, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match="serves no"):
        await discover(session, parse_resource_name(name), TIMEOUT)


async def test_a_resource_that_another_group_serves(session: ApiSession, store: Store) -> None:
    """Calico's resources: the older group where it is served, the native one where only that is."""
    natively = ResourceName("native.example.com", "v3", "pools")
    name = ResourceName("crd.example.com", "v1", "pools", natively)
    with pytest.raises(ResourceNotFoundError, match=r"crd\.example\.com.*native\.example\.com"):
        await discover(session, name, TIMEOUT)
    store.register(Served("native.example.com", "v3", "pools", "Pool", namespaced=False))
    assert (await discover(session, name, TIMEOUT)).group == "native.example.com"
    store.register(Served("crd.example.com", "v1", "pools", "Pool", namespaced=False))
    assert (await discover(session, name, TIMEOUT)).group == "crd.example.com"


async def test_discovery_that_fails(session: ApiSession, server: SimulationServer) -> None:
    server.faults.answer(503, verb="discovery")
    with pytest.raises(DiscoveryFailedError):
        await discover(session, parse_resource_name("v1/pods"), TIMEOUT)
    server.faults.answer_raw(b"{}", verb="discovery")
    with pytest.raises(BadAnswerError):
        await discover(session, parse_resource_name("pods"), TIMEOUT)


async def test_cluster_uid(session: ApiSession, store: Store) -> None:
    made = store.create("v1/namespaces", {"metadata": {"name": "kube-system", "uid": "the-uid"}})
    assert made.key == "kube-system"
    assert await read_cluster_uid(session, Settings()) == "the-uid"


async def test_refused_and_reset_connections(session: ApiSession, server: SimulationServer) -> None:
    server.faults.cut("reset", after_bytes=10, verb="list")
    with pytest.raises(ConnectionLostError):
        await session.read("list", "/api/v1/pods", {}, TIMEOUT)
    await server.stop()
    with pytest.raises(ConnectionLostError):
        await session.read("list", "/api/v1/pods", {}, TIMEOUT)


async def test_refresh_runs_once_for_many_and_leaves_streams(server: SimulationServer) -> None:
    tokens = iter(["old", "new", "never"])
    server.faults.require_token("old")

    async def load() -> Configuration:
        return configuration(server.url, next(tokens))

    async with ApiSession(load) as session:
        parameters = {"watch": "true", "resourceVersion": str(server.store.resource_version)}
        async with session.request("watch", "/api/v1/pods", parameters, TIMEOUT) as response:
            server.faults.require_token("new")
            with pytest.raises(UnauthorizedError) as caught:
                await session.read("list", "/api/v1/pods", {}, TIMEOUT)
            await asyncio.gather(*(session.refresh(caught.value.generation) for _ in range(5)))
            assert session.generation == 2
            await session.read("list", "/api/v1/pods", {}, TIMEOUT)
            server.store.delete("v1/pods", "a/p1")
            assert b"DELETED" in await response.content.readany()
        assert session._retired == []


async def test_token_file_that_went_empty_is_a_typed_error(server: SimulationServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(trustme.CA().cert_pem.bytes().decode())
    service = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    settings = CredentialSettings(service=service, service_account=tmp_path)

    async def load() -> Configuration:
        made = await load_configuration(settings)
        made.host = server.url
        hook: Any = made.refresh_api_key_hook

        def expired(configuration: Configuration) -> None:
            loader = inspect.getclosurevars(hook).nonlocals["self"]
            loader.token_expires_at = dt.datetime(2000, 1, 1)  # noqa: DTZ001 naive, as the loader's own
            hook(configuration)

        made.refresh_api_key_hook = expired
        return made

    async with ApiSession(load) as session:
        server.faults.require_token("t")
        await session.read("list", "/api/v1/pods", {}, TIMEOUT)
        server.faults.require_token("renewed")
        (tmp_path / "token").write_text("renewed")
        await session.read("list", "/api/v1/pods", {}, TIMEOUT)
        (tmp_path / "token").write_text("")
        with pytest.raises(CredentialsError, match="token"):
            await session.read("list", "/api/v1/pods", {}, TIMEOUT)


async def test_files_that_are_no_certificates(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")

    async def load() -> Configuration:
        return Configuration(host="https://127.0.0.1:1", ssl_ca_cert=str(path))

    with pytest.raises(CredentialsError, match=str(path)):
        await ApiSession(load).open()


async def test_tls_with_client_certificate_and_a_foreign_ca(tmp_path: Path) -> None:
    authority, foreign = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("client")
    paths = [tmp_path / name for name in ("ca", "cert", "key", "foreign")]
    authority.cert_pem.write_to_path(str(paths[0]))
    issued.cert_chain_pems[0].write_to_path(str(paths[1]))
    issued.private_key_pem.write_to_path(str(paths[2]))
    foreign.cert_pem.write_to_path(str(paths[3]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/x", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    trust = str(paths[0])

    async def load() -> Configuration:
        made = Configuration(host=f"https://127.0.0.1:{runner.addresses[0][1]}", ssl_ca_cert=trust)
        made.cert_file, made.key_file = str(paths[1]), str(paths[2])
        return made

    try:
        async with ApiSession(load) as session:
            assert await session.read("list", "/x", {}, TIMEOUT) == b"ok"
        trust = str(paths[3])
        async with ApiSession(load) as session:
            with pytest.raises(TlsFailedError, match="certificate verify failed"):
                await session.read("list", "/x", {}, TIMEOUT)
    finally:
        await runner.cleanup()
