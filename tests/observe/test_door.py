"""Who sees the admin port beyond loopback: real sockets and certificates, and reviews that say what the test wants."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
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
from typha.observe.door import REVIEWS, Door, bearer_token
from typha.observe.http import ObserveServer
from typha.observe.ports import MAX_CONNECTIONS
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


# --- certificates


async def test_a_wanted_certificate_sees_everything_of_the_port(entry: Entry) -> None:
    async with entry.open():
        files = entry.operator()
        for target in ("/", "/status", "/metrics", "/livez", "/page/main.js"):
            assert (await entry.get(files, target)).code == 200, target
        # It is not on loopback: it changes nothing, whoever asks.
        refused = await entry.get(files, "/log-level?level=debug", "PUT")
        assert (refused.code, "beyond loopback changes nothing" in refused.error) == (403, True)


async def test_a_certificate_of_another_name(entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
    async with entry.open():
        other = entry.pki.issue("other", common_name="other", dns="other.example")
        for target in ("/", "/status", "/metrics", "/livez", "/page/main.js", "/nothing"):
            answer = await entry.get(other, target)
            assert answer.code == 401
            assert answer.error == "the certificate is of cn:other, dns:other.example; wanted is cn:operator"
        assert "WWW-Authenticate" not in answer.headers
        said = lines(caplog)[-1]
        assert said["error"] == f"unauthenticated: {answer.error}"
        assert said["address"].startswith("127.0.0.1")


@pytest.mark.parametrize(
    ("who", "reason"), [("nobody", "no_certificate"), ("stranger", "unknown_ca"), ("expired", "expired")]
)
async def test_certificates_that_do_not_come_through_the_handshake(
    entry: Entry, tmp_path: Path, who: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "nobody": None,
        "stranger": authority(tmp_path / "others").issue("operator", common_name="operator"),
        "expired": entry.pki.issue("expired", common_name="operator", valid_s=(-7200, -3600)),
    }[who]
    async with entry.open():
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            await entry.get(files)
        said = await told(caplog)
        assert (said["message"], said["reason"], said["port"]) == ("TLS handshake failed", reason, "admin")
        assert (await entry.get(entry.operator())).code == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_1_1_is_refused(entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
    context = entry.context(entry.operator())
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def shake_hands() -> None:
        with socket.create_connection(("127.0.0.1", entry.port), timeout=10) as connection:
            context.wrap_socket(connection, server_hostname="localhost")

    async with entry.open():
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(shake_hands)
        assert (await told(caplog))["reason"] == "version"


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(entry: Entry) -> None:
    async with entry.open():
        files = entry.operator()

        def shown() -> str:
            with (
                socket.create_connection(("127.0.0.1", entry.port), timeout=10) as connection,
                entry.context(files).wrap_socket(connection, server_hostname="localhost") as secure,
            ):
                subject: Any = (secure.getpeercert() or {})["subject"]
                return str(dict(part[0] for part in subject)["commonName"])

        assert await asyncio.to_thread(shown) == "first"
        entry.pki.issue("server", common_name="second")
        for _ in range(2):
            entry.tls.look(time.time())
        assert await asyncio.to_thread(shown) == "second"
        assert (await entry.get(files)).code == 200


# --- tokens


def of(account: str) -> Reviewed:
    return Reviewed(Peer((f"serviceaccount:{account}",)), inf)


@pytest.fixture
def by_token(entry: Entry) -> Entry:
    entry.takes_tokens = True
    entry.known = {"good": of("ops/viewer"), "away": ReviewFailedError("connection refused")}
    return entry


async def test_a_token_instead_of_a_certificate(by_token: Entry) -> None:
    async with by_token.open() as entry:
        assert [(await entry.with_token("good")).code for _ in range(3)] == [200, 200, 200]
        assert entry.asked == ["good"]
        assert (await entry.get(entry.operator())).code == 200


async def test_tokens_alone(by_token: Entry) -> None:
    by_token.asks_certificate = False
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        answer = await entry.get()
        assert answer.code == 401
        assert answer.error == "this server needs a token of a ServiceAccount, and none came"


async def test_no_token_and_no_certificate_hears_what_is_needed(by_token: Entry) -> None:
    async with by_token.open() as entry:
        for header in ("", "Basic Z29vZA==", "Bearer "):
            answer = await entry.get(Authorization=header)
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.error == "this server needs a token of a ServiceAccount or a certificate, and none came"
        assert entry.asked == []


async def test_a_token_that_is_refused(by_token: Entry, caplog: pytest.LogCaptureFixture) -> None:
    async with by_token.open() as entry:
        for files in (None, entry.operator()):  # whoever brings both must be right with both
            answer = await entry.with_token("bad", files)
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.error == "the token was refused: the API server does not know it"
        assert entry.asked == ["bad"]
        assert not any("bad" in str(line.get("error")) for line in lines(caplog))


async def test_a_token_is_reviewed_again_when_it_is_shown_later(by_token: Entry) -> None:
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        entry.known["good"] = ReviewFailedError("connection refused")
        entry.now = 301.0  # an outage of the API server turns nobody away who was known
        assert (await entry.with_token("good")).code == 200
        entry.known["good"] = TokenRefusedError("the pod is gone")
        answer = await entry.with_token("good")
        assert (answer.code, answer.error) == (401, "the token was refused: the pod is gone")
        assert entry.asked == ["good"] * 3


async def test_no_review_is_possible(by_token: Entry) -> None:
    async with by_token.open() as entry:
        answer = await entry.with_token("away")
        assert (answer.code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.error == "the token cannot be reviewed now: connection refused"


async def test_a_review_that_takes_too_long(by_token: Entry) -> None:
    by_token.timeout_s = 0.05
    by_token.pause = asyncio.Event()
    async with by_token.open() as entry:
        answer = await entry.with_token("good")
        assert (answer.code, answer.error) == (503, "the token cannot be reviewed now: no answer within 0.05 s")
        by_token.pause.set()
        by_token.pause = None
        # The one that was under way has told the answer meanwhile.
        assert (await entry.with_token("good")).code == 200
        assert entry.asked == ["good"]


async def test_reviews_for_the_page_take_few_of_the_places(by_token: Entry) -> None:
    by_token.pause = asyncio.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * REVIEWS + 2))  # each waits on a thread
    async with by_token.open() as entry:
        waiting = [asyncio.create_task(entry.with_token(f"made up {number}")) for number in range(2 * REVIEWS)]
        await until(lambda: len(entry.asked) == REVIEWS)
        # Neither probes nor who shows a certificate wait for them.
        assert (await entry.get(entry.operator())).code == 200
        assert len(entry.asked) == REVIEWS
        by_token.pause.set()
        assert {answer.code for answer in await asyncio.gather(*waiting)} == {401}
        assert len(entry.asked) == 2 * REVIEWS


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("Bearer", ""), ("", ""), ("abc", "")],
)
def test_the_token_of_a_header(header: str, token: str) -> None:
    assert bearer_token(header) == token


# --- rules


async def test_with_rules_only_who_has_one_for_the_page_sees_it(by_token: Entry) -> None:
    by_token.rules = (
        Rule("agents", (OPERATOR,), topics=("pods",)),
        Rule("operators", (ACCOUNT,), admin=True),
    )
    by_token.known["agent"] = of("agents/agent")
    async with by_token.open() as entry:
        assert (await entry.with_token("good")).code == 200
        answer = await entry.get(entry.operator())
        assert answer.code == 403
        assert answer.error == (
            "the status page for cn:operator, dns:localhost: no rule of `rights` with `admin: true` is for it"
        )
        assert (await entry.with_token("agent")).code == 403
        # Known by both: what both allow together.
        assert (await entry.with_token("good", entry.operator())).code == 200


# --- what strangers do


def received(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        return got


async def test_plain_http_hears_that_it_is_the_wrong_way(by_token: Entry) -> None:
    request = b"GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n"
    async with by_token.open() as entry:
        answer = await asyncio.to_thread(received, entry.port, request)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.endswith(b"this port speaks TLS: ask for https://\n")
        assert entry.asked == []


async def test_a_handshake_of_nonsense(entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
    async with entry.open():
        await asyncio.to_thread(received, entry.port, b"\x16\x03\x01\x00\x04oops")
        assert (await told(caplog))["message"] == "TLS handshake failed"
        assert (await entry.get(entry.operator())).code == 200


@pytest.mark.parametrize("said", [b"", b"\x16", b"GET / HT"])
async def test_peers_that_say_little_keep_nobody_out(entry: Entry, said: bytes) -> None:
    async with entry.open():
        idle = [socket.create_connection(("127.0.0.1", entry.port), timeout=10) for _ in range(MAX_CONNECTIONS)]
        try:
            for each in idle:
                each.sendall(said)
            assert (await entry.get(entry.operator())).code == 200
            with closing(http.client.HTTPConnection("127.0.0.1", entry.health_port, timeout=10)) as health:
                await asyncio.to_thread(health.request, "GET", "/livez")
                assert (await asyncio.to_thread(health.getresponse)).status == 200
        finally:
            for each in idle:
                each.close()


# --- without a door


@pytest.mark.parametrize(("admin", "is_told"), [(BEYOND, True), (LOCAL, False)])
def test_a_port_for_everybody_is_plain_and_says_so(
    admin: HostPort, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(time.monotonic)
    board.publish(picture())
    server = ObserveServer(board, health=None, admin=admin)
    with caplog.at_level(logging.WARNING):
        server.start()
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", server.admin_port or 0, timeout=10)) as connection:
            connection.request("GET", "/status")
            assert connection.getresponse().status == 200
    finally:
        server.stop()
    assert any("to whoever reaches it" in line["message"] for line in lines(caplog)) is is_told
