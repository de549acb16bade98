"""The scene of `typha demo`: topics of the user's own, chosen fields, one feed for all agents.

1. The truth is projected here, from JSON, without the server's converters: a wrong converter fails the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typha.cli.demo.listing import key_of, list_all
from typha.cli.demo.scene import Content, Role

if TYPE_CHECKING:
    import aiohttp

    from typha.simulation.cluster import Cluster
    from typha.simulation.store import Store

FEED: Final = "demo"


@dataclass(frozen=True, slots=True)
class Resource:
    """One topic of the demo: its resource and kind, and the fields that agents get (None: all)."""

    topic: str
    resource: str
    kind: str
    fields: tuple[str, ...] | None = None

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return self.resource.rpartition("/")[0]


RESOURCES: Final = (
    Resource("pods", "v1/pods", "Pod", ("metadata.labels", "spec.nodeName", "status.podIP", "status.phase")),
    Resource("services", "v1/services", "Service", ("spec.clusterIP", "spec.ports", "spec.selector")),
    Resource(
        "endpointslices", "discovery.k8s.io/v1/endpointslices", "EndpointSlice", ("addressType", "endpoints", "ports")
    ),
    Resource("namespaces", "v1/namespaces", "Namespace", ("metadata.labels",)),
    Resource("nodes", "v1/nodes", "Node", ("metadata.labels", "spec.podCIDR", "status.addresses")),
    Resource("networkpolicies", "networking.k8s.io/v1/networkpolicies", "NetworkPolicy"),
)


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


@dataclass(frozen=True, slots=True)
class PlainTruth:
    """The projection of a LIST."""

    contents: Mapping[str, Content]

    def seen_by(self, role: Role) -> Mapping[str, Content]:
        """All of it."""
        return {topic: self.contents[topic] for topic in role.topics}


class PlainScene:
    """See ``scene.Scene``."""

    resources: Mapping[str, str] = {each.topic: each.resource for each in RESOURCES}
    shown = resources

    def cluster(self, nodes: int, pods: int) -> tuple[Store, Cluster]:
        """A cluster without Calico."""
        from typha.simulation.cluster import Cluster  # noqa: PLC0415 - the simulation, only where it plays
        from typha.simulation.store import Store  # noqa: PLC0415

        store = Store(seed=1)
        return store, Cluster(store, seed=1, nodes=nodes, pods=pods)

    def topics_config(self) -> dict[str, Any]:
        """Topics and one feed of them all."""
        topics = {
            each.topic: {"resource": each.resource} | ({"fields": list(each.fields)} if each.fields is not None else {})
            for each in RESOURCES
        }
        return {"topics": topics, "feeds": {FEED: list(topics)}}

    def role(self, number: int, node: str) -> Role:
        """The same for all."""
        return Role(FEED, tuple(self.resources))

    def touch(self, store: Store, name: str) -> dict[str, int]:
        """A new namespace."""
        labels = {"kubernetes.io/metadata.name": name}
        return {"namespaces": store.create("v1/namespaces", {"metadata": {"name": name, "labels": labels}}).rv}

    async def truth(self, session: aiohttp.ClientSession, url: str) -> PlainTruth:
        """LIST and project."""
        found: dict[str, Content] = {}
        for resource in RESOURCES:
            items, _, _ = await list_all(session, url, resource.resource)
            found[resource.topic] = {key_of(item): project(resource, item) for item in items}
        return PlainTruth(found)
