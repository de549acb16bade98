"""HTTPS_PROXY and NO_PROXY: the rules alone, then a real CONNECT proxy before an API server over TLS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from tests.kit.connect_proxy import ConnectProxy
from typha.upstream.api_session import ApiSession
from typha.upstream.credentials import CredentialSettings, from_environment, load_configuration
from typha.upstream.errors import ConnectionLostError, CredentialsError
from typha.upstream.kubernetes_client import Configuration
from typha.upstream.proxy import proxy_of

TIMEOUT = aiohttp.ClientTimeout(total=5)
PROXY = "http://proxy:3128"
API = "https://api.example.com:6443"


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_proxied"),
    [
        (API, "", True),
        (API, "*", False),
        (API, "example.com", False),
        (API, " EXAMPLE.com ", False),
        (API, ".example.com", False),
        (API, "*.example.com", False),
        (API, "ample.com", True),
        (API, "other.com,api.example.com", False),
        (API, "api.example.com:6443", False),
        (API, "api.example.com:443", True),
        ("https://api.example.com", "api.example.com:443", False),
        ("https://example.com", ".example.com", True),
        ("https://10.96.0.1", "10.96.0.0/12", False),
        ("https://10.96.0.1", "10.0.0.0/16", True),
        ("https://10.96.0.1", "10.96.0.1", False),
        ("https://10.96.0.1", "0.1", True),
        ("https://10.96.0.1", "nonsense/7", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", False),
        ("https://[fd00::1]:6443", "[fd00::1]:1", True),
        ("https://localhost:6443", "", False),
        ("https://127.0.0.2:6443", "", False),
        ("https://[::1]:6443", "", False),
    ],
)
def test_who_is_exempt(url: str, no_proxy: str, is_proxied: bool) -> None:
    found = proxy_of(url, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert found == (PROXY if is_proxied else None)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}, PROXY),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "example.com"}, None),
    ],
)
def test_which_variable_counts(environ: Mapping[str, str], proxy: str | None) -> None:
    assert proxy_of(API, environ) == proxy


def test_a_proxy_of_another_kind_is_an_error() -> None:
    with pytest.raises(CredentialsError, match="HTTPS_PROXY names a proxy of kind 'socks5'"):
        proxy_of(API, {"HTTPS_PROXY": "socks5://proxy:1080"})


async def test_a_kubeconfigs_proxy_goes_first(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {}}]\n"
        f"clusters: [{{name: k, cluster: {{server: '{API}', proxy-url: 'http://own:1'}}}}]\n"
    )
    environ = {"KUBECONFIG": str(kubeconfig), "HTTPS_PROXY": PROXY}
    assert (await load_configuration(from_environment(environ))).proxy == "http://own:1"


class Rig:
    """An API server that only a proxy can find: its name is in no resolver."""

    def __init__(self, proxy: ConnectProxy, port: int, ca: Path) -> None:
        self.proxy = proxy
        self.environ = {"K8S_API_ENDPOINT": f"https://api.example.test:{port}", "K8S_CA_FILE": str(ca)}

    async def read(self, **environ: str) -> bytes:
        settings = from_environment({**self.environ, **environ})

        async def load(settings: CredentialSettings = settings) -> Configuration:
            return await load_configuration(settings)

        async with ApiSession(load) as session:
            return await session.read("list", "/x", {}, TIMEOUT)


@asynccontextmanager
async def rig(tmp_path: Path, credentials: str = "") -> AsyncIterator[Rig]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.example.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/x", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    try:
        async with ConnectProxy({f"api.example.test:{port}": ("127.0.0.1", port)}, credentials) as proxy:
            yield Rig(proxy, port, tmp_path / "ca")
    finally:
        await runner.cleanup()


async def test_through_a_proxy(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        assert await found.read(HTTPS_PROXY=found.proxy.url) == b"ok"
        assert found.proxy.asked == [found.environ["K8S_API_ENDPOINT"].removeprefix("https://")]


async def test_past_a_proxy(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        with pytest.raises(ConnectionLostError):
            await found.read(HTTPS_PROXY=found.proxy.url, NO_PROXY=".example.test")
        assert found.proxy.asked == []


async def test_a_proxy_that_asks_who_we_are(tmp_path: Path) -> None:
    async with rig(tmp_path, "user:secret") as found:
        with pytest.raises(ConnectionLostError, match="407"):
            await found.read(HTTPS_PROXY=found.proxy.url)
        url = found.proxy.url.replace("http://", "http://user:secret@")
        assert await found.read(HTTPS_PROXY=url) == b"ok"


async def test_a_proxy_that_cannot_find_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        found.proxy.routes.clear()
        with pytest.raises(ConnectionLostError, match="502"):
            await found.read(HTTPS_PROXY=found.proxy.url)
