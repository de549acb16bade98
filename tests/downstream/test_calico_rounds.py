"""Rounds with Calico agents among the subscribers: what comes while a round is under way, and who falls behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.calico_agent import CalicoAgent, truth_of
from tests.kit.server import Server
from tests.kit.small_steps import STEPPED_ROUNDS, small_steps
from tests.kit.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with small_steps(frame_bytes=262_144):
        yield World(settings=STEPPED_ROUNDS)


def flow(server: Server, *agents: CalicoAgent) -> None:
    for _ in range(50):
        server.settle()
        for agent in agents:
            agent.deliver()
        if not any(agent.outlet.buffer for agent in agents):
            return
    raise AssertionError("the agents never fall silent")


def joined(world: World, *, is_snappy: bool = True) -> CalicoAgent:
    world.put("p1")
    world.sync(world.a)
    agent = CalicoAgent("felix", is_snappy=is_snappy)
    agent.connect(world.a)
    flow(world.a, agent)
    assert agent.is_in_sync
    return agent


@pytest.mark.parametrize("steps", range(1, 8))
def test_change_that_comes_while_views_are_read_is_not_forgotten(world: World, steps: int) -> None:
    """Its topic is dirty already and read already, so nothing else would ask for the round that takes it."""
    agent = joined(world)
    world.put("p1", 1, keys=("x", "y"))
    world.put("p2", 1, keys=("z",))
    world.a.watch()
    for _ in range(steps):
        if not world.a.step():
            break
    world.put("p1", 2, keys=("x",))
    world.a.watch()
    flow(world.a, agent)
    assert agent.held == truth_of(world.a)


@pytest.mark.parametrize("is_snappy", [True, False])
def test_view_that_an_agent_opens_during_a_round_is_not_empty_at_its_in_sync(world: World, is_snappy: bool) -> None:
    """The second feed is asked for while the first is being read, and the tick comes in between."""
    world.put("p1")
    world.put("p2")
    world.sync(world.a)
    first = CalicoAgent("felix", is_snappy=is_snappy)
    first.connect(world.a)
    first.deliver()
    world.put("p3")
    world.a.watch()
    assert world.a.step()
    second = CalicoAgent("bgp", is_snappy=is_snappy, feed="bgp")
    second.connect(world.a)
    world.time(1.0)
    second.deliver()
    world.time(1.0)
    flow(world.a, first, second)
    assert second.is_in_sync  # and it checks that every key was there by then
    assert second.held == truth_of(world.a, "bgp")
    assert second.held.keys() == {"p1", "p2", "p3"}
    assert first.held == truth_of(world.a)


def test_agent_that_fell_behind_all_remembered_deletions_is_closed_and_comes_back_whole() -> None:
    world = World(tombstones=1)
    for number in range(8):
        world.put(f"p{number}")
    agent = joined(world)
    agent.pace(is_slow=True)
    world.put("p1", 1)
    world.sync(world.a)
    world.a.views.views["felix"].topic.history.limit = 1
    for number in range(2, 8):
        world.delete(f"p{number}")
        world.sync(world.a)
    agent.pace(is_slow=False)
    for _ in range(4):
        flow(world.a, agent)
        world.time(1.0)
    if not agent.is_connected:
        agent.connect(world.a)
        flow(world.a, agent)
    assert agent.is_in_sync
    assert agent.held == truth_of(world.a)
