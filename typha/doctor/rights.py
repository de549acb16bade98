"""Which rights the topics need, and whether the API server's authorizer grants them (SelfSubjectAccessReview).

Invariants
1. What is asked for is what the server will do, verb by verb, as `typha.feeds.rights` knows it. Nothing else.
2. A right that is missing for what the cluster does not serve now is a warning: nothing fails before it is created.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec

from typha.doctor.findings import Finding, failed, ok, warning
from typha.feeds import Feeds
from typha.feeds.rights import IDENTITY, Right, reads_of
from typha.upstream.api_session import ApiSession
from typha.upstream.discovery import discover
from typha.upstream.errors import RequestError, ResourceNotFoundError
from typha.upstream.lister_watcher import reading_timeout
from typha.upstream.resources import Resource, Source
from typha.upstream.settings import Settings

__all__ = ["Served", "examine_rights", "find_served"]

_PATH: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# Some 80 reviews: in turn a slow API server would take a minute, all at once would be rude.
_AT_ONCE: Final = 8

Served = Mapping[Source, Resource | None]
"""What discovery has found for each source; None: the API server serves no such resource."""


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status


def rule_of(rights: Sequence[Right]) -> str:
    """The line to add to a ClusterRole."""
    groups = ", ".join(dict.fromkeys(f'"{right.group}"' for right in rights))
    plurals = ", ".join(dict.fromkeys(right.plural for right in rights))
    names = ", ".join(dict.fromkeys(right.name for right in rights if right.name))
    verbs = ", ".join(dict.fromkeys(right.verb for right in rights))
    resource_names = f", resourceNames: [{names}]" if names else ""
    return f"{{apiGroups: [{groups}], resources: [{plurals}]{resource_names}, verbs: [{verbs}]}}"


async def find_served(session: ApiSession, feeds: Feeds, settings: Settings) -> dict[Source, Resource | None]:
    """Discovery for all sources. Raises RequestError where it fails."""
    found: dict[Source, Resource | None] = {}
    for source in feeds.sources():
        try:
            found[source] = await discover(session, source.resource, reading_timeout(settings))
        except ResourceNotFoundError:
            found[source] = None
    return found


async def examine_rights(
    session: ApiSession, served: Served, settings: Settings, servers: Sequence[Right] = ()
) -> AsyncIterator[Finding]:
    """One finding for the cluster's identity, one for finding the other servers, and one for each watch."""
    wanted = dict.fromkeys([IDENTITY, *servers, *(right for source in served for right in reads_of(source))])
    gate = asyncio.Semaphore(_AT_ONCE)

    async def review(right: Right) -> bool:
        async with gate:
            return await _is_allowed(session, right, settings)

    try:
        granted = dict(zip(wanted, await asyncio.gather(*map(review, wanted)), strict=True))
    except RequestError as error:
        yield warning(
            "rights",
            f"cannot be reviewed: {error}",
            "every authenticated user may create selfsubjectaccessreviews (ClusterRole system:basic-user)",
        )
        return
    if granted[IDENTITY]:
        yield ok("rights get namespaces/kube-system", "granted")
    else:
        yield failed(
            "rights get namespaces/kube-system",
            "denied: without the UID of kube-system no agent is served",
            f"add to the ClusterRole: {rule_of([IDENTITY])}",
        )
    for right in servers:
        check = f"rights {right.verb} {right.resource} in {right.namespace}"
        if granted[right]:
            yield ok(check, "granted")
        else:
            hint = f"add to a Role in {right.namespace}: {rule_of([right])}"
            yield failed(check, "denied: the other servers are not found, and shares are not kept even", hint)
    for source, resource in served.items():
        yield _judge(source, resource, [right for right in reads_of(source) if not granted[right]])


def _judge(source: Source, resource: Resource | None, denied: Sequence[Right]) -> Finding:
    check = f"rights {source.resource}" + (f" in {source.namespace}" if source.namespace else "")
    if resource is not None:
        now = [right for right in denied if (right.group, right.plural) == (resource.group, resource.plural)]
        if now:
            return failed(check, f"{_named(now)}: denied; its topics wait", f"add to the ClusterRole: {rule_of(now)}")
        return ok(check, f"list and watch granted, served as {resource.api_version}")
    if denied:
        return warning(
            check,
            f"not served by this cluster; once it is, {_named(denied)} will be denied",
            f"add to the ClusterRole: {rule_of(denied)}",
        )
    return ok(check, "list and watch granted; not served by this cluster: its topics are empty and complete")


def _named(rights: Sequence[Right]) -> str:
    by_resource: dict[str, list[str]] = {}
    for right in rights:
        by_resource.setdefault(right.resource, []).append(right.verb)
    return "; ".join(f"{' and '.join(verbs)} {resource}" for resource, verbs in by_resource.items())


async def _is_allowed(session: ApiSession, right: Right, settings: Settings) -> bool:
    attributes = {"group": right.group, "resource": right.plural, "verb": right.verb}
    attributes |= {"namespace": right.namespace} if right.namespace else {}
    attributes |= {"name": right.name} if right.name else {}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await session.create("review", _PATH, msgspec.json.encode(body), reading_timeout(settings))
    return msgspec.json.decode(answer, type=_Review).status.allowed
