"""The table of docs/protocol.md, section 5, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cache.entries import item
from typha.cache.catalog import Catalog
from typha.cache.topic import Topic
from typha.downstream.handshake import PlannedTopic, plan
from typha.downstream.settings import DownstreamSettings
from typha.wire.errors import RefusedError
from typha.wire.messages import Hello, ResumeTopic
from typha.wire.states import Mode, RefusalCode

SETTINGS = DownstreamSettings(max_filters_per_client=1)
FEEDS = {"inventory": ("pods", "nodes")}


@pytest.fixture
def catalog() -> Catalog:
    pods = Topic("pods", 0, form="f", attributes=("node", "labels"), tombstone_limit=0)
    nodes = Topic("nodes", 1, form="f")
    for topic in (pods, nodes):
        loading = topic.begin_list()
        loading.put("a", 5, [item("a", 0, *(("n0", {}) if topic is pods else ()))])
        loading.commit(10, 0.0)
    catalog = Catalog([pods, nodes], salt=b"saltsalt")
    catalog.set_cluster("uid/1", 0.0)
    return catalog


def resuming(held: ResumeTopic, **fields: object) -> Hello:
    hello = Hello("n", "t", topics=("pods",), resume_cluster="uid/1", resume={"pods": held})
    return replace(hello, **fields)  # type: ignore[arg-type]


def planned(catalog: Catalog, hello: Hello) -> PlannedTopic:
    (found,) = plan(hello, FEEDS, catalog, SETTINGS)
    return found


HELD = ResumeTopic(12, 5, "f")


def test_feed_and_topics_each_once_in_order(catalog: Catalog) -> None:
    hello = Hello("n", "t", feed="inventory", topics=("nodes", "pods"))
    assert [found.topic.name for found in plan(hello, FEEDS, catalog, SETTINGS)] == ["pods", "nodes"]


@pytest.mark.parametrize(
    ("hello", "mode"),
    [
        (Hello("n", "t", topics=("pods",)), Mode.SNAPSHOT),
        (resuming(HELD), Mode.RESUME),
        (resuming(replace(HELD, cursor=10)), Mode.RESUME),
        (resuming(replace(HELD, cursor=9)), Mode.RECONCILE),
        (resuming(replace(HELD, cursor=None)), Mode.SNAPSHOT),
        (resuming(replace(HELD, format="g")), Mode.SNAPSHOT),
        (resuming(replace(HELD, where={"node": "n0"})), Mode.SNAPSHOT),
        (resuming(HELD, where={"pods": {"node": "n0"}}), Mode.SNAPSHOT),
        (resuming(replace(HELD, where={"node": "n0"}), where={"pods": {"node": "n0"}}), Mode.RESUME),
        (resuming(HELD, where={"pods": {}}), Mode.RESUME),
        (resuming(HELD, resume_cluster="uid/2"), Mode.SNAPSHOT),
        (resuming(HELD, resume_cluster=None), Mode.SNAPSHOT),
    ],
)
def test_mode(catalog: Catalog, hello: Hello, mode: Mode) -> None:
    found = planned(catalog, hello)
    assert found.mode is mode
    assert found.cursor == (None if mode is Mode.SNAPSHOT else hello.resume["pods"].cursor)


def test_gap_is_reconciled_between_its_borders(catalog: Catalog) -> None:
    loading = catalog.topics["pods"].begin_list()
    loading.put("a", 5, [item("a", 0, "n0", {})])
    loading.commit(20, 0.0)
    modes = {cursor: planned(catalog, resuming(replace(HELD, cursor=cursor))).mode for cursor in (10, 11, 19, 20)}
    assert modes == {10: Mode.RESUME, 11: Mode.RECONCILE, 19: Mode.RECONCILE, 20: Mode.RESUME}


def test_behind_what_the_client_has_seen(catalog: Catalog) -> None:
    assert planned(catalog, resuming(replace(HELD, seen=11))).is_behind
    assert planned(catalog, resuming(replace(HELD, seen=11, cursor=None))).is_behind  # a snapshot neither
    assert planned(catalog, resuming(replace(HELD, seen=11, format="g"))).is_behind
    assert not planned(catalog, resuming(replace(HELD, seen=10))).is_behind
    assert not planned(catalog, resuming(replace(HELD, seen=11), resume_cluster="uid/2")).is_behind
    catalog.topics["pods"].set_absent(0.0, "404")
    assert not planned(catalog, resuming(replace(HELD, seen=11))).is_behind


def test_topic_without_a_list_is_planned_and_waits(catalog: Catalog) -> None:
    catalog.topics["pods"].restart(0.0)
    found = planned(catalog, resuming(replace(HELD, seen=11)))
    assert (found.mode, found.is_behind) == (Mode.RECONCILE, False)


def test_unordered_topic_has_no_cursor_and_no_seen(catalog: Catalog) -> None:
    catalog.topics["pods"].mark_unordered()
    found = planned(catalog, resuming(replace(HELD, seen=99)))
    assert (found.mode, found.seen, found.is_behind) == (Mode.SNAPSHOT, 0, False)


@pytest.mark.parametrize(
    ("hello", "code", "words"),
    [
        (Hello("n", "t", protocol=(2, 3), topics=("pods",)), RefusalCode.PROTOCOL_VERSION, "speaks protocol 1 to 1"),
        (Hello("n", "t", feed="nope"), RefusalCode.UNKNOWN_TOPIC, "no feed 'nope' here; there are: inventory"),
        (Hello("n", "t", topics=("podz",)), RefusalCode.UNKNOWN_TOPIC, "there are: nodes, pods"),
        (Hello("n", "t"), RefusalCode.BAD_HELLO, "names no feed and no topic"),
        (Hello("n", "t", topics=("pods",), where={"nodes": {"x": "y"}}), RefusalCode.BAD_HELLO, "not subscribed"),
        (Hello("n", "t", topics=("pods",), where={"pods": {"x": "y"}}), RefusalCode.BAD_HELLO, "no filter 'x'"),
        (Hello("n", "t", topics=("pods",), where={"pods": {"labels": "a="}}), None, ""),
        (Hello("n", "t", topics=("pods",), where={"pods": {"labels": "=a"}}), RefusalCode.BAD_HELLO, "character 1"),
        (
            Hello("n", "t", feed="inventory", where={"pods": {"node": "x"}, "nodes": {"node": "x"}}),
            RefusalCode.BAD_HELLO,
            "2 filtered topics; one client may have 1",
        ),
    ],
)
def test_refusals(catalog: Catalog, hello: Hello, code: RefusalCode | None, words: str) -> None:
    if code is None:
        assert plan(hello, FEEDS, catalog, SETTINGS)
        return
    with pytest.raises(RefusedError) as refused:
        plan(hello, FEEDS, catalog, SETTINGS)
    assert refused.value.code == code
    assert words in refused.value.message


def test_a_long_list_of_topics_is_cut_in_the_refusal() -> None:
    catalog = Catalog([Topic(f"t{number:02}", number, form="f") for number in range(25)], salt=b"saltsalt")
    with pytest.raises(RefusedError, match="t19 and 5 more"):
        plan(Hello("n", "t", topics=("x",)), {}, catalog, SETTINGS)
