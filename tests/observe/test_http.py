"""The two ports over real HTTP on loopback."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.observe.pictures import picture
from typha.config import HostPort
from typha.observe import ports
from typha.observe.history import History
from typha.observe.http import ObserveServer
from typha.observe.pages import Request
from typha.observe.ports import MAX_CONNECTIONS, MAX_REQUEST_BYTES, ObserveError, parse_request
from typha.observe.status import Board

ANY = HostPort("127.0.0.1", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def running(server: ObserveServer) -> Iterator[ObserveServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock)


@pytest.fixture
def server(board: Board) -> Iterator[ObserveServer]:
    with running(ObserveServer(board, health=ANY, admin=ANY)) as server:
        yield server


def get(port: int | None, target: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    assert port is not None
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()


def test_probes_follow_the_board(server: ObserveServer, board: Board, clock: Clock) -> None:
    assert get(server.health_port, "/livez")[::2] == (200, "ok\n")
    status, _, body = get(server.health_port, "/readyz")
    assert (status, body.splitlines()[0]) == (503, "[-] started: starting: nothing was published yet")
    board.publish(picture())
    assert get(server.health_port, "/readyz")[::2] == (200, "ok\n")
    assert "[+] topic pods" in get(server.health_port, "/readyz?verbose")[2]
    board.publish(picture(draining=True))
    assert get(server.health_port, "/readyz")[0] == 503
    clock.now += 31
    status, _, body = get(server.health_port, "/livez")
    assert (status, body.splitlines()[0]) == (503, "[-] loop: last sign of life 31.0 s ago")
    board.beat()
    assert get(server.health_port, "/livez")[0] == 200


def test_metrics_are_openmetrics_for_who_asks(server: ObserveServer, board: Board) -> None:
    board.publish(picture())
    status, content_type, body = get(server.health_port, "/metrics", Accept="application/openmetrics-text")
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert "typha_build_info" in {family.name for family in text_string_to_metric_families(body)}  # type: ignore[no-untyped-call]
    assert get(server.health_port, "/metrics")[1].startswith("text/plain")


def test_status_is_json_on_the_admin_port_alone(server: ObserveServer, board: Board, clock: Clock) -> None:
    assert get(server.admin_port, "/status")[0] == 503
    board.publish(picture())
    clock.now += 1.5
    status, content_type, body = get(server.admin_port, "/status")
    page = json.loads(body)
    assert (status, content_type, page["age_s"], page["ready"]) == (200, "application/json", 1.5, True)
    assert page["topics"][0]["quarantined"] == [["default/odd", 1100, "spec.nodeName is no text"]]
    assert page["subscribers"][0]["subscriptions"][0]["where"] == {"node": "node-1"}
    assert page["upstream"]["reflectors"][0]["last_error"] == 'the "API server" went\naway'
    assert get(server.health_port, "/status")[0] == 404


def test_a_failing_page_is_a_500_and_the_probes_go_on(board: Board) -> None:
    class Broken(History):
        def page(self, after: int, now: float) -> dict[str, object]:
            raise ZeroDivisionError

    with running(ObserveServer(board, health=ANY, admin=ANY, history=Broken())) as server:
        assert get(server.admin_port, "/history")[0] == 500
        assert get(server.health_port, "/livez")[0] == 200


def test_the_page_comes_from_the_package_under_a_strict_policy(server: ObserveServer) -> None:
    for target, content_type in (
        ("/", "text/html"),
        ("/page/main.js", "text/javascript"),
        ("/page/page.css", "text/css"),
    ):
        assert server.admin_port is not None
        with closing(http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=5)) as connection:
            connection.request("GET", target)
            response = connection.getresponse()
            assert (response.status, response.headers.get_content_type()) == (200, content_type)
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "http" not in policy
    # Neither what lies beside it, nor from the port that strangers reach.
    for target in ("/page/uplot.LICENSE", "/page/../pages.py", "/page/%2e%2e/pages.py", "/page/"):
        assert get(server.admin_port, target)[0] == 404
    assert get(server.health_port, "/")[0] == 404
    assert get(server.health_port, "/objects")[0] == 404


@pytest.mark.parametrize("host", ["localhost:9096", "127.0.0.1:9096", "[::1]:9096", "typha.localhost", "10.1.2.3"])
def test_a_port_on_loopback_answers_to_local_names(server: ObserveServer, host: str) -> None:
    assert get(server.admin_port, "/", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example:9096"])
def test_a_name_that_was_made_to_resolve_to_loopback_reads_nothing(
    server: ObserveServer, board: Board, host: str
) -> None:
    board.publish(picture())
    assert get(server.admin_port, "/status", Host=host)[0] == 421
    # The probes and metrics of the port for everybody are no secret.
    assert get(server.health_port, "/livez", Host=host)[0] == 200


def test_a_wrong_query_is_a_400_that_says_what_there_is(server: ObserveServer) -> None:
    status, content_type, body = get(server.admin_port, "/history?since=3")
    assert (status, content_type) == (400, "application/json")
    assert json.loads(body) == {"error": "unknown parameter 'since'; there are: after"}


def test_status_without_subscribers(server: ObserveServer, board: Board) -> None:
    board.publish(picture())
    assert "subscribers" not in json.loads(get(server.admin_port, "/status?subscribers=none")[2])


def test_history_is_what_was_published(board: Board, clock: Clock) -> None:
    history = History()
    with running(ObserveServer(board, health=None, admin=ANY, history=history)) as server:
        for _ in range(3):
            board.publish(picture())
            history.add(board.read())
            clock.now += 1
        page = json.loads(get(server.admin_port, "/history?after=1")[2])
        assert [dict(zip(page["fields"], row, strict=True))["age_s"] for row in page["samples"]] == [1.0]


def test_what_is_not_a_page(server: ObserveServer) -> None:
    assert get(server.health_port, "/") == (
        404,
        "text/plain; charset=utf-8",
        "no such page; there are: /livez /readyz /metrics\n",
    )
    assert get(server.health_port, "/livez", "POST")[0] == 405
    assert get(server.health_port, "/livez", "HEAD")[::2] == (200, "")


def exchange(port: int | None, data: bytes) -> bytes:
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


@pytest.mark.parametrize(
    "data", [b"\x00\x00\x00\x05hello\r\n\r\n", b"GET /livez\r\n\r\n", b"GET livez HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_http(server: ObserveServer, data: bytes) -> None:
    assert exchange(server.health_port, data).startswith(b"HTTP/1.1 400 ")


def test_a_request_too_large(server: ObserveServer) -> None:
    # Exactly at the point where the server gives up, so that nothing unread turns its answer into a reset.
    data = b"GET /livez HTTP/1.1\r\nX: ".ljust(MAX_REQUEST_BYTES + 4, b"x")
    assert exchange(server.health_port, data).startswith(b"HTTP/1.1 431 ")


def test_a_request_that_does_not_come(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "REQUEST_TIMEOUT_S", 0.05)
    with running(ObserveServer(board, health=ANY, admin=None)) as server:
        assert exchange(server.health_port, b"GET /livez HT").startswith(b"HTTP/1.1 408 ")


def test_idle_connections_cannot_keep_a_probe_out(server: ObserveServer) -> None:
    assert server.health_port is not None
    idle = [socket.create_connection(("127.0.0.1", server.health_port), timeout=5) for _ in range(MAX_CONNECTIONS)]
    try:
        assert get(server.health_port, "/livez")[0] == 200
        # The oldest had to make room: closed, or reset, but not waiting any more.
        try:
            received = idle[0].recv(1)
        except ConnectionResetError:
            received = b""
        assert received == b""
    finally:
        for connection in idle:
            connection.close()


def test_a_taken_port_is_an_error_that_says_what_to_do(board: Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ObserveServer(board, health=ANY, admin=HostPort("127.0.0.1", port))
        with pytest.raises(
            ObserveError, match=rf"admin: cannot listen on 127.0.0.1:{port}: Address already in use; set"
        ):
            server.start()
        server.stop()


def test_parse_request_takes_the_headers() -> None:
    assert parse_request(b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\nACCEPT: text/plain\r\n\r\n") == Request(
        "GET", "/metrics?x=1", {"host": "x", "accept": "text/plain"}
    )
