"""Servers in small, for histories: the topics of one resource, fed with lists and watches as a reflector feeds them."""

from __future__ import annotations

import copy
import functools
from typing import Any

import msgspec

from tests.corpus.converters import CALICO, TOPICS, converter_of
from tests.corpus.holding import listed, served_objects, watched
from tests.corpus.resources import CALICO_CRD, Json, kind_of, name_of
from typha.cache.topic import Topic
from typha.feeds.calico import calico_feeds
from typha.upstream.ingest import Ingest, Route
from typha.upstream.positions import Positions
from typha.upstream.watch_stream import Event

Source = tuple[str, str]
"""API group (`calico` for Calico's) and plural."""

Contents = dict[str, Any]


@functools.cache
def objects_of(source: Source) -> list[Json]:
    """Objects of one API group (crd.projectcalico.org of Calico's), one a name."""
    group = CALICO_CRD if source[0] == CALICO else source[0]
    found = {name_of(each): each for each in served_objects()["/".join(source)] if kind_of(each).group == group}
    return [{key: each[key] for key in each} for each in found.values()]


class Replica:
    """The topics of one source in one server."""

    def __init__(self, source: Source, *, use_pod_cidr: bool = False) -> None:
        specs = calico_feeds(use_pod_cidr=use_pod_cidr).topics
        rows = [row for row in TOPICS if (row.group, row.plural) == source and row.topic in specs]
        self.topics: dict[str, Topic] = {}
        routes = []
        for row in rows:
            group = CALICO_CRD if row.group == CALICO else row.group
            converter = converter_of(row, group, use_pod_cidr=use_pod_cidr)
            assert converter is not None
            keys_of, may_be_contested = specs[row.topic].keys
            topic = Topic(
                row.topic,
                len(self.topics),
                form=converter.form,
                attributes=converter.attributes,
                keys_of=keys_of,
                may_be_contested=may_be_contested,
            )
            self.topics[row.topic] = topic
            routes.append(Route(converter, topic))
        self.ingest = Ingest(routes, Positions())
        self.is_watching = False

    def load(self, objects: dict[str, Json], rv: int) -> None:
        loading = self.ingest.begin_list()
        for each in objects.values():
            loading.put(msgspec.Raw(listed(each)))
        loading.commit(rv, 0.0)
        self.is_watching = True

    def see(self, what: str, served: Json) -> None:
        if self.is_watching:
            self.ingest.apply(Event(what, msgspec.Raw(watched(served))), 0.0)
            for topic in self.topics.values():
                topic.check_invariants()

    def contents(self) -> dict[str, Contents]:
        return {
            name: {key: (each.value, attributes_of(each)) for key, each in topic.log.entries.items()}
            for name, topic in self.topics.items()
        }

    def since(self, rv: int) -> dict[str, str]:
        """What a subscriber at that version is sent: key -> `put` or `delete`."""
        found: dict[str, str] = {}
        for topic in self.topics.values():
            found |= {key: "put" for key, entry in topic.log.entries.items() if entry.rv > rv}
            found |= {key: "delete" for key, died in topic.log.tombstones.items() if died > rv}
        return found

    def quarantined(self) -> dict[str, list[str]]:
        return {name: sorted(topic.quarantined) for name, topic in self.topics.items()}


def attributes_of(entry: Any) -> list[Any]:
    return [dict(each(entry.value)) if callable(each) else each for each in entry.attributes]


class World:
    """One resource in an API server, and the replicas that look at it."""

    def __init__(self, source: Source, *, use_pod_cidr: bool = False) -> None:
        self.rv = 10
        self.objects: dict[str, Json] = {}
        self.watching, self.listing, self.fresh = (Replica(source, use_pod_cidr=use_pod_cidr) for _ in range(3))
        self.watching.load({}, self.rv)
        self.listing.load({}, self.rv)

    def put(self, served: Json) -> None:
        self.rv += 1
        served = copy.deepcopy(served)
        served["metadata"]["resourceVersion"] = str(self.rv)
        name = name_of(served)
        what = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = served
        self._tell(what, served)

    def delete(self, name: str) -> None:
        served = self.objects.pop(name, None)
        if served is not None:
            self.rv += 1
            served = copy.deepcopy(served)
            served["metadata"]["resourceVersion"] = str(self.rv)
            self._tell("DELETED", served)

    def relist(self) -> None:
        self.listing.load(self.objects, self.rv)

    def _tell(self, what: str, served: Json) -> None:
        for replica in (self.watching, self.listing):
            replica.see(what, served)
