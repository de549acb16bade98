"""A typha server for tests, in this process, on a real loopback socket, without Kubernetes.

    with FakeServer({"pods": {"default/web-0": {"spec": {"nodeName": "n1"}}}}) as server:
        async with connect(server.address, topics=["pods"], node="n1") as client:
            await client.wait_synced(timeout=5)
            server.put("pods", "default/web-1", {"spec": {"nodeName": "n1"}})

It speaks the real protocol (snapshot, resume, reconcile, filters, resets) over one compacted map a topic. It runs in
a thread of its own, so its methods are plain calls, usable from sync and async tests of any framework; each returns
once its frames were handed to the sockets.

Invariants
1. What the server sends follows the protocol, unless the test says otherwise (``send``, ``send_raw``).
2. Leaving ``with`` closes every socket and ends the thread.

Road not taken: a mock of the client. It would promise what the wire does not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.states import CloseCode, GoAwayReason, RefusalCode, TopicState
from typha_client.fake_subscriber import FakeSubscriber
from typha_client.fake_topic import FakeTopic

_T = TypeVar("_T")
# A test that waits longer than this for its own loopback server is stuck, not slow.
CALL_TIMEOUT_S: Final = 10.0


class FakeServer:
    """A scripted server. ``topics``: {name: {key: value}}; ``feeds``: {feed: [topics]}.

    ``filters``: {topic: {attribute: field path}}, what clients may give as ``where``. ``hellos`` and ``received``
    hold what clients sent. ``answer_pings``: set False to play a half-open connection.
    """

    def __init__(
        self,
        topics: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        feeds: Mapping[str, Iterable[str]] | None = None,
        filters: Mapping[str, Mapping[str, str]] | None = None,
        cluster: str = "fake-cluster/1",
        tls: Any = None,
        ping_interval_s: float = 30.0,
        port: int = 0,
    ) -> None:
        self.cluster = cluster
        self.ping_interval_s = ping_interval_s
        self.feeds = {name: tuple(members) for name, members in (feeds or {}).items()}
        self.topics: dict[str, FakeTopic] = {}
        self.hellos: list[m.Hello] = []
        self.received: list[m.Message] = []
        self.sockets: set[FakeSubscriber] = set()
        self.port = port
        self.answer_pings = True
        self._rv = 0
        self._tls = tls
        self._refusals: list[m.Refused] = []
        self._refuse_always: m.Refused | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="typha FakeServer", daemon=True)
        for name, values in (topics or {}).items():
            self._add_topic(name, values, (filters or {}).get(name, {}))

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening = self._call_async(self._listen)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call_async(self._shut_down)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    @property
    def address(self) -> str:
        """``host:port`` for ``connect``."""
        return f"127.0.0.1:{self.port}"

    # -- the script -----------------------------------------------------------------------------------------------

    def add_topic(
        self,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        filters: Mapping[str, str] | None = None,
        feed: str | None = None,
    ) -> None:
        """A new topic; ``feed`` puts it into a feed too. Clients that are connected do not get it."""

        def add() -> None:
            self._add_topic(name, values or {}, filters or {})
            if feed is not None:
                self.feeds[feed] = (*self.feeds.get(feed, ()), name)

        self._call(add)

    def put(self, topic: str, key: str, value: Any, rv: int | None = None) -> int:
        """Create or change an object; its rv (the next free one unless given)."""
        return self._call(lambda: self._publish(topic, self.next_rv(rv), key, value))

    def delete(self, topic: str, key: str, rv: int | None = None) -> int:
        """Delete an object; the rv of the deletion."""
        return self._call(lambda: self._publish(topic, self.next_rv(rv), key, None))

    def bookmark(self, topic: str, rv: int | None = None, age_ms: int | None = 0) -> int:
        """Say that all up to ``rv`` (default: what was published last) has been sent."""

        def say() -> int:
            target = self.topics[topic]
            target.head = max(target.head, self._rv if rv is None else rv)
            self._rv = max(self._rv, target.head)
            for subscriber, number in self._subscribers(topic):
                if topic not in subscriber.reconciling:
                    subscriber.send(m.Bookmark((m.BookmarkTopic(number, target.head, age_ms),)))
            return target.head

        return self._call(say)

    def status(self, topic: str, state: TopicState | str, message: str = "", since_ms: int = 0) -> None:
        """Change what the server knows of a topic."""

        def say() -> None:
            self.topics[topic].state = TopicState(state)
            for subscriber, number in self._subscribers(topic):
                subscriber.send(m.Status((m.TopicStatus(number, TopicState(state), since_ms, message),)))

        self._call(say)

    def reset(self, topic: str, values: Mapping[str, Any], cluster: str) -> None:
        """A new life: the topic starts again from ``values`` in ``cluster``."""

        def start_again() -> None:
            self.cluster = cluster
            self._add_topic(topic, values, self.topics[topic].filters)
            target = self.topics[topic]
            for subscriber, number in self._subscribers(topic):
                _, frames = target.catch_up(number, None, subscriber.wheres[topic])
                subscriber.send(m.Reset(number, cluster, target.format), *frames)

        self._call(start_again)

    def forget_deletions(self, topic: str) -> None:
        """Move the deletion horizon to the head: older cursors are answered with a reconcile."""
        self._call(self.topics[topic].forget_deletions)

    def refuse(
        self,
        code: RefusalCode | str,
        message: str = "refused by the test",
        *,
        retry_after_s: float | None = None,
        addresses: Iterable[str] = (),
        times: int | None = None,
    ) -> None:
        """Refuse the next ``times`` Hellos (None: all, until ``accept``)."""
        refused = m.Refused(str(code), message, retry_after_s, tuple(addresses))

        def arm() -> None:
            if times is None:
                self._refuse_always = refused
            else:
                self._refusals.extend([refused] * times)

        self._call(arm)

    def accept(self) -> None:
        """End all refusals."""

        def disarm() -> None:
            self._refuse_always = None
            self._refusals.clear()

        self._call(disarm)

    def go_away(
        self,
        addresses: Iterable[str] = (),
        reason: GoAwayReason | str = GoAwayReason.REBALANCE,
        after_s: float = 10.0,
    ) -> None:
        """Ask every subscriber to move."""
        self.send(m.GoAway(str(reason), after_s, tuple(addresses)))

    def close(self, code: CloseCode | str = CloseCode.DRAINING, message: str = "closed by the test") -> None:
        """Say Close to every subscriber and hang up."""
        self.send(m.Close(str(code), message))

        def hang_up() -> None:
            for subscriber in tuple(self.sockets):
                subscriber.hang_up()

        self._call(hang_up)

    def drop(self) -> None:
        """Cut every connection without a word."""

        def cut() -> None:
            for subscriber in tuple(self.sockets):
                if subscriber.transport is not None:
                    subscriber.transport.abort()

        self._call(cut)

    def ping(self, t: int = 1) -> None:
        """Ask every subscriber for a Pong; read ``applied`` from ``received``."""
        self.send(m.Ping(t))

    def send(self, *messages: m.Message) -> None:
        """Any frames to every subscriber, right or wrong."""
        self.send_raw(b"".join(map(encode_message, messages)))

    def send_raw(self, data: bytes) -> None:
        """Any bytes to every subscriber."""

        def write() -> None:
            for subscriber in tuple(self.sockets):
                if subscriber.transport is not None:
                    subscriber.transport.write(data)

        self._call(write)

    # -- the server's thread --------------------------------------------------------------------------------------

    def next_rv(self, rv: int | None) -> int:
        """The rv of the next change. Raises ValueError for one that goes back."""
        if rv is not None and rv <= self._rv:
            raise ValueError(f"rv {rv} is not above {self._rv}: resourceVersions only grow")
        self._rv = self._rv + 1 if rv is None else rv
        return self._rv

    def load(self) -> m.Message:
        """The answer to a client that asks how loaded this server is (it is in no list)."""
        if self._refuse_always is not None:
            return self._refuse_always
        connections = sum(subscriber.hello is not None for subscriber in self.sockets)
        return m.Welcome(
            "fake/1", "s0", self.cluster, (), ping_interval_s=self.ping_interval_s, connections=connections
        )

    def refusal_of(self, hello: m.Hello, names: list[str]) -> m.Refused | None:
        """Why this Hello is refused, if it is."""
        if self._refusals:
            return self._refusals.pop(0)
        if self._refuse_always is not None:
            return self._refuse_always
        unknown = [name for name in names if name not in self.topics]
        if unknown or not names:
            what, known = (f"topic {unknown[0]!r}", self.topics) if unknown else (f"feed {hello.feed!r}", self.feeds)
            return m.Refused(RefusalCode.UNKNOWN_TOPIC, f"no {what} here; there are: {', '.join(sorted(known))}")
        if hello.resume_cluster == self.cluster:
            for name in names:
                if name in hello.resume and hello.resume[name].seen > self.topics[name].head:
                    return m.Refused(RefusalCode.NOT_READY, f"{name} is at {self.topics[name].head}", 0.05)
        return None

    def _add_topic(self, name: str, values: Mapping[str, Any], filters: Mapping[str, str]) -> None:
        topic = self.topics[name] = FakeTopic(filters)
        for key, value in values.items():
            topic.put(key, self.next_rv(None), value)
        topic.head = self._rv

    def _publish(self, name: str, rv: int, key: str, value: Any) -> int:
        topic = self.topics[name]
        before = topic.values.get(key)
        if value is None:
            topic.delete(key, rv)
        else:
            topic.put(key, rv, value)
        for subscriber, number in self._subscribers(name):
            puts, deletes = topic.seen_through(subscriber.wheres[name], key, rv, before)
            subscriber.send(m.Entries(number, rv, puts, deletes))
        return rv

    def _subscribers(self, topic: str) -> list[tuple[FakeSubscriber, int]]:
        return [(subscriber, subscriber.ids[topic]) for subscriber in self.sockets if topic in subscriber.ids]

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: FakeSubscriber(self), "127.0.0.1", self.port, ssl=self._tls)

    async def _shut_down(self) -> None:
        self._listening.close()
        left = tuple(self.sockets)
        for subscriber in left:
            if subscriber.transport is not None:
                subscriber.transport.abort()
        for subscriber in left:
            await subscriber.gone.wait()

    def _call(self, work: Callable[[], _T]) -> _T:
        async def run() -> _T:
            return work()

        return self._call_async(run)

    def _call_async(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(CALL_TIMEOUT_S)
