"""The addresses behind a Service, from its EndpointSlices: for our own rebalancing, and for counting as Calico does.

Needs `list` on endpointslices in the Service's namespace; the Service itself is never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec

from typha.upstream.api_session import ApiSession
from typha.upstream.errors import BadAnswerError

REQUEST_TIMEOUT_S: Final = 30.0
_PAGE_OBJECTS: Final = 500


class Endpoint(NamedTuple):
    """One address of a Service with the number of the named port."""

    address: str
    port: int
    is_terminating: bool


class _Port(msgspec.Struct):
    name: str | None = None
    port: int | None = None


class _Conditions(msgspec.Struct):
    terminating: bool | None = None


class _Endpoint(msgspec.Struct):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None


class _Slice(msgspec.Struct):
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


class _Metadata(msgspec.Struct):
    token: str = msgspec.field(name="continue", default="")


class _Slices(msgspec.Struct):
    items: list[_Slice] | None = None
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


async def list_endpoints(session: ApiSession, namespace: str, service: str, port_name: str) -> list[Endpoint]:
    """Distinct addresses of slices that have the port's name, ready or not. Raises UpstreamError."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{quote(namespace, safe='')}/endpointslices"
    parameters = {"labelSelector": f"kubernetes.io/service-name={service}", "limit": str(_PAGE_OBJECTS)}
    found: dict[str, Endpoint] = {}
    while True:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        body = await session.read("list", path, parameters, timeout)
        try:
            page = msgspec.json.decode(body, type=_Slices)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswerError("list", f"{path}: {error}") from None
        for part in page.items or ():
            for endpoint in _endpoints_of(part, port_name):
                found.setdefault(endpoint.address, endpoint)
        if not page.metadata.token:
            return list(found.values())
        parameters["continue"] = page.metadata.token


def _endpoints_of(part: _Slice, port_name: str) -> Iterator[Endpoint]:
    ports = [port for port in part.ports or () if port.name == port_name]
    if not ports:
        return
    for each in part.endpoints or ():
        going = each.conditions is not None and each.conditions.terminating is True
        for address in each.addresses or ():
            yield Endpoint(address, ports[0].port or 0, going)
