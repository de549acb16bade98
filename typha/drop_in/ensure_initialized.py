"""What Calico's Typha writes at its start, for clusters that rely on it: ClusterInformation and the three tiers.

Place: `app` runs `ensure_initialized` as a task where `DropIn.ensure_initialized` is set, by TYPHA_ENSUREINITIALIZED.

1. Off by default: calico-node, the operator and calicoctl do the same, and a server that only reads needs no right to
   write. It has a client of its own: the session of the watches has no verb that writes.
2. Nothing that is there is changed, but for: a GUID that is missing, `datastoreReady` that was never set, and the words
   `typha` and `kdd` of the cluster type. A tier that exists stays as it is.
3. Serving never waits for it. What fails is tried again; a tier that may not be created is a warning, as in Typha.

Source: Calico, libcalico-go/lib/clientv3 (EnsureInitialized), as typha/pkg/daemon calls it.
"""

from __future__ import annotations

import asyncio
import copy
import http
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from typha.upstream.errors import CredentialsError
from typha.upstream.kubernetes_client import ApiClient, ConfigException, Configuration
from typha.upstream.recovery import Backoff
from typha.version import __version__

log = logging.getLogger("typha.drop_in")

ATTEMPT_TIMEOUT_S: Final = 30.0
CLUSTER_TYPES: Final = ("typha", "kdd")
NAME: Final = "default"
_NOT_ALLOWED, _NOT_FOUND, _CONFLICT = (401, 403), 404, 409
# A Status is below 2 KB, a ClusterInformation not much more; of a message one line is shown.
_BODY_BYTES: Final = 1 << 20
_MESSAGE_CHARACTERS: Final = 300


class Group(NamedTuple):
    """An API group with Calico's kinds."""

    name: str
    version: str

    @property
    def path(self) -> str:
        """Where its resources are."""
        return f"/apis/{self.name}/{self.version}"


GROUPS: Final = (Group("crd.projectcalico.org", "v1"), Group("projectcalico.org", "v3"))
"""In the order of preference: the second counts where only it is served."""


class Tier(NamedTuple):
    """A tier that has to be there."""

    name: str
    order: float
    default_action: str


TIERS: Final = (
    Tier("default", 1_000_000, "Deny"),
    Tier("kube-admin", 1_000, "Pass"),
    Tier("kube-baseline", 10_000_000, "Pass"),
)


class NotInitializedError(Exception):
    """A step failed; the text says which and why."""


def wanted_information(spec: Mapping[str, Any] | None, guid: str) -> dict[str, Any] | None:
    """The spec that ClusterInformation shall have, None where it is right. ``spec`` None: there is no such object."""
    wanted: dict[str, Any] = copy.deepcopy(dict(spec or {}))
    if not wanted.get("clusterGUID"):
        wanted["clusterGUID"] = guid
    if wanted.get("datastoreReady") is None:
        wanted["datastoreReady"] = True
    words = [word for word in str(wanted.get("clusterType") or "").split(",") if word]
    if missing := [word for word in CLUSTER_TYPES if word not in words]:
        wanted["clusterType"] = ",".join((*words, *missing))
    return None if spec is not None and wanted == dict(spec) else wanted


class _RefusedError(Exception):
    """The API server's answer is not a good one."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class Writer:
    """Requests that may write, of one attempt."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._client: Any = ApiClient(configuration)

    async def __aenter__(self) -> Writer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.close()

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The decoded answer. Raises _RefusedError, aiohttp.ClientError, OSError."""
        headers = {"Accept": "application/json", "User-Agent": f"typha/{__version__}"}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])
        async with self._client.rest_client.pool_manager.request(
            method,
            f"{self._configuration.host}{path}",
            headers=headers,
            json=body,
            proxy=self._configuration.proxy,
            proxy_headers=self._configuration.proxy_headers,
            server_hostname=self._configuration.tls_server_name,
            allow_redirects=False,
        ) as response:
            content = await response.content.read(_BODY_BYTES)
            try:
                decoded = msgspec.json.decode(content, type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise _RefusedError(response.status, "the answer is no JSON object") from None
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                message = " ".join(str(decoded.get("message") or "").split())
                raise _RefusedError(response.status, message[:_MESSAGE_CHARACTERS])
            return decoded


async def ensure_initialized(
    load: Callable[[], Awaitable[Configuration]],
    *,
    random: Callable[[], float],
    now: Callable[[], float],
) -> None:
    """Try until it is done. ``load`` is the way to the API server (`datastore.way_to_api_server`)."""
    backoff = Backoff(random, 0.8, 30.0, 120.0)
    failures = (NotInitializedError, CredentialsError, ConfigException, aiohttp.ClientError, OSError, TimeoutError)
    while True:
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S), Writer(await load()) as writer:
                await attempt(writer)
        except failures as error:
            log.warning("the datastore is not initialized", extra={"error": str(error) or type(error).__name__})
            await asyncio.sleep(backoff.next_delay(now()))
        else:
            log.info("the datastore is initialized")
            return


async def attempt(writer: Writer) -> None:
    """All steps once, each also where another failed. Raises NotInitializedError with the first failure."""
    group = await _find_group(writer)
    failures = []
    for step in (_ensure_information(writer, group), *(_ensure_tier(writer, group, tier) for tier in TIERS)):
        try:
            await step
        except NotInitializedError as error:
            failures.append(error)
    if failures:
        raise failures[0]


async def _find_group(writer: Writer) -> Group:
    for group in GROUPS:
        try:
            await writer.request("GET", f"{group.path}/clusterinformations?limit=1")
        except _RefusedError as error:
            if error.code != _NOT_FOUND:
                raise NotInitializedError(f"clusterinformations of {group.name}: {error}") from None
        else:
            return group
    raise NotInitializedError(f"no ClusterInformation in {' or '.join(group.name for group in GROUPS)}: no CRDs yet")


async def _ensure_information(writer: Writer, group: Group) -> None:
    path, found = f"{group.path}/clusterinformations", None
    try:
        try:
            found = await writer.request("GET", f"{path}/{NAME}")
        except _RefusedError as error:
            if error.code != _NOT_FOUND:
                raise
        wanted = wanted_information(None if found is None else found.get("spec") or {}, uuid.uuid4().hex)
        if wanted is None:
            return
        if found is None:
            await writer.request("POST", path, _object(group, "ClusterInformation", NAME, wanted))
        else:
            # With its resourceVersion: who wrote meanwhile is not overwritten.
            await writer.request("PUT", f"{path}/{NAME}", {**found, "spec": wanted})
    except _RefusedError as error:
        raise NotInitializedError(f"ClusterInformation {NAME}: {error}") from None


async def _ensure_tier(writer: Writer, group: Group, tier: Tier) -> None:
    body = _object(group, "Tier", tier.name, {"order": tier.order, "defaultAction": tier.default_action})
    try:
        await writer.request("POST", f"{group.path}/tiers", body)
    except _RefusedError as error:
        if error.code == _CONFLICT:
            return
        if error.code not in _NOT_ALLOWED:
            raise NotInitializedError(f"tier {tier.name}: {error}") from None
        log.warning("a tier may not be created", extra={"tier": tier.name, "error": str(error)})


def _object(group: Group, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{group.name}/{group.version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
