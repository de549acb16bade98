"""The loop of one source: discover, list, watch, recover.

Place: between `lister_watcher` (bytes) and `ingest` (topics); the app runs one per source in its TaskGroup.

        DISCOVER --> LIST --> WATCH --+--> (ended as agreed) WATCH
           ^          ^         ^     |
           |          |         |     v any error: one row of the recovery table
         ABSENT     relist    PROBE <-+

Invariants
1. One step at a time changes the topics; a list is applied when it is complete, or not at all.
2. A watch resumes after a lost connection only behind a probe that shows at least `head`: a watch above the version
   of a restored server would wait in silence and later go on as if nothing had been.
3. Topics that were never complete are `waiting` or `syncing`; what was complete keeps its data through every failure.
4. Every error has one recovery (`recovery`), every outage one warning (`outage`).

Road not taken: kubernetes_asyncio's Watch, informers with a store of their own; the topics are the store.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from typha.cache.errors import OutOfOrderError, RestoredError
from typha.cache.topic import Topic
from typha.convert.converter import Converter
from typha.upstream.api_session import ApiSession
from typha.upstream.chunks import Chunks
from typha.upstream.clock import Clock
from typha.upstream.discovery import discover
from typha.upstream.errors import (
    BadAnswerError,
    ConnectionLostError,
    CredentialsError,
    DiscoveryFailedError,
    RequestError,
    ResourceNotFoundError,
    UpstreamError,
)
from typha.upstream.ingest import Ingest, ListIngest, Route
from typha.upstream.lister_watcher import ListerWatcher, reading_timeout
from typha.upstream.listing import load_initial_events, load_pages
from typha.upstream.loading_pace import CollectorPause
from typha.upstream.outage import Outage
from typha.upstream.pages import parse_page
from typha.upstream.positions import Positions
from typha.upstream.recovery import Backoff, Recoveries, Recovery
from typha.upstream.resources import Resource, Source
from typha.upstream.settings import Settings
from typha.upstream.shared_probe import SharedProbe
from typha.upstream.statistics import ReflectorStatistics, State
from typha.upstream.warmth import Warmth
from typha.upstream.watch_session import WatchSession
from typha.wire.states import TopicState

__all__ = ["Reflector", "Target"]

# A watch that the server ends sooner and without a word did not end as agreed; asking again at once would spin.
_SHORT_WATCH_S = 1.0


class Target(NamedTuple):
    """A topic that the source feeds, and its converter once the resource is known."""

    topic: Topic
    make_converter: Callable[[Resource], Converter]


class Reflector:
    """See the module. `random` gives numbers in [0, 1); `on_restored` is called with the proof when etcd went back."""

    def __init__(
        self,
        session: ApiSession,
        source: Source,
        targets: Sequence[Target],
        *,
        clock: Clock,
        random: Callable[[], float],
        on_restored: Callable[[str], None],
        settings: Settings | None = None,
        collector_pause: CollectorPause | None = None,
    ) -> None:
        self.source = source
        self.state = State.DISCOVER
        self._session = session
        self._targets = tuple(targets)
        self._topics = tuple(target.topic for target in targets)
        self._clock = clock
        self._random = random
        self._on_restored = on_restored
        self._settings = settings or Settings()
        self._collector_pause = collector_pause or CollectorPause()
        limits = self._settings
        backoff = Backoff(random, limits.backoff_first_s, limits.backoff_limit_s, limits.backoff_reset_s)
        self._recoveries = Recoveries(backoff)
        self._outage = Outage(str(source), limits.backoff_reset_s)
        self._resource: Resource | None = None
        self._positions = Positions()
        self._offers_watch_list = limits.watch_list
        self._list_owed = True
        self._list_consistent = True
        self._list_was_silent = False
        self._missing_since_at: float | None = None
        self._warmth = Warmth(self._topics)
        self._step: asyncio.Task[State] | None = None
        self._restart_asked = False
        self._probing = SharedProbe(f"probe {source}", self._probe)
        self._counts: Counter[str] = Counter()
        # Set by _discover, before any list.
        self._lister_watcher: ListerWatcher
        self._ingest: Ingest | None = None

    # --- for the app

    async def run(self) -> None:
        """Until cancelled. Raises nothing that upstream can cause."""
        try:
            while True:
                self._step = asyncio.create_task(self.step(), name=f"reflector {self.source}")
                try:
                    self.state = await self._step
                except asyncio.CancelledError:
                    current = asyncio.current_task()
                    if not self._restart_asked or (current is not None and current.cancelling()):
                        raise
                    self.state = State.DISCOVER
                self._restart_asked = False
        finally:
            self._probing.cancel()

    def restart(self) -> None:
        """The cluster has a new life and the topics were emptied: drop what is under way and list anew."""
        self._list_owed = self._list_consistent = True
        self._positions = Positions()
        self._ingest = None
        self._missing_since_at = None
        self._offers_watch_list = self._settings.watch_list
        self._restart_asked = self._step is not None and not self._step.done()
        if self._restart_asked and self._step is not None:
            self._step.cancel()

    async def probe(self) -> int:
        """The server's present version, read consistently; calls at one time share a request.

        Raises UpstreamError; RestoredError (after `on_restored`) where it is below `head`.
        """
        probing = self._probing.join()
        try:
            return await asyncio.shield(probing)
        except RestoredError as error:
            if self._probing.claim(probing):
                self._on_restored(str(error))
            raise

    def statistics(self) -> ReflectorStatistics:
        """Numbers of this moment."""
        counts = self._counts
        return ReflectorStatistics(
            source=str(self.source),
            state=self.state,
            resource=self._resource,
            topics=tuple(topic.name for topic in self._topics),
            lists=counts["list"],
            relists=counts["relist"],
            watches=counts["watch"],
            events=counts["event"],
            bookmarks=counts["bookmark"],
            probes=counts["probe"],
            failures=dict(self._outage.failures),
            unreadable=0 if self._ingest is None else self._ingest.unreadable_total,
            last_error=self._outage.last_error,
            outage_since_at=self._outage.since_at,
        )

    # --- one step

    async def step(self) -> State:
        """Do what `state` says, or recover from what came of it; the next state."""
        if self._ingest is None and self.state is not State.ABSENT:
            self.state = State.DISCOVER
        try:
            match self.state:
                case State.DISCOVER:
                    return await self._discover()
                case State.LIST:
                    return await self._list()
                case State.PROBE:
                    self._warmth.probed(await self._probe(), self._clock.now())
                    return State.WATCH
                case State.WATCH:
                    return await self._watch()
                case State.ABSENT:
                    return await self._await_resource()
        except (UpstreamError, OutOfOrderError, RestoredError) as error:
            return await self._recover(error)

    async def _discover(self) -> State:
        resource = await discover(self._session, self.source.resource, reading_timeout(self._settings))
        if self.source.namespace and not resource.namespaced:
            raise DiscoveryFailedError(
                "discovery", f"{resource.plural} have no namespace: remove namespace {self.source.namespace!r}"
            )
        self._resource = resource
        self._lister_watcher = ListerWatcher(self._session, resource, self.source, self._settings)
        routes = [Route(target.make_converter(resource), target.topic) for target in self._targets]
        for converter, topic in routes:
            if topic.form != converter.form:
                # Only where the configuration leaves the version to discovery: other values, so no cursor holds.
                topic.form = converter.form
                topic.restart(self._clock.now(), f"served in version {resource.version}")
        self._ingest = Ingest(routes, self._positions)
        self._list_owed = not self._warmth.is_on
        return State.LIST if self._list_owed else State.PROBE

    async def _list(self) -> State:
        ingest = self._require_ingest()
        if not self._has_synced():
            self._set_state(TopicState.SYNCING, "listing")
        consistent = not self._has_synced() or self._list_consistent or self._positions.is_ordered is False
        not_older_than = "" if consistent else str(ingest.head)
        self._counts["list"] += 1
        if self._offers_watch_list:
            return await self._list_and_watch(ingest, not_older_than)
        with self._collector_pause, ingest.begin_list() as loading:
            list_rv = await load_pages(self._lister_watcher, loading, not_older_than, self._settings.load_budget_s)
            self._commit(loading, list_rv)
        return State.WATCH

    async def _list_and_watch(self, ingest: Ingest, not_older_than: str) -> State:
        asked_at = self._clock.now()
        async with self._lister_watcher.watch_list(not_older_than, self._watch_timeout_s()) as chunks:
            session = self._watch_session(chunks, ingest)
            with self._collector_pause, ingest.begin_list() as loading:
                was_silent, self._list_was_silent = self._list_was_silent, True
                list_rv = await load_initial_events(session, loading, was_silent=was_silent)
                self._commit(loading, list_rv)
            return await self._follow(session, asked_at)

    def _commit(self, loading: ListIngest, list_rv: str) -> None:
        was_synced = self._has_synced()
        try:
            rv = self._positions.number(list_rv)
        except ValueError as error:
            raise BadAnswerError("list", f"the list: {error}") from None
        loading.commit(rv, self._clock.now())
        self._positions.reached(list_rv)
        if self._positions.is_ordered is False:
            for topic in self._topics:
                topic.mark_unordered()
        if was_synced:
            self._counts["relist"] += 1
        else:
            self._collector_pause.loaded(loading.objects)
        self._list_owed = self._list_consistent = False
        self._list_was_silent = False
        self._served()

    async def _watch(self) -> State:
        ingest = self._require_ingest()
        rv = self._positions.cursor if self._positions.is_ordered is False else str(ingest.head)
        asked_at = self._clock.now()
        if (timeout_s := self._warmth.watch_timeout_s(self._watch_timeout_s())) is None:
            return State.LIST
        async with self._lister_watcher.watch(rv, timeout_s) as chunks:
            self._contact()
            self._served()
            return await self._follow(self._watch_session(chunks, ingest), asked_at)

    async def _follow(self, session: WatchSession, asked_at: float) -> State:
        self.state = State.WATCH  # of a streamed list too
        self._counts["watch"] += 1
        await session.follow()
        # Counted from the request on: the server's own time limit starts before its answer is here.
        short_s = min(_SHORT_WATCH_S, self._settings.watch_timeout_s[0] / 2)
        if self._clock.now() - asked_at < short_s and not session.has_events:
            raise ConnectionLostError("watch", "the server ended the watch at once")
        return State.WATCH

    def _watch_session(self, chunks: Chunks, ingest: Ingest) -> WatchSession:
        return WatchSession(
            chunks,
            ingest,
            clock=self._clock,
            settings=self._settings,
            probe=self._probe_in_silence,
            streamed=self._recoveries.streamed,
            counts=self._counts,
        )

    async def _probe_in_silence(self) -> None:
        await self._probe()
        self._contact()

    async def _probe(self) -> int:
        ingest = self._ingest
        if ingest is None:
            raise ConnectionLostError("probe", "the resource was not found yet")
        head = ingest.head
        page = parse_page(await self._lister_watcher.probe(), "probe")
        self._counts["probe"] += 1
        if self._positions.is_ordered is False:
            return ingest.head
        try:
            rv = self._positions.number(page.resource_version)
        except ValueError as error:
            raise BadAnswerError("probe", f"the list: {error}") from None
        # Not above what was known when the server was asked, nor what is known now (a restart empties the topics).
        known = min(head, ingest.head)
        if rv < known:
            raise RestoredError(self._topics[0].name, "the API server's resourceVersion", rv, known)
        return rv

    async def _await_resource(self) -> State:
        """After a 404: absent when discovery agrees twice, `absent_confirm_s` apart; over when it is served."""
        while True:
            try:
                await discover(self._session, self.source.resource, reading_timeout(self._settings))
            except ResourceNotFoundError as error:
                now = self._clock.now()
                if self._missing_since_at is None:
                    self._missing_since_at = now
                if now - self._missing_since_at >= self._settings.absent_confirm_s:
                    for topic in self._topics:
                        topic.set_absent(now, error.message)
            else:
                self._missing_since_at = None
                self._list_owed = self._list_consistent = True
                return State.DISCOVER
            await self._clock.sleep(self._settings.absent_poll_s * (0.5 + self._random()))

    # --- recovery

    async def _recover(self, error: UpstreamError | OutOfOrderError | RestoredError) -> State:
        now = self._clock.now()
        recovery, delay_s = self._recoveries.after(error, now)
        self._outage.failed(error, recovery, delay_s, now)
        self._mark(error, recovery, now)
        match recovery:
            case Recovery.PAGES:
                self._offers_watch_list = False
            case Recovery.RELIST:
                self._list_owed = True
            case Recovery.RELIST_CONSISTENT:
                self._list_owed = self._list_consistent = True
            case Recovery.NEW_LIFE:
                self._ingest = None
                self._list_owed = self._list_consistent = True
                self._on_restored(str(error))
        if delay_s:
            await self._clock.sleep(delay_s)
        if recovery is Recovery.REFRESH_CREDENTIALS:
            generation = error.generation if isinstance(error, RequestError) else 0
            try:
                await self._session.refresh(generation)
            except CredentialsError as failure:
                return await self._recover(failure)
        if recovery is Recovery.ABSENT or self._missing_since_at is not None:
            return State.ABSENT
        if self._ingest is None:
            return State.DISCOVER
        return State.LIST if self._list_owed else State.PROBE

    def _mark(self, error: Exception, recovery: Recovery, now: float) -> None:
        """What agents are told: nothing yet, or (rights were taken) that it is no longer kept up to date."""
        for topic in self._topics:
            if not topic.has_synced:
                topic.set_state(TopicState.SYNCING if topic.is_warm else TopicState.WAITING, now, str(error))
            elif recovery is Recovery.FORBIDDEN:
                topic.set_state(TopicState.STALE, now, str(error))

    def _served(self) -> None:
        now = self._clock.now()
        self._recoveries.served(now)
        self._outage.served(now)

    def _contact(self) -> None:
        now = self._clock.now()
        for topic in self._topics:
            topic.contact(now)

    def _set_state(self, state: TopicState, message: str) -> None:
        for topic in self._topics:
            if not topic.has_synced:
                topic.set_state(state, self._clock.now(), message)

    def _has_synced(self) -> bool:
        return all(topic.has_synced and topic.head for topic in self._topics)

    def _require_ingest(self) -> Ingest:
        if self._ingest is None:  # step() discovers first
            raise DiscoveryFailedError("discovery", "the resource was not found yet")
        return self._ingest

    def _watch_timeout_s(self) -> float:
        low_s, high_s = self._settings.watch_timeout_s
        return low_s + self._random() * (high_s - low_s)
