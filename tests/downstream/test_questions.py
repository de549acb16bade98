"""A peer or an agent asks how loaded a server is, over real loopback TCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.downstream.conftest import HELLO, Running, until
from typha.downstream.authentication import Authentication
from typha.wire import messages as m
from typha.wire.states import RefusalCode

Start = Callable[..., Awaitable[Running]]
QUESTION = replace(HELLO, topics=())


async def test_a_question_costs_no_subscription_and_may_be_asked_again(start: Start) -> None:
    running = await start(max_connections=5)
    await running.joined()
    peer = await running.peer()
    for _ in range(2):
        peer.send(QUESTION)
        answer = await peer.wait_for(m.Welcome)
        assert isinstance(answer, m.Welcome)
        assert (answer.topics, answer.connections, answer.target) == ((), 1, 5)
        assert answer.session.startswith(f"{running.server.prefix}-")
    assert len(running.server.fan_out.subscribers) == 1
    assert running.server.statistics().unheard == 1
    running.server.share = 3
    await peer.joined()
    assert len(running.server.fan_out.subscribers) == 2
    assert running.server.statistics().server.modes == {"snapshot": 2}
    assert running.server.statistics().unheard == 0


async def test_who_is_not_let_in_learns_no_load(start: Start) -> None:
    running = await start(authentication=Authentication(takes_tokens=True))
    peer = await running.peer()
    peer.send(QUESTION)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.UNAUTHENTICATED


async def test_who_only_asks_is_not_kept(start: Start) -> None:
    running = await start(handshake_timeout_s=10.0)
    peer = await running.peer()
    peer.send(QUESTION)
    await peer.wait_for(m.Welcome)
    running.time_passes(9.0)
    running.time_passes(10.5)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.BAD_HELLO


async def test_a_server_that_goes_is_not_ready(start: Start) -> None:
    running = await start()
    running.server.is_draining = True
    peer = await running.peer()
    peer.send(QUESTION)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.DRAINING


async def test_a_server_that_is_not_complete_says_what_it_waits_for(start: Start) -> None:
    running = await start()
    running.replica.pods.restart(0.0)
    peer = await running.peer()
    peer.send(QUESTION)
    (refused,) = await peer.rest()
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.message) == (RefusalCode.NOT_READY, "not complete yet: pods")


async def test_memory_that_is_short_stops_snapshots_and_not_resumes(start: Start) -> None:
    running = await start()
    held = await running.joined()
    running.server.connection_limits.joins_paused = "memory: 95 of 100 MiB are in use"
    late = await running.peer()
    late.send(HELLO)
    (refused,) = await late.rest()
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.message) == (RefusalCode.OVERLOADED, "memory: 95 of 100 MiB are in use")
    assert refused.retry_after_s is not None
    head = running.replica.pods.head
    resumed = await running.peer()
    resumed.send(replace(HELLO, resume_cluster="uid/0", resume={"pods": m.ResumeTopic(head, head, "1")}))
    await resumed.wait_for(m.Bookmark)
    held.send(m.Close("done"))
    await until(lambda: running.server.counters.over_limits == {"memory": 1})


async def test_too_many_that_have_not_said_hello(start: Start) -> None:
    running = await start(max_unheard=1)
    await running.peer()
    await until(lambda: running.server.statistics().unheard == 1)
    extra = await running.peer()
    (refused,) = await extra.rest()
    assert isinstance(refused, m.Refused)
    assert refused.code == RefusalCode.OVERLOADED
    await until(lambda: running.server.counters.over_limits == {"unheard": 1})
