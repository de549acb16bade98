"""The two ports, over real sockets and handshakes."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drop_in.test_health import NODES, READY, STATUSES, TIERS, published
from tests.kit.pems import Authority, authority
from typha.config import HostPort
from typha.downstream.tls import TlsFiles
from typha.drop_in.ports import DropInPorts
from typha.drop_in.settings import ClientAuth, DropIn, MetricsPort, MetricsTls
from typha.drop_in.statistics import Figures, Picture
from typha.observe.ports import MAX_CONNECTIONS, ObserveError
from typha.observe.status import Board

LOOPBACK = HostPort("localhost", 0)
BOTH = DropIn(health=LOOPBACK, metrics=MetricsPort(LOOPBACK, runtime=False, process=False))


@contextmanager
def serving(drop_in: DropIn, board: Board | None = None, figures: Figures | None = None) -> Iterator[DropInPorts]:
    ports = DropInPorts(drop_in, board or Board(time.monotonic), figures or Figures())
    ports.start()
    try:
        yield ports
    finally:
        ports.stop()


def get(
    port: int | None, path: str, method: str = "GET", tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> tuple[int, str, http.client.HTTPMessage]:
    assert port is not None
    connection = (
        http.client.HTTPSConnection("localhost", port, timeout=10, context=tls)
        if tls
        else http.client.HTTPConnection(host, port, timeout=10)
    )
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


def test_probes_answer_as_typhas_do() -> None:
    board = Board(time.monotonic)
    with serving(BOTH, board) as ports:
        assert get(ports.health_port, "/liveness")[0] == 200
        status, body, headers = get(ports.health_port, "/readiness")
        assert (status, headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert "| felix-cache                | 20s     | reporting live | reporting non-ready |" in body
        picture = published(NODES, TIERS, STATUSES).status
        assert picture is not None
        board.publish(picture)
        assert get(ports.health_port, "/readiness")[:2] == (200, READY)
        assert get(ports.health_port, "/readiness?x=1")[0] == 200
        assert get(ports.health_port, "/readiness", "HEAD")[:2] == (200, "")
        assert get(ports.health_port, "/readiness", "POST")[0] == 405
        assert get(ports.health_port, "/metrics")[:2] == (404, "404 page not found\n")


def test_metrics_are_the_newest_picture() -> None:
    figures = Figures()
    with serving(BOTH, figures=figures) as ports:
        figures.publish(Picture(connections_active=41))
        figures.publish(Picture(connections_active=42))
        status, body, headers = get(ports.metrics_port, "/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "\ntypha_connections_active 42\n" in body
        assert get(ports.metrics_port, "/liveness")[0] == 404


def test_nothing_is_opened_where_nothing_is_asked_for() -> None:
    with serving(DropIn()) as ports:
        assert (ports.health_port, ports.metrics_port) == (None, None)


def test_every_address_is_reachable_by_either_family() -> None:
    with serving(replace(BOTH, health=HostPort("", 0))) as ports:
        assert get(ports.health_port, "/liveness")[0] == 200
        assert get(ports.health_port, "/liveness", host="::1")[0] == 200


def test_a_port_that_is_taken_is_named_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics = MetricsPort(HostPort("127.0.0.1", taken.getsockname()[1]))
        ports = DropInPorts(replace(BOTH, metrics=metrics), Board(time.monotonic), Figures())
        with pytest.raises(ObserveError, match="TYPHA_PROMETHEUSMETRICSPORT"):
            ports.start()
        bound = ports.health_port
        assert bound is not None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bound), timeout=10)


def test_idle_connections_make_room() -> None:
    with serving(BOTH) as ports:
        idle = [socket.create_connection(("127.0.0.1", ports.health_port or 0)) for _ in range(MAX_CONNECTIONS)]
        try:
            assert get(ports.health_port, "/liveness")[0] == 200
        finally:
            for each in idle:
                each.close()


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / SPDY/9\r\n\r\n"])
def test_what_is_no_request_is_told_so(sent: bytes) -> None:
    with serving(BOTH) as ports, socket.create_connection(("127.0.0.1", ports.health_port or 0), timeout=10) as peer:
        peer.sendall(sent)
        assert peer.recv(100).startswith(b"HTTP/1.1 400 ")


# --- HTTPS


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki")


def over_https(files: TlsFiles, client_auth: ClientAuth = "NoClientCert") -> DropIn:
    tls = MetricsTls(files.cert, files.key, files.ca, client_auth)
    return DropIn(metrics=MetricsPort(LOOPBACK, runtime=False, process=False, tls=tls))


def scraper(pki: Authority, files: TlsFiles | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.ca_file)
    if files is not None:
        context.load_cert_chain(files.cert, files.key)
    return context


def is_scraped(ports: DropInPorts, tls: ssl.SSLContext) -> bool:
    try:
        return get(ports.metrics_port, "/metrics", tls=tls)[0] == 200
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    ("client_auth", "nobody", "known", "stranger"),
    [
        ("NoClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, True, False),
        ("RequireAnyClientCert", False, True, False),
        ("RequireAndVerifyClientCert", False, True, False),
    ],
)
def test_client_certificates(
    pki: Authority, tmp_path: Path, client_auth: ClientAuth, nobody: bool, known: bool, stranger: bool
) -> None:
    other = authority(tmp_path / "other").issue("scraper")
    with serving(over_https(pki.issue("server"), client_auth)) as ports:
        assert is_scraped(ports, scraper(pki)) is nobody
        assert is_scraped(ports, scraper(pki, pki.issue("scraper"))) is known
        assert is_scraped(ports, scraper(pki, other)) is stranger


def test_certificates_are_read_anew_at_a_handshake(pki: Authority, tmp_path: Path) -> None:
    files, next_pki = pki.issue("server"), authority(tmp_path / "next")
    with serving(over_https(files)) as ports:
        assert is_scraped(ports, scraper(pki))
        renewed = next_pki.issue("server")
        os.replace(renewed.key, files.key)
        os.replace(renewed.cert, files.cert)
        assert is_scraped(ports, scraper(next_pki))
        assert not is_scraped(ports, scraper(pki))


def test_a_new_ca_of_clients_counts_at_once(pki: Authority, tmp_path: Path) -> None:
    next_pki = authority(tmp_path / "next")
    client = scraper(pki, next_pki.issue("scraper"))
    with serving(over_https(pki.issue("server"), "RequireAndVerifyClientCert")) as ports:
        assert not is_scraped(ports, client)
        os.replace(next_pki.ca_file, pki.folder / "ca.crt")
        assert is_scraped(ports, client)


def test_files_that_break_leave_the_last_good_ones(pki: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = pki.issue("server")
    with serving(over_https(files)) as ports:
        files.cert.write_text("nonsense")
        assert is_scraped(ports, scraper(pki))
        assert is_scraped(ports, scraper(pki))
    assert caplog.text.count("cannot use its certificates") == 1


def test_files_that_come_later_are_found(pki: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = pki.issue("server")
    hidden = files.cert.with_suffix(".hidden")
    files.cert.rename(hidden)
    with serving(over_https(files)) as ports:
        assert not is_scraped(ports, scraper(pki))
        hidden.rename(files.cert)
        assert is_scraped(ports, scraper(pki))
    assert str(files.cert) in caplog.records[0].__dict__["error"]
