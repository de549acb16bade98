"""Who sees the admin port beyond loopback: real sockets and certificates, and reviews that say what the test wants."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pems import authority
from tests.observe.entry import BEYOND, LOCAL, Entry, by_token, entry, lines, told
from tests.observe.pictures import picture
from typha.config import HostPort
from typha.observe.http import ObserveServer
from typha.observe.ports import MAX_CONNECTIONS
from typha.observe.status import Board

__all__ = ["by_token", "entry"]


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
