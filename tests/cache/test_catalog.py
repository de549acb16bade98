from __future__ import annotations

from tests.cache.entries import listed
from typha.cache.catalog import Catalog
from typha.cache.topic import Topic
from typha.wire.states import TopicState


def catalog() -> Catalog:
    return Catalog([Topic("pods", 0, form="1"), Topic("nodes", 1, form="1")], salt=b"saltsalt", stale_after_s=180)


def test_listener_hears_of_every_topic() -> None:
    topics = catalog()
    heard: list[str] = []
    topics.topics["pods"].advance(1, 0.0)  # nobody listens yet
    topics.listener = lambda topic: heard.append(topic.name)
    topics.topics["pods"].advance(3, 0.0)
    topics.topics["nodes"].set_state(TopicState.SYNCING, 0.0)
    assert heard == ["pods", "nodes"]


def test_ready_when_every_topic_was_complete_once() -> None:
    topics = catalog()
    assert topics.not_synced() == ["pods", "nodes"]
    listed(topics.topics["pods"], 5)
    topics.topics["nodes"].set_absent(0.0, "404")
    assert not topics.is_ready()  # the cluster is not known
    topics.set_cluster("uid/1", 0.0)
    assert topics.is_ready()
    topics.topics["pods"].set_state(TopicState.STALE, 0.0, "403")
    assert topics.is_ready()


def test_another_cluster_starts_every_topic_anew() -> None:
    topics = catalog()
    listed(topics.topics["pods"], 5, a=(2, 0))
    assert not topics.set_cluster("uid/1", 0.0)
    assert not topics.set_cluster("uid/1", 0.0)
    assert topics.topics["pods"].has_synced
    assert topics.set_cluster("uid/2", 0.0)
    pods = topics.topics["pods"]
    assert (pods.has_synced, pods.head, len(pods.log.entries), pods.state) == (False, 0, 0, TopicState.SYNCING)
    assert not topics.is_ready()


def test_tick_marks_stale_what_was_not_heard_of() -> None:
    topics = catalog()
    pods = listed(topics.topics["pods"], 5)
    topics.tick(180.0)
    assert pods.state is TopicState.IN_SYNC
    topics.tick(181.0)
    assert (pods.state, pods.state_since_at) == (TopicState.STALE, 181.0)
    assert "181 s" in pods.state_message
    pods.contact(182.0)
    assert pods.state is TopicState.IN_SYNC
    assert topics.topics["nodes"].state is TopicState.WAITING  # never synced: no staleness
