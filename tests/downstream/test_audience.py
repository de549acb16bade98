"""What is counted of all subscribers together is what counting them one by one gives."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.downstream.test_fan_out import joined_world
from tests.kit.world import World
from typha.downstream.fan_out import FanOut


def one_by_one(fan_out: FanOut) -> tuple[int, dict[str, int], int, int]:
    """Lagging, by topic, and bytes and frames of those that are there."""
    subscribers = list(fan_out.subscribers)
    topics = Counter(s.topic.name for each in subscribers for s in each.session.subscriptions)
    return (
        sum(each.group is None for each in subscribers),
        dict(topics),
        sum(each.bytes_sent for each in subscribers),
        sum(each.frames_sent for each in subscribers),
    )


def together(fan_out: FanOut) -> tuple[int, dict[str, int], int, int]:
    traffic = fan_out.traffic
    return fan_out.lagging, fan_out.subscribers.by_topic(), traffic.bytes_sent, traffic.frames_sent


@pytest.fixture
def world() -> World:
    return joined_world()


def test_of_who_is_in_sync_and_who_is_behind(world: World) -> None:
    first, _, _ = world.joined(world.a), world.joined(world.a), world.joined(world.a, "hosts")
    assert together(world.a.fan_out) == one_by_one(world.a.fan_out)
    first.pace(is_slow=True)
    for body in range(3):
        world.put("a", body)
        world.a.watch()
        world.a.settle()
        assert together(world.a.fan_out) == one_by_one(world.a.fan_out)
    assert world.a.fan_out.lagging == 1
    assert world.a.fan_out.subscribers.by_topic() == {"pods": 2, "hosts": 1}


def test_of_who_left(world: World) -> None:
    client, other = world.joined(world.a), world.joined(world.a, "hosts")
    sent = world.a.fan_out.traffic.bytes_sent
    client.disconnect()
    assert world.a.fan_out.subscribers.by_topic() == {"hosts": 1}
    assert world.a.fan_out.traffic.bytes_sent >= sent > 0
    other.disconnect()
    assert world.a.fan_out.subscribers.by_topic() == {}
    assert (len(world.a.fan_out.subscribers), world.a.fan_out.lagging) == (0, 0)
