"""Servers of a Service from its EndpointSlices, with their zones, through the API server. Standard library only.

Its place: `connect(..., discover=endpoint_slices("typha", "typha-system"))`. One GET a round, in a thread; nothing is
watched: who has a server needs no other, and 5,000 agents must not be 5,000 watches.

Needs `list` on endpointslices in the Service's namespace. DNS of the headless Service needs no right at all, and knows
no zones.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from typha_client.discovery import Discover
from typha_client.endpoints import Found

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S: Final = 5.0
# A Service of 100 servers is one slice of some 40 KB.
_LIMIT_BYTES: Final = 4 * 1024 * 1024


def endpoint_slices(
    service: str,
    namespace: str | None = None,
    *,
    port_name: str = "agents",
    url: str | None = None,
    token_file: Path = SERVICE_ACCOUNT / "token",
    ca_file: Path = SERVICE_ACCOUNT / "ca.crt",
    timeout_s: float = TIMEOUT_S,
) -> Discover:
    """For ``connect(discover=...)``. ``namespace`` and ``url`` default to the pod's own; token and CA are read at each
    use. Raises ValueError where there is neither a ``url`` nor a pod; its result raises OSError and ValueError.
    """
    address = url or _in_cluster()
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(f"url {address!r} of the API server: write https://host:port")

    def read() -> list[Found]:
        where = namespace or (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        path = f"/apis/discovery.k8s.io/v1/namespaces/{quote(where, safe='')}/endpointslices"
        path += f"?labelSelector={quote(f'kubernetes.io/service-name={service}')}"
        return found_in(_get(address, path, token_file, ca_file, timeout_s), port_name)

    async def discover() -> list[Found]:
        return await asyncio.to_thread(read)

    return discover


def found_in(document: Mapping[str, Any], port_name: str) -> list[Found]:
    """Addresses of an EndpointSliceList that are ready; where none is, those that do not go. Raises ValueError."""
    try:
        endpoints = [
            (endpoint, port["port"])
            for each in document.get("items") or ()
            for port in each.get("ports") or ()
            if port.get("name") == port_name and port.get("port")
            for endpoint in each.get("endpoints") or ()
        ]
        staying = [item for item in endpoints if not _condition(item[0], "terminating", default=False)]
        ready = [item for item in staying if _condition(item[0], "ready", default=True)]
        found = [
            Found(address, port, endpoint.get("zone") or "")
            for endpoint, port in ready or staying
            for address in endpoint.get("addresses") or ()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a list of EndpointSlices: {error}") from None
    return list(dict.fromkeys(found))


def _condition(endpoint: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = (endpoint.get("conditions") or {}).get(name)
    return default if value is None else bool(value)


def _in_cluster() -> str:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ValueError("endpoint_slices: not in a pod (KUBERNETES_SERVICE_HOST is not set); give url=")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _get(url: str, path: str, token_file: Path, ca_file: Path, timeout_s: float) -> dict[str, Any]:
    # Only where it is asked for: an agent without it loads none of them.
    import http.client  # noqa: PLC0415
    import json  # noqa: PLC0415
    import ssl  # noqa: PLC0415

    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca_file))
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    headers = {"Accept": "application/json", "User-Agent": "typha_client"}
    if parts.scheme == "https":
        headers["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}{path}", headers=headers)
        answer = connection.getresponse()
        body = answer.read(_LIMIT_BYTES + 1)
    except http.client.HTTPException as error:
        raise OSError(f"the API server at {url}: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        reason = " ".join(body[:300].decode("utf-8", "replace").split())
        raise OSError(f"the API server at {url} answered {answer.status}: {reason}")
    if len(body) > _LIMIT_BYTES:
        raise ValueError(f"the EndpointSlices are larger than {_LIMIT_BYTES >> 20} MiB")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("not a list of EndpointSlices")  # noqa: TRY004 - a value from outside, not a caller's type
    return document
