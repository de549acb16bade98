"""A resource's name to the resource that this API server serves: version, kind, scope.

Place: the first step of a `reflector`, and what tells it whether a 404 means that the resource does not exist.

Invariants
1. A version that the configuration names is taken or found missing, never replaced by another.
2. Without a version: the group's preferred one, then the others in the server's order, the first that has the plural.
3. `ResourceNotFoundError` only on the server's word (404, or a list without the plural); every other failure is one.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from typha.upstream.api_session import ApiSession
from typha.upstream.errors import BadAnswerError, ResourceNotFoundError
from typha.upstream.resources import Resource, ResourceName

__all__ = ["discover"]


class _ApiResource(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool


class _ResourceList(msgspec.Struct):
    resources: list[_ApiResource] | None = None


class _Version(msgspec.Struct):
    version: str


class _Group(msgspec.Struct, rename="camel"):
    versions: list[_Version]
    preferred_version: _Version | None = None


class _CoreVersions(msgspec.Struct):
    versions: list[str]


async def discover(session: ApiSession, name: ResourceName, timeout: aiohttp.ClientTimeout) -> Resource:
    """Raises ResourceNotFoundError where there is no such resource, another RequestError where that is not known."""
    try:
        return await _discover(session, name, timeout)
    except ResourceNotFoundError as error:
        if name.otherwise is None:
            raise
        try:
            return await discover(session, name.otherwise, timeout)
        except ResourceNotFoundError as other:
            raise ResourceNotFoundError("discovery", f"{error.message}; {other.message}", code=404) from None


async def _discover(session: ApiSession, name: ResourceName, timeout: aiohttp.ClientTimeout) -> Resource:
    root = f"/apis/{name.group}" if name.group else "/api"
    versions = [name.version] if name.version else await _versions(session, root, name, timeout)
    for version in versions:
        try:
            served = await _read(session, f"{root}/{version}", _ResourceList, timeout)
        except ResourceNotFoundError:
            continue
        for each in served.resources or ():
            if each.name == name.plural:
                return Resource(name.group, version, each.name, each.kind, each.namespaced)
    raise ResourceNotFoundError("discovery", _not_found(name), code=404)


async def _versions(session: ApiSession, root: str, name: ResourceName, timeout: aiohttp.ClientTimeout) -> list[str]:
    if not name.group:
        core: _CoreVersions = await _read(session, root, _CoreVersions, timeout)
        return core.versions
    try:
        group = await _read(session, root, _Group, timeout)
    except ResourceNotFoundError:
        raise ResourceNotFoundError("discovery", _not_found(name), code=404) from None
    preferred = [] if group.preferred_version is None else [group.preferred_version.version]
    return preferred + [each.version for each in group.versions if each.version not in preferred]


async def _read(session: ApiSession, path: str, kind: type[Any], timeout: aiohttp.ClientTimeout) -> Any:
    body = await session.read("discovery", path, {}, timeout)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswerError("discovery", f"{path}: {error}") from None


def _not_found(name: ResourceName) -> str:
    where = f"API group {name.group}" if name.group else "core group (resources of others are written group/plural)"
    version = f" in version {name.version}" if name.version else ""
    return f"the API server serves no {name.plural}{version} in the {where}"
