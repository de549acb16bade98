"""EndpointSlices as documents, from a small HTTP server, and from a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.controlplane.controlplane import ControlPlane
from typha_client import Found, endpoint_slices
from typha_client.endpoint_slices import found_in

NAMESPACE = "client-slices"


def endpoint(address: str, zone: str | None = None, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions} | ({} if zone is None else {"zone": zone})


def listed(*endpoints: dict[str, Any], name: str = "agents") -> dict[str, Any]:
    return {
        "items": [{"endpoints": list(endpoints), "ports": [{"name": "x", "port": 1}, {"name": name, "port": 5473}]}]
    }


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            listed(endpoint("10.0.0.1", "a", ready=True), endpoint("10.0.0.2", "b"), endpoint("10.0.0.3", ready=False)),
            [Found("10.0.0.1", 5473, "a"), Found("10.0.0.2", 5473, "b")],
        ),
        # Nobody is ready: those that start may be so in a moment; those that go never will.
        (
            listed(endpoint("10.0.0.1", ready=False), endpoint("10.0.0.2", ready=False, terminating=True)),
            [Found("10.0.0.1", 5473)],
        ),
        # What serves while it goes is still going.
        (listed(endpoint("10.0.0.1", ready=True, terminating=True)), []),
        (listed(endpoint("10.0.0.1"), name="http"), []),
        (listed(endpoint("10.0.0.1"), endpoint("10.0.0.1")), [Found("10.0.0.1", 5473)]),
        ({"items": None}, []),
        ({"items": [{"endpoints": None, "ports": None}]}, []),
    ],
)
def test_found(document: dict[str, Any], found: list[Found]) -> None:
    assert found_in(document, "agents") == found


@pytest.mark.parametrize("document", [{"items": 5}, {"items": ["x"]}, {"items": [{"ports": [{"name": "agents"}, 3]}]}])
def test_what_is_no_list_of_slices_is_said(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a list of EndpointSlices"):
        found_in(document, "agents")


def test_outside_of_a_pod_a_url_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ValueError, match="give url="):
        endpoint_slices("typha")
    with pytest.raises(ValueError, match="write https://host:port"):
        endpoint_slices("typha", url="127.0.0.1:6443")


class _Answers(BaseHTTPRequestHandler):
    answers: list[tuple[int, bytes]]

    def do_GET(self) -> None:
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def answers() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    planned: list[tuple[int, bytes]] = []
    handler = type("Handler", (_Answers,), {"answers": planned})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", planned
        server.shutdown()
        thread.join()


async def test_bad_answers_are_errors_that_name_the_api_server(answers: tuple[str, list[tuple[int, bytes]]]) -> None:
    url, planned = answers
    discover = endpoint_slices("typha", "ns", url=url)
    planned += [
        (403, b'{"message": "endpointslices is forbidden"}'),
        (200, b"[]"),
        (200, b"{"),
        (200, b'{"items": []}'),
    ]
    with pytest.raises(OSError, match=r"answered 403.*is forbidden"):
        await discover()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"."):
            await discover()
    assert list(await discover()) == []
    with pytest.raises(OSError, match=r"."):
        await endpoint_slices("typha", "ns", url="http://127.0.0.1:1")()


@pytest.mark.e2e
async def test_on_a_real_api_server(control_plane: ControlPlane, tmp_path: Path) -> None:
    rest = control_plane.rest
    rest.create_namespace(NAMESPACE)
    body = {
        "metadata": {"name": "typha-1", "labels": {"kubernetes.io/service-name": "typha"}},
        "addressType": "IPv4",
        "endpoints": [
            endpoint("10.0.0.1", "a", ready=True, serving=True, terminating=False),
            endpoint("10.0.0.2", "b", ready=False, serving=True, terminating=True),
        ],
        "ports": [{"name": "agents", "port": 5473}],
    }
    rest.create("discovery.k8s.io/v1/endpointslices", body, NAMESPACE)
    user = rest.create_service_account(NAMESPACE, "agent")
    (tmp_path / "token").write_text(str(user.token))
    discover = endpoint_slices(
        "typha",
        NAMESPACE,
        url=control_plane.apiserver.url,
        token_file=tmp_path / "token",
        ca_file=control_plane.credentials.ca_path,
    )
    with pytest.raises(OSError, match="403"):
        await discover()
    rest.allow(user, "discovery.k8s.io/v1/endpointslices", verbs=["list"])
    assert list(await discover()) == [Found("10.0.0.1", 5473, "a")]
