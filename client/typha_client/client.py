"""The agent's side of typha as one object: copies of topics that keep themselves up to date.

Its place: connector (events) -> *client* -> views, handlers, iterators, waiters.

Invariants
1. Everything the user reads between two awaits is one state: commits happen in the loop, never in between.
2. Whoever waits is woken after each group of events, and asks its own condition again.
3. Leaving ``async with`` ends every task and socket that this client started.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from typha.wire.errors import RefusedError
from typha.wire.messages import Where
from typha.wire.question import Question
from typha.wire.states import Mode, RefusalCode
from typha_client import events as e
from typha_client.change_stream import ChangeStream
from typha_client.connector import FINAL_REFUSALS, Connector
from typha_client.discovery import Discovery
from typha_client.endpoints import Endpoints
from typha_client.handlers import Dispatcher, HandlerTable, Kind, Registration
from typha_client.health import TopicHealth
from typha_client.replica import Replica, Replicas
from typha_client.session import Session, Subscription
from typha_client.topic_view import EntryList, TopicView
from typha_client.waiting import Waiters

if TYPE_CHECKING:
    from typha_client.tls import TlsSource


class Client:
    """Made by ``connect``; use it with ``async with``.

    Handlers: ``on_add``, ``on_update``, ``on_delete`` are called with a Change, ``on_status`` with a StatusReport,
    ``on_bookmark`` with a Bookmarked once the handlers have finished with everything up to its cursor. Register them
    before the first await inside ``async with``: what is committed earlier is not handed over again.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        subscription: Callable[[], Subscription],
        asked: Iterable[str],
        *,
        wheres: Mapping[str, Where],
        tls: TlsSource | None = None,
        verify: bool = False,
        discovery: Discovery | None = None,
    ) -> None:
        self._subscription = subscription
        self._asked = frozenset(asked)
        self._replicas = Replicas(wheres=wheres, verify=verify)
        self._health: dict[str, TopicHealth] = {}
        self._subscribed: frozenset[str] | None = None
        self._handlers = HandlerTable()
        self.on_add = Registration(self._handlers, Kind.ADD)
        self.on_update = Registration(self._handlers, Kind.UPDATE)
        self.on_delete = Registration(self._handlers, Kind.DELETE)
        self.on_status = Registration(self._handlers, Kind.STATUS)
        self.on_bookmark = Registration(self._handlers, Kind.BOOKMARK)
        self._dispatchers: dict[str, Dispatcher] = {}
        self._streams: set[ChangeStream] = set()
        self._waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusal: RefusedError | None = None
        self._modes = {Mode.SNAPSHOT: 0, Mode.RESUME: 0, Mode.RECONCILE: 0}
        self._connector = Connector(
            endpoints, self._new_session, self._on_events, tls, new_question=self._new_question, discovery=discovery
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("a Client runs once; call connect() for another")
        self._loop = asyncio.get_running_loop()
        self._start(self._connector.run(), "typha_client connector")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._streams:
            stream.close()
        failed = [task for task in self._tasks if task.done() and not task.cancelled() and task.exception()]
        running = [task for task in self._tasks if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._waiters.wake()
        for task in failed:
            if (bug := task.exception()) is not None and error is None:
                raise bug

    # -- reading --------------------------------------------------------------------------------------------------

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics subscribed to: the server's answer, before it what was asked for."""
        return tuple(sorted(self._asked if self._subscribed is None else self._subscribed))

    def topic(self, name: str) -> TopicView:
        """One topic's copy. Raises KeyError where the server has said that it is none of ours."""
        if self._subscribed is not None and name not in self._subscribed and name not in self._health:
            raise KeyError(f"topic {name!r} is not subscribed; subscribed: {', '.join(self.topics)}")
        health = self._health_of(name)
        return TopicView(health.replica, health, self._now)

    def get(self, topic: str, key: str) -> Any:
        """The value of a key, or None."""
        return self.topic(topic).get(key)

    def list(self, topic: str) -> EntryList:
        """All entries of a topic."""
        return self.topic(topic).list()

    def add_index(self, topic: str, name: str, path: str | None = None) -> None:
        """Keep an index of a topic by a field; see ``TopicView.by_index``."""
        self.topic(topic).add_index(name, path)

    def by_index(self, topic: str, name: str, value: Hashable) -> EntryList:
        """Entries of a topic whose indexed field is ``value``."""
        return self.topic(topic).by_index(name, value)

    @property
    def is_synced(self) -> bool:
        """True where every subscribed topic's copy is whole and its server calls it complete."""
        names = self.topics
        return bool(names) and all(name in self._health and self._health[name].is_synced for name in names)

    @property
    def last_error(self) -> Exception | None:
        """Why the last attempt or connection ended: RefusedError, RemoteProtocolError, OSError (TlsError is one)."""
        return self._connector.last_error

    # -- waiting --------------------------------------------------------------------------------------------------

    async def wait_synced(self, timeout: float | None = None) -> None:
        """Until ``is_synced``. Raises TimeoutError that names the topics, RefusedError where no server will have us.

        A final refusal (unknown_topic, forbidden, ...) raises at once, if no server ever welcomed this client.
        """

        def synced() -> bool:
            if self.is_synced:
                return True
            if self._refusal is not None and self._subscribed is None:
                raise self._refusal
            self._raise_if_over()
            return False

        await self._waiters.wait(synced, timeout, self._why_not_synced)

    async def wait_for(self, topic: str, rv: int, timeout: float | None = None) -> None:
        """Until the topic's copy holds everything up to ``rv``. Raises TimeoutError."""
        view = self.topic(topic)

        def there() -> bool:
            if view.cursor is not None and view.cursor >= rv:
                return True
            self._raise_if_over()
            return False

        await self._waiters.wait(
            there, timeout, lambda: f"topic {topic} is at {view.cursor}, waited for {rv}; {self._trouble()}"
        )

    def changes(self, *topics: str, include_held: bool = True) -> ChangeStream:
        """An iterator over changes of these topics (none: all), first what is held, then as they are committed.

        A slow reader sees the newest version of each key only. Each call is a consumer of its own.
        """
        wanted = frozenset(topics) or None
        held = [replica for name, replica in self._replicas.topics.items() if wanted is None or name in wanted]
        stream = ChangeStream(wanted, held if include_held else ())
        self._streams.add(stream)
        return stream

    def statistics(self) -> dict[str, Any]:
        """Counters and positions, ready for JSON; the README lists them."""
        coalesced = sum(dispatcher.pending.coalesced for dispatcher in self._dispatchers.values())
        return {
            **self._connector.statistics(),
            "resumes": self._modes[Mode.RESUME],
            "snapshots": self._modes[Mode.SNAPSHOT],
            "reconciles": self._modes[Mode.RECONCILE],
            "handler_calls": self._handlers.calls,
            "handler_failures": self._handlers.failures,
            "coalesced": coalesced,
            "last_error": None if self.last_error is None else str(self.last_error),
            "topics": {name: self._topic_statistics(health) for name, health in sorted(self._health.items())},
        }

    # -- inside ---------------------------------------------------------------------------------------------------

    def _new_session(self, now: float) -> Session:
        return Session(self._replicas, self._subscription(), now, applied=self._applied)

    def _new_question(self) -> Question:
        asker = self._subscription()
        return Question(asker.node, asker.agent, asker.token)

    def _applied(self, replica: Replica) -> int | None:
        dispatcher = self._dispatchers.get(replica.name)
        if dispatcher is None or replica.cursor is None:
            return replica.cursor
        return dispatcher.pending.applied

    def _on_events(self, events: Sequence[e.Event]) -> None:
        for event in events:
            self._on_event(event)
        self._waiters.wake()

    def _on_event(self, event: e.Event) -> None:
        match event:
            case e.Committed(topic=topic):
                for stream in self._streams:
                    stream.committed(event)
                if (dispatcher := self._dispatcher(topic)) is not None:
                    dispatcher.committed(event)
            case e.Bookmarked(topic=topic):
                if self._health_of(topic).bookmark(event, self._now()):
                    self._report_status(topic)
                if (dispatcher := self._dispatcher(topic)) is not None:
                    dispatcher.bookmarked(event)
            case e.StatusChanged(topic=topic):
                self._health_of(topic).status(event)
                self._report_status(topic)
            case e.Welcomed(welcome):
                self._subscribed = frozenset(topic.name for topic in welcome.topics)
                for topic_welcome in welcome.topics:
                    self._modes[topic_welcome.mode] += 1
                    self._health_of(topic_welcome.name).welcomed()
                for name in self._health.keys() - self._subscribed:
                    self._cut_off(name, "the server's feed does not have this topic any more")
            case e.RefusedByServer(refused):
                if refused.code in FINAL_REFUSALS and self._subscribed is None:
                    self._refusal = RefusedError(
                        refused.code, refused.message, refused.retry_after_s, refused.addresses
                    )
                if refused.code == RefusalCode.NOT_READY:
                    for name in self._health:
                        self._cut_off(name, f"no server is up to this copy: {refused.message}")
            case e.WasReset():
                self._modes[Mode.SNAPSHOT] += 1
            case _:
                pass

    def _cut_off(self, topic: str, message: str) -> None:
        if self._health[topic].cut_off(self._now(), message):
            self._report_status(topic)

    def _report_status(self, topic: str) -> None:
        dispatcher = self._dispatcher(topic)
        health = self._health[topic]
        if dispatcher is not None and health.since_at is not None:
            dispatcher.status(e.StatusChanged(topic, health.state, health.since_at, health.message))

    def _dispatcher(self, topic: str) -> Dispatcher | None:
        dispatcher = self._dispatchers.get(topic)
        if dispatcher is None and self._handlers.wants(topic):
            dispatcher = self._dispatchers[topic] = Dispatcher(topic, self._handlers)
            self._start(dispatcher.run(), f"typha_client handlers of {topic}")
        return dispatcher

    def _health_of(self, topic: str) -> TopicHealth:
        health = self._health.get(topic)
        if health is None:
            health = self._health[topic] = TopicHealth(self._replicas.ensure(topic))
        return health

    def _topic_statistics(self, health: TopicHealth) -> dict[str, Any]:
        replica = health.replica
        return {
            "cursor": replica.cursor,
            "seen": replica.seen,
            "entries": len(replica),
            "digest": replica.content_digest(),
            "state": str(health.state),
            "age_s": health.age_s(self._now()),
            "applied": self._applied(replica),
        }

    def _raise_if_over(self) -> None:
        if self._loop is None:
            raise RuntimeError("not connected: use `async with connect(...) as client`")
        for task in self._tasks:
            if task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    if (bug := task.exception()) is not None:
                        raise bug
                raise RuntimeError("the client is closed")

    def _why_not_synced(self) -> str:
        names = self.topics
        if not names:
            return f"no server has welcomed this client; {self._trouble()}"
        open_topics = [name for name in names if name not in self._health or not self._health[name].is_synced]
        states = (f"{name} ({self._health[name].state})" if name in self._health else name for name in open_topics)
        return f"not in sync: {', '.join(states)}; {self._trouble()}"

    def _trouble(self) -> str:
        return "no error seen" if self.last_error is None else f"last error: {self.last_error}"

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._waiters.wake())

    def _now(self) -> float:
        # Views may be read after the client was left, when no loop runs: its clock still answers.
        return 0.0 if self._loop is None else self._loop.time()
