"""The proof: what every agent holds is what a LIST of the API server says.

1. The truth is read over HTTP, in pages, after the last change; agents are compared when they hold that change.
2. It is projected here, from JSON, without the server's converters: a wrong converter fails the proof.
3. Two digests: the client's own (SHA-256 over the bytes held) tells which agents hold the same; one agent of each
   such group is decoded and compared with the truth by a digest over canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import aiohttp

    from typha_client import Client

PAGE: Final = 500
# Of what differs so many keys are named: enough to see the pattern.
SHOWN_DIFFERENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Resource:
    """One topic of the demo: the API server's path, its kind, and the fields that agents get (None: all)."""

    topic: str
    path: str
    resource: str
    kind: str
    fields: tuple[str, ...] | None = None

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return self.resource.rpartition("/")[0]


RESOURCES: Final = (
    Resource(
        "pods",
        "/api/v1/pods",
        "v1/pods",
        "Pod",
        ("metadata.labels", "spec.nodeName", "status.podIP", "status.phase"),
    ),
    Resource(
        "services", "/api/v1/services", "v1/services", "Service", ("spec.clusterIP", "spec.ports", "spec.selector")
    ),
    Resource(
        "endpointslices",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "discovery.k8s.io/v1/endpointslices",
        "EndpointSlice",
        ("addressType", "endpoints", "ports"),
    ),
    Resource("namespaces", "/api/v1/namespaces", "v1/namespaces", "Namespace", ("metadata.labels",)),
    Resource("nodes", "/api/v1/nodes", "v1/nodes", "Node", ("metadata.labels", "spec.podCIDR", "status.addresses")),
    Resource(
        "networkpolicies",
        "/apis/networking.k8s.io/v1/networkpolicies",
        "networking.k8s.io/v1/networkpolicies",
        "NetworkPolicy",
    ),
)

Content = dict[str, Any]
"""Key -> value, decoded."""


def project(resource: Resource, item: Mapping[str, Any]) -> dict[str, Any]:
    """What an agent should hold of an object: kind, apiVersion and the chosen fields, in the object's nesting."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    if resource.fields is None:
        metadata = {name: value for name, value in item.get("metadata", {}).items() if name != "managedFields"}
        return {**item, "metadata": metadata, **head}
    projected: dict[str, Any] = dict(head)
    for path in resource.fields:
        *above, last = path.split(".")
        source: Any = item
        for name in above:
            source = source.get(name, {})
        if last not in source:
            continue
        target = projected
        for name in above:
            target = target.setdefault(name, {})
        target[last] = source[last]
    return projected


async def list_all(
    session: aiohttp.ClientSession, url: str, resource: Resource
) -> tuple[list[dict[str, Any]], int, int]:
    """(items, resourceVersion of the list, bytes of the answers) of a consistent LIST in pages."""
    items: list[dict[str, Any]] = []
    token, received = "", 0
    while True:
        query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
        async with session.get(url + resource.path, params=query) as response:
            body = await response.read()
            response.raise_for_status()
        received += len(body)
        page = json.loads(body)
        items += page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            return items, int(page["metadata"]["resourceVersion"]), received


async def truth(session: aiohttp.ClientSession, url: str) -> dict[str, Content]:
    """Topic -> key -> value, by LIST."""
    found: dict[str, Content] = {}
    for resource in RESOURCES:
        items, _, _ = await list_all(session, url, resource)
        found[resource.topic] = {_key(item): project(resource, item) for item in items}
    return found


def _key(item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def digest(contents: Mapping[str, Content]) -> str:
    """SHA-256 over topics, keys and values in canonical JSON."""
    canonical = json.dumps(contents, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the agents compare with the API server. ``differing``: node -> what is different, in words."""

    agents: int
    objects: int
    digest: str
    differing: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """True where every agent equals the API server."""
        return not self.differing

    @property
    def line(self) -> str:
        """The proof line."""
        if self.holds:
            return (
                f"PROOF HOLDS: {self.agents} of {self.agents} agents equal the API server's LIST "
                f"({self.objects} objects, sha256 {self.digest[:16]})"
            )
        node, why = next(iter(self.differing.items()))
        return (
            f"PROOF FAILS: {len(self.differing)} of {self.agents} agents differ from the API server's LIST "
            f"({self.objects} objects, sha256 {self.digest[:16]}); {node}: {why}"
        )


def compare(agents: Mapping[str, Client], true: Mapping[str, Content], late: Mapping[str, str]) -> Verdict:
    """Compare every agent with the truth. ``late``: agents that did not get the last change in time, and why."""
    true_digest = digest(true)
    differing = dict(late)
    judged: dict[tuple[str, ...], str] = {}
    for node, client in agents.items():
        if node in late:
            continue
        group = tuple(client.topic(resource.topic).digest for resource in RESOURCES)
        if group not in judged:
            held = {
                resource.topic: {entry.key: entry.value for entry in client.list(resource.topic)}
                for resource in RESOURCES
            }
            judged[group] = "" if digest(held) == true_digest else differences(true, held)
        if judged[group]:
            differing[node] = judged[group]
    return Verdict(len(agents), sum(map(len, true.values())), true_digest, differing)


def differences(true: Mapping[str, Content], held: Mapping[str, Content]) -> str:
    """What is missing, left over or different, in words; never empty."""
    found: list[str] = []
    for topic, content in true.items():
        mine = held.get(topic, {})
        found += [f"{topic} lacks {key}" for key in sorted(content.keys() - mine.keys())]
        found += [f"{topic} still has {key}" for key in sorted(mine.keys() - content.keys())]
        found += [
            f"{topic} has another {key}" for key in sorted(content.keys() & mine.keys()) if content[key] != mine[key]
        ]
    return _few(found) or "equal values, but another digest"


def _few(words: Sequence[str]) -> str:
    more = len(words) - SHOWN_DIFFERENCES
    return ", ".join(words[:SHOWN_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
