"""The API server: how to get there, who we are there, what it is and what it offers.

Invariants
1. One failure is told once: what cannot be asked after it is not asked.
2. Nothing secret is in any text.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from typha.config import Config
from typha.doctor import memory
from typha.doctor.findings import Finding, Outcome, failed, ok, warning
from typha.doctor.rights import Served, examine_rights, find_served
from typha.doctor.sample import Sample, sample_topics
from typha.doctor.tls import examine_credentials
from typha.feeds import Feeds
from typha.feeds.rights import servers_of
from typha.machine import limit_of_cgroup
from typha.replicas.wiring import own_namespace
from typha.upstream.api_session import ApiSession
from typha.upstream.cluster import read_cluster_uid
from typha.upstream.credentials import SERVICE_ACCOUNT
from typha.upstream.errors import (
    CredentialsError,
    ForbiddenError,
    RequestError,
    TlsFailedError,
    UnauthorizedError,
    WatchListUnsupportedError,
)
from typha.upstream.kubernetes_client import Configuration
from typha.upstream.lister_watcher import ListerWatcher, reading_timeout
from typha.upstream.resources import Source, parse_resource_name
from typha.upstream.settings import Settings

__all__ = ["examine_api_server"]

_WHO: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_END_OF_LIST: Final = b"k8s.io/initial-events-end"


class _Version(msgspec.Struct, rename={"text": "gitVersion"}):
    text: str = "?"


class _User(msgspec.Struct):
    username: str = ""


class _Who(msgspec.Struct, rename={"user": "userInfo"}):
    user: _User


class _Review(msgspec.Struct):
    status: _Who


async def examine_api_server(
    config: Config,
    feeds: Feeds,
    load: Callable[[], Awaitable[Configuration]],
    settings: Settings,
    *,
    now: float,
) -> AsyncIterator[Finding]:
    """Everything that asks the API server, in the order in which `serve` does. ``now`` is Unix seconds."""
    loaded: list[Configuration] = []

    async def load_and_keep() -> Configuration:
        loaded.append(await load())
        return loaded[-1]

    session = ApiSession(load_and_keep)
    try:
        await session.open()
    except CredentialsError as error:
        yield failed("credentials", str(error), "docs/operations.md, Credentials, has every variable")
        return
    finally:
        for configuration in loaded:
            for finding in examine_credentials(configuration, now):
                yield finding
    try:
        async for finding in _examine(config, feeds, session, settings):
            yield finding
    finally:
        await session.close()


async def _examine(config: Config, feeds: Feeds, session: ApiSession, settings: Settings) -> AsyncIterator[Finding]:
    for look in (_reach, _who):
        finding = await look(session, settings)
        yield finding
        if finding.outcome is Outcome.FAIL:
            return
    try:
        served = await find_served(session, feeds, settings)
    except RequestError as error:
        yield failed("discovery", str(error), "every authenticated user may read it (ClusterRole system:discovery)")
        return
    async for finding in examine_rights(session, served, settings, servers_of(config, own_namespace())):
        yield finding
    yield await _cluster(config, session, settings)
    watch_list = await _watch_list(session, served, settings)
    if watch_list is not None:
        yield watch_list
    samples: dict[str, Sample] = {}
    async for sampled in sample_topics(session, feeds, served, settings):
        for finding in sampled.findings:
            yield finding
        if sampled.sample is not None:
            samples[str(sampled.source)] = sampled.sample
    yield _memory(config, feeds, samples)


async def _reach(session: ApiSession, settings: Settings) -> Finding:
    asked_at = time.monotonic()
    check = "API server"
    try:
        body = await session.read("cluster", "/version", {}, reading_timeout(settings))
    except TlsFailedError as error:
        return failed(
            check,
            f"{session.host}: {error.message}",
            "the CA (certificate-authority, K8S_CA_FILE) must have signed the API server's certificate, and the "
            "certificate must name the host that is asked (tls-server-name otherwise)",
        )
    except UnauthorizedError as error:
        return failed(check, f"{session.host} refuses the credentials: {error.message}", _RENEW)
    except ForbiddenError:
        # Some clusters hide it from those without rights; the answer shows that it is there.
        return ok(check, f"Kubernetes of unknown version at {session.host}")
    except RequestError as error:
        return failed(
            check,
            f"{session.host}: {error.message}",
            "is the address right (KUBECONFIG, K8S_API_ENDPOINT), the server up, and no NetworkPolicy, firewall or "
            "proxy (HTTPS_PROXY, NO_PROXY) in between?",
        )
    took_ms = (time.monotonic() - asked_at) * 1000
    try:
        version = msgspec.json.decode(body, type=_Version).text
    except msgspec.MsgspecError:
        return failed(check, f"{session.host} answers, but not as Kubernetes does", "is the address right?")
    return ok(check, f"Kubernetes {version} at {session.host}, answers in {took_ms:.0f} ms")


_RENEW: Final = (
    f"renew the token or certificate (in a pod: is {SERVICE_ACCOUNT} mounted, and does the ServiceAccount exist?)"
)


async def _who(session: ApiSession, settings: Settings) -> Finding:
    body = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
    try:
        answer = await session.create("review", _WHO, body, reading_timeout(settings))
        return ok("credentials", f"accepted, as {msgspec.json.decode(answer, type=_Review).status.user.username}")
    except UnauthorizedError as error:
        return failed("credentials", f"refused: {error.message}", _RENEW)
    except (RequestError, msgspec.MsgspecError):
        return ok("credentials", "loaded")  # older than Kubernetes 1.28: rights will show


async def _cluster(config: Config, session: ApiSession, settings: Settings) -> Finding:
    try:
        uid = await read_cluster_uid(session, settings)
    except RequestError as error:
        return failed("cluster", str(error), "the server needs `get` on the namespace kube-system")
    # What no server can see, and what nobody looks up on the day of a restore.
    after = "after a restore of etcd without a revision bump, set another `life` at all servers and restart them"
    return ok("cluster", f"kube-system has UID {uid}, life {config.life!r}; {after}")


async def _watch_list(session: ApiSession, served: Served, settings: Settings) -> Finding | None:
    """A streamed list of nothing, of the first resource that may be listed."""
    if not settings.watch_list:
        return ok("WatchList", "switched off (upstream.watch_list)")
    nothing = Source(parse_resource_name("namespaces"), field_selector="metadata.name=typha-doctor.invalid")
    candidates = [(source, resource) for source, resource in served.items() if resource is not None]
    for source, resource in candidates:
        asked = Source(source.resource, source.namespace, field_selector=nothing.field_selector)
        try:
            async with ListerWatcher(session, resource, asked, settings).watch_list("", 5.0) as chunks:
                seen = b""
                async for chunk in chunks:
                    seen += chunk
                    if _END_OF_LIST in seen:
                        return ok("WatchList", "offered: lists are streamed")
        except WatchListUnsupportedError:
            return warning(
                "WatchList",
                "not offered: lists come in pages",
                "nothing has to be done; Kubernetes 1.34 and newer stream lists, which costs the API server less",
            )
        except RequestError:
            continue  # no right to this one; `rights` has said so
    return None


def _memory(config: Config, feeds: Feeds, samples: dict[str, Sample]) -> Finding:
    # An agent for each feed is what Calico has on a node (Felix, confd, the allocator); beyond that nobody knows.
    nodes = sum(sample.objects for source, sample in samples.items() if source.split(" ")[0].endswith("nodes"))
    agents = min(config.limits.max_connections, nodes * max(1, len(feeds.feeds)))
    load = memory.Load(
        objects=sum(sample.objects for sample in samples.values()),
        entries=sum(sample.entries for sample in samples.values()),
        value_bytes=sum(sample.value_bytes for sample in samples.values()),
        agents=agents,
        tls=config.tls.cert is not None,
    )
    return memory.examine(load, limit_of_cgroup(), memory.available())
