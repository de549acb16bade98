"""Questions to the loop from another thread: bounded, one at a time, and refused where they would pile up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import msgpack
import pytest

from tests.cache.entries import listed
from tests.observe.test_search import subscriber
from typha.cache.topic import Topic
from typha.observe import inquiries as module
from typha.observe.inquiries import LIMIT_S, PAUSE_S, SLICE_S, BusyError, Inquiries, in_slices
from typha.observe.queries import ObjectsQuery, SubscribersQuery
from typha.observe.status import SubscriberStatus

PODS = ObjectsQuery((("pods", None),), (), False, 10)


class Time:
    """Moves by a tenth of a slice at each step; remembers the pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.worked_s = 0.0
        self.pauses: list[float] = []

    def steps(self, count: int) -> Iterator[None]:
        for _ in range(count):
            self.now += SLICE_S / 10
            self.worked_s += SLICE_S / 10
            yield

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


async def test_work_is_done_in_slices_with_pauses_between() -> None:
    time = Time()
    assert await in_slices(time.steps(1000), clock=time.clock, pause=time.pause)
    # Ten steps a slice, or eleven where a sum of tenths is a little less than a slice.
    assert 1000 / 11 - 1 <= len(time.pauses) <= 100
    assert set(time.pauses) == {PAUSE_S}


async def test_work_ends_where_it_takes_too_much() -> None:
    time = Time()
    assert not await in_slices(time.steps(10**9), clock=time.clock, pause=time.pause)
    assert LIMIT_S <= time.worked_s <= LIMIT_S + 2 * SLICE_S


def make(published: list[Sequence[SubscriberStatus]] | None = None) -> Inquiries:
    pods = listed(Topic("pods", 0, form="1"), 10, a=(3, 1), b=(5, 2))
    return Inquiries(
        {"pods": pods, "keys": listed(Topic("keys", 1, form="1"), 10, a=(3, 1))},
        each_subscriber=lambda: iter([subscriber(1), subscriber(2)]),
        publish=([] if published is None else published).append,
        secret=["keys"],
    )


async def test_answers_to_another_thread() -> None:
    published: list[Sequence[SubscriberStatus]] = []
    one = make(published)

    async def questions() -> None:
        found = await one.objects(PODS)
        assert ([hit.key for hit in found.hits], found.matches, found.is_complete) == (["b", "a"], 2, True)
        entry = await one.entry("pods", "a")
        assert entry is not None
        assert entry.value is not None
        assert (entry.rv, msgpack.unpackb(entry.value)) == (3, 1)
        assert await one.entry("pods", "c") is None
        secret = await one.entry("keys", "a")
        assert secret is not None
        assert secret.value is None
        found_subscribers = await one.subscribers(SubscribersQuery((), "node", 1))
        assert (found_subscribers.subscribers[0].node, found_subscribers.total) == ("node-1", 2)
        await one.refresh()

    await asyncio.to_thread(asyncio.run, questions())
    assert [[each.node for each in listed] for listed in published] == [["node-1", "node-2"]]


async def test_too_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    one = make()

    async def questions() -> list[object]:
        return list(await asyncio.gather(*(one.objects(PODS) for _ in range(5)), return_exceptions=True))

    answers = await asyncio.to_thread(asyncio.run, questions())
    assert [isinstance(answer, BusyError) for answer in answers] == [False, False, True, True, True]


async def test_a_loop_that_has_no_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    one = make()

    async def question() -> None:
        with pytest.raises(BusyError, match=r"found no time within 0\.05 s"):
            await one.objects(PODS)

    # The loop itself stands still while the other thread asks.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, question()).result()


def test_a_loop_that_is_closed_is_said_so() -> None:
    async def begin() -> Inquiries:
        return make()

    one = asyncio.run(begin())
    with pytest.raises(BusyError, match="stopping"):
        asyncio.run(one.entry("pods", "a"))
