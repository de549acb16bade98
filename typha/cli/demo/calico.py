"""The scene of `typha demo --calico`: a cluster with Calico, the built-in feeds, agents as Calico's.

1. The truth is the conversion of a LIST of the API server, object by object, by the converters alone: what the server
   makes of pages, watches, moves of keys, filters and a restart must come to the same.
2. Of five agents three are whole Felix agents, one wants its own node's endpoints alone, one is a BGP agent that wants
   its own node's blocks alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack

from typha.cli.demo.listing import key_of, list_all
from typha.cli.demo.scene import Content, Role
from typha.cli.exits import CliError
from typha.convert.converter import NO_VALUE, ConversionError, Converted, Converter
from typha.feeds.calico import calico_feeds
from typha.simulation.calico.resources import CALICO
from typha.simulation.discovery import BUILT_IN
from typha.upstream.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from typha.feeds.topics import TopicSpec
    from typha.simulation.cluster import Cluster
    from typha.simulation.store import Store

FEEDS: Final = ("felix", "bgp")
NODE: Final = "node"
ENDPOINTS: Final = "workloadendpoints"
BLOCKS: Final = "blockaffinities"
NAMESPACES: Final = "profiles.namespaces"
FILTERS: Final = "bgpfilters"
_SHOWN: Final = {
    "workload endpoints": "v1/pods",
    "nodes": "v1/nodes",
    "namespaces": "v1/namespaces",
    "Kubernetes policies": "networking.k8s.io/v1/networkpolicies",
    "Calico policies": "crd.projectcalico.org/v1/networkpolicies",
    "network sets": "crd.projectcalico.org/v1/networksets",
    "host endpoints": "crd.projectcalico.org/v1/hostendpoints",
    "IPAM blocks": "crd.projectcalico.org/v1/ipamblocks",
}


@dataclass(frozen=True, slots=True)
class CalicoTruth:
    """Converted LISTs: `nodes` has the filter attribute `node` of those keys that carry one."""

    contents: Mapping[str, Content]
    nodes: Mapping[str, Mapping[str, str]]

    def seen_by(self, role: Role) -> Mapping[str, Content]:
        """The role's topics, through its filter by node."""
        return {topic: self._filtered(topic, role.where.get(topic)) for topic in role.topics}

    def _filtered(self, topic: str, where: Mapping[str, str] | None) -> Content:
        content = self.contents[topic]
        if where is None:
            return content
        nodes = self.nodes[topic]
        return {key: value for key, value in content.items() if nodes.get(key) == where[NODE]}


class CalicoScene:
    """See ``scene.Scene``."""

    def __init__(self) -> None:
        self._feeds = calico_feeds(FEEDS)
        self._served = {(each.group, each.plural): each for each in (*BUILT_IN, *CALICO)}
        self.resources = {topic: self._resource(spec).name for topic, spec in self._feeds.topics.items()}
        self.shown = dict(_SHOWN)

    def cluster(self, nodes: int, pods: int) -> tuple[Store, Cluster]:
        """A cluster with Calico."""
        from typha.simulation.cluster import Cluster  # noqa: PLC0415 - the simulation, only where it plays
        from typha.simulation.store import Store  # noqa: PLC0415

        store = Store(seed=1, resources=(*BUILT_IN, *CALICO))
        return store, Cluster(store, seed=1, nodes=nodes, pods=pods, calico=True)

    def topics_config(self) -> dict[str, Any]:
        """The built-in feeds of the demo's agents."""
        return {"calico": {"feeds": list(FEEDS)}}

    def role(self, number: int, node: str) -> Role:
        """See invariant 2."""
        feed = "bgp" if number % 5 == 4 else "felix"
        filtered = {3: ENDPOINTS, 4: BLOCKS}.get(number % 5)
        where = {} if filtered is None else {filtered: {NODE: node}}
        return Role(feed, self._feeds.feeds[feed], where)

    def touch(self, store: Store, name: str) -> dict[str, int]:
        """A new filter for the BGP agents, then a new namespace for the others."""
        created = store.create(self.resources[FILTERS], {"metadata": {"name": name}, "spec": {}})
        labels = {"kubernetes.io/metadata.name": name}
        namespace = store.create("v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        return {FILTERS: created.rv, NAMESPACES: namespace.rv}

    async def truth(self, session: aiohttp.ClientSession, url: str) -> CalicoTruth:
        """LIST each resource once, convert it for each topic."""
        contents: dict[str, Content] = {}
        nodes: dict[str, dict[str, str]] = {}
        for source, specs in self._feeds.sources().items():
            served = self._served[source.resource.group, source.resource.plural]
            items, _, _ = await list_all(session, url, served.name)
            for spec in specs:
                converter = spec.make_converter(
                    Resource(served.group, served.version, served.plural, served.kind, served.namespaced)
                )
                contents[spec.name], nodes[spec.name] = converted(spec.name, converter, items)
        return CalicoTruth(contents, nodes)

    def _resource(self, spec: TopicSpec) -> Any:
        name = spec.source.resource
        return self._served[name.group, name.plural]


def converted(topic: str, converter: Converter, items: list[dict[str, Any]]) -> tuple[Content, dict[str, str]]:
    """(key -> value, key -> its `node` attribute) of a topic. CliError where the simulation made an odd object."""
    content: Content = {}
    nodes: dict[str, str] = {}
    place = converter.attributes.index(NODE) if NODE in converter.attributes else None
    for name, entry in _entries(topic, converter, items):
        if entry.value == NO_VALUE:
            continue
        if entry.key in content:
            raise CliError(f"topic {topic}: {entry.key} comes from {name!r} and from another object")
        content[entry.key] = msgpack.unpackb(entry.value)
        node = None if place is None else entry.attributes[place]
        if isinstance(node, str):
            nodes[entry.key] = node
    return content, nodes


def _entries(topic: str, converter: Converter, items: list[dict[str, Any]]) -> Iterator[tuple[str, Converted]]:
    for entry in converter.standing:
        yield "", entry
    for item in items:
        name = key_of(item)
        try:
            found = converter.convert(name, json.dumps(item).encode())
        except ConversionError as error:
            raise CliError(f"topic {topic}: {name} of the simulation cannot be converted: {error.reason}") from None
        for entry in found:
            yield name, entry
