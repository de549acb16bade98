"""Questions that only the server's loop can answer, asked from the observers' thread.

Place: `app` makes it, `answers` asks. All that a question does to the loop happens in `in_slices`.

1. A question takes the loop for at most `SLICE_S` at a time, at most a fifth of its time, and `LIMIT_S` in all: then it
   ends with what it has found, and says that it did not look at everything.
2. One question at a time; more than `MOST_WAITING` are refused with BusyError, and so is one that the loop does not
   get to within `TIMEOUT_S`. Probes wait for none of this.
3. The cache is read and never changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from typha.cache.topic import Topic
from typha.downstream.statistics import SubscriberStatistics
from typha.observe.picture import subscriber
from typha.observe.queries import ObjectsQuery, SubscribersQuery
from typha.observe.search import Hit, ObjectSearch, SubscriberSearch, hit
from typha.observe.status import SubscriberStatus

# Half of what a round may take before it yields.
SLICE_S: Final = 0.001
PAUSE_S: Final = 0.004
# 100,000 keys take 20 ms, as many packed values a second: the limit is reached by searches of values alone.
LIMIT_S: Final = 0.25
# A browser's patience, and four times what LIMIT_S takes with its pauses.
TIMEOUT_S: Final = 5.0
# The page asks two at a time; two people may look.
MOST_WAITING: Final = 8

Answer = TypeVar("Answer")


class BusyError(Exception):
    """The loop cannot be asked now; the text says why."""


class Found(NamedTuple):
    """What a search came to. ``is_complete`` False: it looked at ``looked_at`` of ``total`` only."""

    hits: Sequence[Hit]
    matches: int
    looked_at: int
    total: int
    is_complete: bool


class Listed(NamedTuple):
    """Subscribers, the first of those that match; ``is_complete`` False: there may be others before them."""

    subscribers: Sequence[SubscriberStatistics]
    matches: int
    total: int
    is_complete: bool


class Inquiries:
    """See the module. Made on the loop's thread; its coroutines are awaited on another loop.

    ``each_subscriber`` goes through those of the moment, ``publish`` puts up a picture with the given ones; ``secret``
    names the topics whose values nobody is shown.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        *,
        each_subscriber: Callable[[], Iterator[SubscriberStatistics]],
        publish: Callable[[Sequence[SubscriberStatus]], None],
        secret: Collection[str] = (),
    ) -> None:
        self.topics = topics
        self.secret = frozenset(secret)
        self._loop = asyncio.get_running_loop()
        self._each_subscriber = each_subscriber
        self._publish = publish
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def objects(self, query: ObjectsQuery) -> Found:
        """Search entries. Raises BusyError."""

        async def search() -> Found:
            one = ObjectSearch(query, self.topics, self.secret)
            is_complete = await in_slices(one.steps())
            return Found(one.found, one.matches, one.looked_at, one.total, is_complete)

        return await self._ask(search)

    async def entry(self, topic: str, key: str) -> Hit | None:
        """One entry, None where the topic does not hold the key. Raises BusyError."""

        async def look_up() -> Hit | None:
            found = self.topics[topic].log.entries.get(key)
            return None if found is None else hit(self.topics[topic], found, is_secret=topic in self.secret)

        return await self._ask(look_up)

    async def subscribers(self, query: SubscribersQuery) -> Listed:
        """The first subscribers of an order. Raises BusyError."""

        async def search() -> Listed:
            one = SubscriberSearch(query)
            is_complete = await in_slices(one.steps(self._each_subscriber()))
            return Listed(one.found, one.matches, one.total, is_complete)

        return await self._ask(search)

    async def refresh(self) -> None:
        """Have a picture published with all subscribers, without the limit of work. Raises BusyError."""

        async def publish() -> None:
            listed: list[SubscriberStatus] = []

            def steps() -> Iterator[None]:
                for one in self._each_subscriber():
                    listed.append(subscriber(one))
                    yield

            await in_slices(steps(), limit_s=TIMEOUT_S)
            self._publish(listed)

        await self._ask(publish)

    async def look(self, glance: Callable[[], Answer]) -> Answer:
        """What a function finds on the loop, in one piece: of something small. Raises BusyError."""

        async def once() -> Answer:
            return glance()

        return await self._ask(once)

    async def _ask(self, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        if self._waiting >= MOST_WAITING:
            raise BusyError(f"{self._waiting} questions are waiting already; ask again in a moment")

        async def in_turn() -> Answer:
            async with self._turn:
                return await work()

        self._waiting += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await ask_loop(self._loop, in_turn())
        except TimeoutError:
            raise BusyError(f"the server's loop found no time within {TIMEOUT_S:g} s") from None
        finally:
            self._waiting -= 1


async def ask_loop(loop: asyncio.AbstractEventLoop, asked: Coroutine[Any, Any, Answer]) -> Answer:
    """What ``asked`` comes to on the server's loop, and its errors; who cancels this cancels that. Raises BusyError."""
    try:
        future = asyncio.run_coroutine_threadsafe(asked, loop)
    except RuntimeError:
        asked.close()
        raise BusyError("the server is stopping") from None
    return await asyncio.wrap_future(future)


async def in_slices(
    steps: Iterator[None],
    *,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Take the steps, a slice at a time; False where ``limit_s`` of work did not suffice."""
    spent_s, began_at = 0.0, clock()
    for _ in steps:
        slice_s = clock() - began_at
        if slice_s >= SLICE_S:
            spent_s += slice_s
            if spent_s >= limit_s:
                return False
            await pause(PAUSE_S)
            began_at = clock()
    return True
