"""When a feed is complete, what agents are told of it, and the views of all feeds."""

from __future__ import annotations

import pytest

from tests.downstream.viewing import View, holding, listed, put, stale
from tests.kit.server import Clock
from typha.calico_wire.messages import SyncStatus, UpdateType
from typha.downstream.feed_view import FeedViews
from typha.wire.states import TopicState


@pytest.fixture
def ready() -> View:
    return View().ready()


def test_never_complete_before_every_topic_is() -> None:
    world = View()
    world.follow()
    assert (world.view.topic.has_synced, world.view.is_fresh, *world.told) == (
        False,
        False,
        TopicState.SYNCING,
        SyncStatus.WAIT_FOR_READY,
    )
    listed(world.topics[0], 5, a=1)
    world.follow()
    assert (world.view.topic.has_synced, world.view.status) == (False, SyncStatus.RESYNC)
    listed(world.topics[1], 5)
    world.follow()
    assert world.view.topic.has_synced
    assert world.view.is_fresh


def test_tick_before_the_topics_were_read_completes_nothing() -> None:
    """A view opened while another one is being read: its topics are complete, and it holds nothing of them."""
    world = View()
    for topic in world.topics:
        listed(topic, 5, **{topic.name: 1})
    world.view.settle_state()
    assert (world.view.topic.has_synced, *world.told) == (False, TopicState.SYNCING, SyncStatus.WAIT_FOR_READY)
    assert world.view.is_behind
    world.follow()
    assert world.view.topic.has_synced
    assert not world.view.is_behind


def test_tick_between_a_topics_new_list_and_its_reading_says_no_in_sync(ready: View) -> None:
    first = ready.topics[0]
    first.restart(1000.0)
    ready.follow()
    listed(first, 3, a=1)
    ready.view.settle_state()
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)
    ready.follow()
    assert ready.told == (TopicState.IN_SYNC, SyncStatus.IN_SYNC)


def test_lost_contact_lowers_the_status_after_600_s_and_raises_it_again(ready: View) -> None:
    first, second = ready.topics
    news = []
    ready.view.topic.listener = lambda topic: news.append((topic.state_message, ready.view.status))
    stale(first, ready.clock.now)
    ready.view.settle_state()
    assert ready.told == (TopicState.STALE, SyncStatus.IN_SYNC)
    assert not ready.view.is_fresh  # nobody's first in-sync rests on this
    ready.clock.now += 599.9
    ready.view.settle_state()
    assert ready.told == (TopicState.STALE, SyncStatus.IN_SYNC)
    ready.clock.now += 0.1
    ready.view.settle_state()
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)
    stale(second, ready.clock.now)
    ready.view.settle_state()
    assert ready.told == (TopicState.STALE, SyncStatus.WAIT_FOR_READY)
    first.contact(ready.clock.now)
    second.contact(ready.clock.now)
    ready.view.settle_state()
    assert ready.told == (TopicState.IN_SYNC, SyncStatus.IN_SYNC)
    assert [status for _, status in news] == [
        SyncStatus.IN_SYNC,
        SyncStatus.RESYNC,
        SyncStatus.WAIT_FOR_READY,
        SyncStatus.IN_SYNC,
    ]
    assert len({message for message, _ in news}) == 4  # readers are told where state or message changes


def test_changes_while_stale_leave_it_stale(ready: View) -> None:
    first, second = ready.topics
    stale(first, ready.clock.now)
    ready.clock.now += 700
    put(second, "k", 1)
    assert ready.follow() == [("k", b"1", UpdateType.NEW)]
    assert ready.told == (TopicState.STALE, SyncStatus.RESYNC)


def test_view_made_while_the_cache_is_stale_holds_everything_and_is_not_fresh() -> None:
    world = View()
    for topic in world.topics:
        listed(topic, 5, **{topic.name: 1})
    stale(world.topics[0], 1000.0)
    world.clock.now += 300
    world.follow()
    assert world.view.topic.has_synced
    assert world.held == {"a": b"1", "b": b"1"}
    assert world.told == (TopicState.STALE, SyncStatus.IN_SYNC)
    assert not world.view.is_fresh


def test_views_are_made_when_the_first_agent_asks() -> None:
    topics = {"a": holding("a"), "b": holding("b", 1)}
    woken: list[int] = []
    views = FeedViews(
        {"felix": ("a", "b"), "bgp": ("b",)}, topics, clock=Clock(), wake=lambda: woken.append(len(views.views))
    )
    views.listener = lambda topic: None
    assert views.views == {}
    assert not views.is_behind
    listed(topics["b"], 5, k=1)
    bgp = views.open("bgp")
    assert views.open("bgp") is bgp
    assert (woken, bgp.topic.listener) == ([1], views.listener)
    assert bgp.topic.id == 3  # behind the topics' own, the same in any order of asking
    seen = [views.is_behind]
    for _ in views.follow():
        pass
    assert [*seen, views.is_behind, bgp.topic.has_synced] == [True, False, True]
    with pytest.raises(KeyError):
        views.open("nothing")
    views.tick()
    assert bgp.status is SyncStatus.IN_SYNC
