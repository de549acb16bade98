"""A server that starts from a file: what it may say before the API server confirmed it, and what it must not lose.

Case 19: a file without its history loses deletions, and a stale one called complete makes an agent program the past.
"""

from __future__ import annotations

import pytest

from tests.kit.calico_agent import CalicoAgent
from tests.kit.invariants import check_server
from tests.kit.world import World
from typha.calico_wire.messages import SyncStatus
from typha.upstream.warmth import Warmth
from typha.warm_start.codec import WarmFileError, decode
from typha.wire import messages as m
from typha.wire.states import Mode, TopicState


def kept_world() -> World:
    """``a`` holds two pods and the memory of a third, and has written its file."""
    world = World()
    for name in ("kept", "changes", "gone"):
        world.put(name)
    world.sync()
    world.delete("gone")
    world.sync()
    world.a.keep()
    return world


def bookmarks(frames: list[m.Message]) -> list[m.Message]:
    return [frame for frame in frames if isinstance(frame, m.Bookmark) and frame.topics]


def test_warm_start_resumes_with_what_changed() -> None:
    """An agent that comes back is served before the API server said a word, and gets only what it lacks."""
    world = kept_world()
    world.put("late")
    agent = world.joined(world.b)
    world.put("later")
    world.sync()
    world.a.keep()
    agent.disconnect()
    world.restart(world.a, warm=True)
    world.move(agent, world.a)
    assert agent.modes == [Mode.RESUME]
    assert [change.key for change in agent.changes_sent()] == ["later"]
    assert "later" in agent.held
    world.quiesce()


def test_warm_start_no_in_sync_before_contact() -> None:
    """No Bookmark, no readiness, state syncing; then, at the version of a consistent read, all three."""
    world = kept_world()
    agent = world.joined(world.b)
    agent.disconnect()
    world.put("changes", 1)
    world.delete("kept")
    world.restart(world.a, warm=True)
    world.move(agent, world.a)
    newcomer = world.client()
    newcomer.connect(world.a)
    calico = CalicoAgent("felix")
    calico.connect(world.a)
    world.deliver()
    calico.deliver()
    world.time(60)
    world.deliver()
    assert world.a.pods.state is TopicState.SYNCING
    assert world.a.catalog.not_synced()
    assert bookmarks(agent.take_frames() + newcomer.take_frames()) == []
    assert [newcomer.bookmarked] == [None]
    assert SyncStatus.IN_SYNC not in calico.statuses

    # The watch is accepted and brings the first of two events: still older than what a consistent read has shown.
    world.a.watch(1)
    world.deliver()
    assert bookmarks(agent.take_frames() + newcomer.take_frames()) == []
    world.a.watch()
    world.deliver()
    assert world.a.catalog.is_ready()
    assert agent.bookmarked == newcomer.bookmarked == world.truth.rv
    calico.deliver()
    check_server(world.a)
    world.quiesce()


def test_warm_start_with_nothing_new_is_complete_at_the_probe() -> None:
    world = kept_world()
    world.restart(world.a, warm=True)
    Warmth(world.a.topics).probed(world.truth.rv, world.clock.now)
    assert world.a.catalog.is_ready()


def test_warm_start_older_than_compaction() -> None:
    """The watch from the file's head is refused with 410: a list, taken as one diff over what the file had."""
    world = kept_world()
    agent = world.joined(world.a)
    world.put("born")
    world.delete("born")
    world.put("changes", 1)
    world.delete("kept")
    world.restart(world.a, warm=True)
    world.move(agent, world.a)
    world.a.relist()
    world.deliver()
    assert world.a.pods.history.gaps != []
    assert agent.modes == [Mode.RESUME]
    assert agent.bookmarked == world.truth.rv
    check_server(world.a)
    world.quiesce()


def test_born_and_deleted_during_relist_gap_after_a_warm_start() -> None:
    """Case 1: ``b`` lived and died between the file and the list; who holds it from another replica loses it."""
    world = kept_world()
    world.sync()
    world.put("b")
    client = world.joined(world.b)
    world.delete("b")
    world.truth.tick()
    world.restart(world.a, warm=True)
    world.a.relist()
    world.move(client, world.a)
    assert client.modes == [Mode.RECONCILE]
    assert sorted(client.held) == ["changes", "kept"]
    world.quiesce()


def test_warm_start_remembers_deletions() -> None:
    """Tombstones, of filters by node too, are in the file: cursors of before resume."""
    world = World()
    for name in ("stays", "gone", "moves"):
        world.put(name, node="n0")
    everything = world.joined(world.b)
    of_node = world.joined(world.b, where={"node": "n0"})
    everything.disconnect()
    of_node.disconnect()
    world.sync()
    world.delete("gone")
    world.put("moves", node="n1")
    world.sync()
    world.a.keep()
    world.restart(world.a, warm=True)
    for client in (everything, of_node):
        world.move(client, world.a)
        assert client.modes == [Mode.RESUME]
    assert list(of_node.held) == ["stays"]
    assert sorted(everything.held) == ["moves", "stays"]
    world.quiesce()


def test_warm_start_shows_nobody_what_is_older_than_it_has_seen() -> None:
    """An agent ahead of the file is not refused, gets nothing until the server is as far, and never goes back."""
    world = kept_world()
    world.put("changes", 1)
    world.delete("kept")
    agent = world.joined(world.b)
    held = dict(agent.held)
    world.restart(world.a, warm=True)
    world.move(agent, world.a)
    assert not agent.is_waiting
    assert agent.changes_sent() == []
    assert agent.held == held
    world.a.watch()
    world.deliver()
    assert agent.bookmarked == world.truth.rv
    assert agent.changes_sent() == []
    world.quiesce()


def test_warm_start_behind_a_lagging_api_server_proves_no_restore() -> None:
    """The topic is confirmed at a version below what an agent has seen: it comes anew, and its Hello waits."""
    world = kept_world()
    world.put("changes", 1)
    behind = world.truth.rv
    world.put("changes", 2)
    agent = world.joined(world.b)
    world.restart(world.a, warm=True)
    lives = world.a.catalog.cluster
    agent.connect(world.a)
    world.deliver()
    world.a.watch(1, probed=behind)
    world.a.settle()
    agent.deliver()
    assert agent.is_waiting
    assert world.a.catalog.cluster == lives
    world.sync()
    world.deliver()
    assert agent.bookmarked == world.truth.rv
    world.quiesce()


def test_warm_start_other_form() -> None:
    """Another release makes other values: the file is left alone."""
    world = kept_world()
    world.a.form = "2"
    world.restart(world.a, warm=True)
    assert world.a.pods.log.entries == {}
    assert not world.a.pods.is_warm


def test_warm_start_other_life() -> None:
    world = kept_world()
    world.truth.restore(1)
    for _ in range(9):
        world.truth.tick()
    world.restart(world.a, warm=True)
    assert world.a.pods.log.entries == {}


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "empty"])
def test_warm_start_torn_file(where: str) -> None:
    """No file that is not whole is used, whatever is wrong with it."""
    data = bytearray(kept_world().a.file)
    if where == "cut":
        data = data[: len(data) // 2]
    elif where == "empty":
        data.clear()
    else:
        data[{"start": 3, "middle": len(data) // 2, "end": -1}[where]] ^= 0x40
    with pytest.raises(WarmFileError):
        decode(bytes(data), {})
