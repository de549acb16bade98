"""Servers that look at each other, and agents that move between them without losing a change."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

import pytest

from tests.downstream.calico_peer import calico_joined
from tests.downstream.conftest import HELLO, until
from tests.replicas.conftest import Replica, Replicas
from typha.replicas.finding import Place
from typha.replicas.neighbours import NeighbourSettings
from typha.replicas.peers import PeerState
from typha.wire import messages as m
from typha_client import Client, connect


async def agents(stack: AsyncExitStack, count: int, *servers: Replica) -> list[Client]:
    addresses = [server.address for server in servers]
    made = [
        await stack.enter_async_context(connect(addresses, topics=["pods"], node=f"n{number}", max_backoff_s=0.2))
        for number in range(count)
    ]
    for client in made:
        await client.wait_synced(timeout=10)
    return made


async def test_it_knows_the_others_and_not_itself(replicas: Replicas) -> None:
    first, second, third = await replicas(3, looking=False)
    await second.running.joined()
    third.running.server.is_draining = True
    first.places.append(Place("127.0.0.1", 1))
    await first.neighbours.look()
    states = {peer.address: (peer.state, peer.subscribers) for peer in first.neighbours.table.peers}
    assert states == {
        second.address: (PeerState.READY, 1),
        third.address: (PeerState.GOING, 0),
        "127.0.0.1:1": (PeerState.UNREACHABLE, 0),
    }
    assert first.running.server.moves.has_elsewhere()
    assert first.running.server.moves.addresses() == (second.address,)
    assert first.running.server.share == 2


async def test_a_server_that_is_not_complete_gets_nobody(replicas: Replicas) -> None:
    first, second = await replicas(2, looking=False)
    second.running.replica.pods.restart(0.0)
    for _ in range(9):
        await first.running.joined()
    await first.neighbours.look()
    (peer,) = first.neighbours.table.peers
    assert (peer.state, peer.message) == (PeerState.NOT_READY, "not_ready: not complete yet: pods")
    assert first.running.server.share is None


async def test_shares_become_even_and_nothing_is_lost(replicas: Replicas) -> None:
    first, second, third = await replicas(3)
    async with AsyncExitStack() as stack:
        clients = await agents(stack, 30, first)
        await until(lambda: all(8 <= each.held <= 12 for each in (first, second, third)))
        for each in (first, second, third):
            rv = each.running.put("b", 1)
        for client in clients:
            await client.wait_for("pods", rv, timeout=10)
        joined = [each.running.server.counters.modes for each in (first, second, third)]
        assert sum(modes["snapshot"] for modes in joined) == 30
        moves = first.running.server.counters.go_aways["rebalance"]
        assert 18 <= moves <= 22
        assert not second.running.server.counters.go_aways
        assert not third.running.server.counters.go_aways


async def test_calico_agents_are_moved_where_there_are_no_others(replicas: Replicas) -> None:
    first, _ = await replicas(2, calico=True, settings=NeighbourSettings(0.05))
    for _ in range(4):
        await calico_joined(first.running)
    # Those that went did not come to the other: of the three that are left nobody has to go.
    await until(lambda: first.running.server.counters.closed["rebalance"] == 1)
    assert first.held == 3


async def test_native_agents_move_before_those_that_cannot_resume(replicas: Replicas) -> None:
    first, _ = await replicas(2, calico=True)
    for _ in range(4):
        await calico_joined(first.running)
    natives = [await first.running.joined() for _ in range(4)]
    asked = 0
    for native in natives:
        await native.wait_for(m.GoAway)
        native.send(m.Close("moved"))
        asked += 1
    assert asked == 4
    await until(lambda: first.held == 4)


async def test_agents_that_do_not_go_are_not_followed_by_others(replicas: Replicas) -> None:
    first, _ = await replicas(2, looking=False)
    for _ in range(9):
        await first.running.joined()
    moves = first.running.server.moves
    for asked in (4, 0, 0):
        await first.neighbours.look()
        due = first.neighbours._shedder.due(1e9, moves.movable())
        assert len(due) == asked
        for connection in due:
            moves.shed(connection)


async def test_without_leave_to_rebalance_nobody_moves(replicas: Replicas) -> None:
    first, second = await replicas(2, looking=False, settings=NeighbourSettings(rebalance=False))
    for _ in range(9):
        await first.running.joined()
    await first.neighbours.look()
    assert first.running.server.share is None
    assert first.neighbours._shedder.due(1e9, list(range(9))) == []
    assert first.running.server.moves.addresses() == (second.address,)


async def test_what_fails_is_told_once_and_moves_nobody(replicas: Replicas, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "typha.replicas")
    first, _ = await replicas(2, looking=False)
    first.error = OSError("no DNS")
    for _ in range(2):
        await first.neighbours.look()
    assert not first.running.server.moves.has_elsewhere()
    first.error = None
    for _ in range(2):
        await first.neighbours.look()
    assert [record.message for record in caplog.records] == [
        "the other servers cannot be looked for",
        "the other servers are looked for again",
        "peer",
    ]


async def test_who_is_refused_is_told_of_servers_that_are_ready(replicas: Replicas) -> None:
    first, second = await replicas(2, looking=False)
    await first.neighbours.look()
    first.running.server.is_draining = True
    peer = await first.running.peer()
    peer.send(HELLO)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.addresses == (second.address,)
