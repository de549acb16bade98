"""After any history a topic holds what a list of the final state would give, on every replica.

Objects are the corpus'. A watching replica sees every change; another misses some and lists anew; a third starts at the
end. Objects are created, edited into what another one says, broken, repaired, deleted.
"""

from __future__ import annotations

import os
from typing import Final

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from tests.corpus.converters import TOPICS
from tests.corpus.garbling import GARBAGE, garbled, in_place_of, is_fixed, paths_of
from tests.corpus.holding import held_lines
from tests.corpus.replicas import Replica, Source, World, objects_of
from tests.corpus.resources import name_of

EXAMPLES: Final = max(1, int(os.environ.get("HISTORIES", "2000")) // 40)
SOURCES: Final = sorted({(row.group, row.plural) for row in TOPICS})
every_source = pytest.mark.parametrize("source", SOURCES, ids=["-".join(source).lstrip("-") for source in SOURCES])
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def modes_of(source: Source) -> list[bool]:
    """Without and, where it matters, with the setting use_pod_cidr."""
    return [False, True] if source == ("", "nodes") else [False]


@every_source
@some
@given(data=st.data())
def test_all_replicas_end_with_the_conversion_of_the_final_list(source: Source, data: st.DataObject) -> None:
    world = World(source, use_pod_cidr=data.draw(st.sampled_from(modes_of(source))))
    pool = objects_of(source)
    chosen = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5, unique_by=name_of))
    for _ in range(data.draw(st.integers(1, 14))):
        served = data.draw(st.sampled_from(chosen))
        match data.draw(st.sampled_from(["as it is", "as it is", "edit", "break", "delete", "lag", "list"])):
            case "as it is":
                world.put(served)
            case "edit":
                world.put(in_place_of(served, data.draw(st.sampled_from(pool)), source[1]))
            case "break":
                if paths := [path for path in paths_of(served) if not is_fixed(path, source[1])]:
                    path = data.draw(st.sampled_from(paths))
                    world.put(garbled(served, path, data.draw(st.sampled_from(GARBAGE))))
            case "delete":
                world.delete(name_of(served))
            case "lag":
                world.listing.is_watching = False
            case "list":
                world.relist()
    world.relist()
    fresh = world.fresh
    fresh.load(world.objects, world.rv)
    for replica in (world.watching, world.listing):
        assert replica.contents() == fresh.contents()
        assert replica.quarantined() == fresh.quarantined()


@every_source
@some
@given(data=st.data())
def test_order_of_unrelated_changes_does_not_matter(source: Source, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(objects_of(source)), max_size=8, unique_by=name_of))
    one, other = World(source), World(source)
    for served in chosen:
        one.put(served)
    for served in data.draw(st.permutations(chosen)):
        other.put(served)
    assert one.watching.contents() == other.watching.contents()
    assert one.watching.quarantined() == other.watching.quarantined()


@every_source
def test_all_objects_at_once_are_held_as_the_corpus_says(source: Source) -> None:
    """The cache's decision about claims is the one that the corpus' own code makes."""
    pool = objects_of(source)
    at_five = [{**each, "metadata": {**each["metadata"], "resourceVersion": "5"}} for each in pool]
    for use_pod_cidr in modes_of(source):
        replica = Replica(source, use_pod_cidr=use_pod_cidr)
        replica.load({name_of(each): each for each in at_five}, 9)
        standing = {item.key for route in replica.ingest.routes for item in route.converter.standing}
        lines = held_lines(pool, use_pod_cidr=use_pod_cidr)
        assert replica.topics.keys() >= {line["topic"] for line in lines}
        for name, topic in replica.topics.items():
            ours = [line for line in lines if line["topic"] == name]
            quarantined = {line["object"]: line["quarantined"] for line in ours if "object" in line}
            assert {each: why.reason for each, why in topic.quarantined.items()} == quarantined
            entries = {key: entry.value for key, entry in topic.log.entries.items() if key not in standing}
            found = {key: msgspec.msgpack.decode(value) for key, value in entries.items()}
            assert found == {line["key"]: line["value"] for line in ours if "key" in line}
