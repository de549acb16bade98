"""An admin port beyond loopback with real sockets and certificates, and reviews that say what the test wants."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kit.pems import Authority, authority
from tests.observe.pictures import picture
from typha.config import HostPort
from typha.downstream.authentication import Authentication
from typha.downstream.identity import Peer
from typha.downstream.rights import Rights, Rule
from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import TlsFiles, server_context
from typha.downstream.token_reviews import ReviewFailedError, TokenRefusedError, TokenReviews
from typha.downstream.tokens import Reviewed
from typha.observe.door import Door
from typha.observe.http import ObserveServer
from typha.observe.status import Board
from typha.wire.identity import WantedName

BEYOND = HostPort("0.0.0.0", 0)
LOCAL = HostPort("127.0.0.1", 0)
OPERATOR = WantedName("cn:operator")
ACCOUNT = WantedName("serviceaccount:ops/viewer")


class Answer(NamedTuple):
    code: int
    body: str
    headers: dict[str, str]

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


class Entry:
    """A server with an admin port beyond loopback; what it asks of whoever comes is set before `open`."""

    def __init__(self, pki: Authority) -> None:
        self.pki = pki
        self.files = pki.issue("server", common_name="first")
        self.asks_certificate, self.takes_tokens = True, False
        self.rules: tuple[Rule, ...] = ()
        self.known: dict[str, Reviewed | Exception] = {}
        self.asked: list[str] = []
        self.pause: asyncio.Event | None = None
        self.timeout_s = 5.0
        self.now = 0.0
        self.port = self.health_port = 0
        self.tls: ServerTls

    async def _review(self, token: str) -> Reviewed:
        self.asked.append(token)
        if self.pause is not None:
            await self.pause.wait()
        answer = self.known.get(token, TokenRefusedError("the API server does not know it"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Entry]:
        verify = ssl.CERT_OPTIONAL if self.takes_tokens else ssl.CERT_REQUIRED
        files = TlsFiles(self.files.cert, self.files.key, self.pki.ca_file if self.asks_certificate else None)
        self.tls = ServerTls(files, lambda found: server_context(found, verify=verify), now=time.time())
        asked = Authentication(
            asks_certificate=self.asks_certificate,
            wanted=[OPERATOR] if self.asks_certificate else [],
            takes_tokens=self.takes_tokens,
            rights=Rights(self.rules),
        )
        reviews: TokenReviews[object] = TokenReviews(
            self._review,
            interval_s=300.0,
            clock=lambda: self.now,
            random=lambda: 0.0,
            retry_after_s=lambda: 1.5,
            on_revoked=lambda _holder, _reason: None,
        )
        door = Door(self.tls, asked, reviews if self.takes_tokens else None, timeout_s=self.timeout_s)
        board = Board(time.monotonic)
        board.publish(picture())
        server = ObserveServer(board, health=LOCAL, admin=BEYOND, door=door)
        server.start()
        try:
            self.port, self.health_port = server.admin_port or 0, server.health_port or 0
            yield self
        finally:
            reviews.cancel()
            await asyncio.to_thread(server.stop)

    def context(self, files: TlsFiles | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki.ca_file))
        if files is not None:
            context.load_cert_chain(files.cert, files.key)
        return context

    def operator(self) -> TlsFiles:
        return self.pki.issue("operator", common_name="operator")

    async def get(
        self, files: TlsFiles | None = None, target: str = "/status", method: str = "GET", **headers: str
    ) -> Answer:
        def ask() -> Answer:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=self.context(files))
            with closing(connection):
                connection.request(method, target, headers=headers)
                response = connection.getresponse()
                return Answer(response.status, response.read().decode(), dict(response.headers))

        return await asyncio.to_thread(ask)

    async def with_token(self, token: str, files: TlsFiles | None = None) -> Answer:
        return await self.get(files, Authorization=f"Bearer {token}")


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return Entry(authority(tmp_path / "pki"))


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "typha.observe"]


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - what it waits for happens on another thread
            await asyncio.sleep(0.01)


async def told(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The one line in the log, when it is there."""
    await until(lambda: lines(caplog))
    (said,) = lines(caplog)
    return said


def of(account: str) -> Reviewed:
    return Reviewed(Peer((f"serviceaccount:{account}",)), inf)


@pytest.fixture
def by_token(entry: Entry) -> Entry:
    entry.takes_tokens = True
    entry.known = {"good": of("ops/viewer"), "away": ReviewFailedError("connection refused")}
    return entry
