"""The one place where the parts meet; reads top to bottom as data flows.

    API server -> reflectors -> catalog of topics -> fan-out -> subscribers
                                      \\-> board -> health, metrics, status (on a thread of their own)

Everything runs in one TaskGroup: what fails where nobody expects it ends the process, and Kubernetes starts a new
one. SIGTERM drains and returns; SIGINT returns at once, with a Close to everybody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from typha import access, feeds
from typha.cache.catalog import Catalog
from typha.cache.packing import Packer
from typha.cache.topic import Topic
from typha.collector import Collector
from typha.config import Config
from typha.config.load import Loaded
from typha.downstream.server import Server
from typha.downstream.statistics import ServerStatistics
from typha.drop_in.figures import picture_of
from typha.drop_in.outside import Outside
from typha.drop_in.settings import DropIn
from typha.heap import UVLOOP_TLS_BUFFER_BYTES, Heap, map_large
from typha.loop_lag import LoopLag
from typha.machine import MemoryGuard, limit_of_cgroup, raise_file_limit, resident_bytes
from typha.observe import picture
from typha.observe.history import History
from typha.observe.http import ObserveServer
from typha.observe.identity import identity_of
from typha.observe.inquiries import Inquiries
from typha.observe.log import configure_logging
from typha.observe.quarantines import Quarantines
from typha.observe.status import Board, Status, SubscriberStatus, UpstreamStatus
from typha.reload import Reload
from typha.replicas.wiring import neighbours_of
from typha.signals import Signals
from typha.stage_settings import downstream_settings, upstream_settings
from typha.upstream.api_session import ApiSession
from typha.upstream.clock import MonotonicClock
from typha.upstream.cluster import cluster_name, next_life, read_cluster_uid
from typha.upstream.credentials import from_environment, load_configuration
from typha.upstream.errors import UpstreamError
from typha.upstream.kubernetes_client import Configuration
from typha.upstream.loading_pace import CollectorPause
from typha.upstream.recovery import Backoff
from typha.upstream.reflector import Reflector, Target
from typha.warm_start.keeper import WarmStart
from typha.wire.states import TopicState

log = logging.getLogger("typha.app")

_PUBLISH_S: Final = 1.0
# A probe that sees readiness a second late makes every rollout that much slower.
_PUBLISH_UNREADY_S: Final = 0.1
# A client's word starts a new life at most so often: a broken agent must not make everybody read snapshots.
_EVIDENCE_S: Final = 600.0


async def serve(
    config: Config,
    *,
    ready: Callable[[int], None] | None = None,
    drop_in: DropIn | None = None,
    load: Callable[[], Awaitable[Configuration]] | None = None,
    reload: Callable[[], Loaded] | None = None,
) -> None:
    """Serve until SIGTERM (drained) or SIGINT. ``ready`` gets the agents' port once it listens; ``reload`` reads the
    configuration anew on SIGHUP.

    Raises OSError and ObserveError (a port), CredentialsError, FeedsError, TlsError: all before the first agent.
    """
    load = load or (lambda: load_configuration(from_environment(os.environ)))
    async with ApiSession(load) as session:
        app = App(config, session, load, drop_in, reload)
        await app.run(ready)


class App:
    """The parts of one server process."""

    def __init__(
        self,
        config: Config,
        session: ApiSession,
        load: Callable[[], Awaitable[Configuration]],
        drop_in: DropIn | None = None,
        reload: Callable[[], Loaded] | None = None,
    ) -> None:
        self._config = config
        self._drop_in = drop_in
        self._load = load
        self._session = session
        self._started_at = time.monotonic()
        self._random = random.SystemRandom()
        self._uid: str | None = None
        self._life = config.life
        self._lives = 0
        self._evidence_at = -_EVIDENCE_S

        # upstream's view of the configuration, then the topics that it fills
        self._spec = feeds.of(config)
        topics = [
            Topic(
                spec.name,
                number,
                form=spec.form,
                attributes=spec.attributes,
                keys_of=spec.keys.keys_of,
                may_be_contested=spec.keys.may_be_contested,
                tombstone_limit=config.tombstones,
                make_packer=Packer if config.memory.compress_entries else None,
                now=self._started_at,
            )
            for number, spec in enumerate(self._spec.topics.values())
        ]
        self.catalog = Catalog(topics, salt=os.urandom(8), stale_after_s=config.timing.stale_after_s)
        self._upstream_settings = upstream_settings(config)
        pause = CollectorPause()
        self.reflectors = [
            Reflector(
                session,
                source,
                [Target(self.catalog.topics[spec.name], spec.make_converter) for spec in specs],
                clock=MonotonicClock(),
                random=self._random.random,
                on_restored=self._restored,
                settings=self._upstream_settings,
                collector_pause=pause,
            )
            for source, specs in self._spec.sources().items()
        ]

        folder = config.warm_start.folder
        self._warm = (
            WarmStart(config.warm_start, folder, self._spec, self.catalog, life=config.life) if folder else None
        )
        if self._warm is not None:
            self._warm.restore(time.monotonic(), time.time())

        # downstream's view
        self._loop = asyncio.get_running_loop()
        tls = access.tls_of(config, drop_in)
        if tls is not None and not isinstance(self._loop, asyncio.BaseEventLoop):
            map_large(UVLOOP_TLS_BUFFER_BYTES)
        self._downstream_settings = downstream_settings(config, drop_in)
        authentication = access.authentication_of(config, drop_in, self._spec)
        self.server = Server(
            self.catalog,
            self._spec.feeds,
            self._downstream_settings,
            probe=self._probe,
            on_restored=self._restored_by_client,
            tls=tls,
            authentication=authentication,
            review=access.review_of(config, session),
            calico_feeds={name: self._spec.feeds[name] for name in config.calico_feeds},
            verify=os.environ.get("TYPHA_VERIFY", "") not in ("", "0"),
            welcomed=Collector().tick,
        )

        self._neighbours = (
            neighbours_of(config, self.server, session, random=self._random.random) if drop_in is None else None
        )
        self._memory = MemoryGuard(config.limits.memory_mb << 20 or limit_of_cgroup())

        # the observers' view
        self._signals = Signals(self._loop, self._told_to_stop)
        self._reload = Reload(config, reload, self._retune)
        self._loop_lag = LoopLag(time.monotonic())
        self._build = picture.build(self._loop)
        self._address = str(config.listen)
        self._board = Board(time.monotonic)
        self._outside = Outside(drop_in, self._board, random=self._random.random) if drop_in is not None else None
        in_feeds = {name for names in self._spec.feeds.values() for name in names}
        self._required = {name: not in_feeds or name in in_feeds for name in self._spec.topics}
        self._history = History()
        inquiries = Inquiries(
            self.catalog.topics,
            each_subscriber=self.server.each_subscriber,
            publish=self._publish,
            secret=[spec.name for spec in self._spec.topics.values() if spec.source.resource.is_secret],
        )
        self._observer = ObserveServer(
            self._board,
            health=config.health,
            admin=config.admin,
            history=self._history,
            inquiries=inquiries,
            door=access.door_of(config, authentication, tls, self.server.identifying.reviews),
        )

    async def run(self, ready: Callable[[int], None] | None) -> None:
        """Until a signal. Returns after the drain."""
        raise_file_limit(self._config.limits.max_connections)
        self._publish()
        self._observer.start()
        try:
            if self._outside is not None:
                self._outside.start()
            port = await self.server.start(self._config.listen.host, self._config.listen.port)
            self._address = str(self._config.listen._replace(port=port))
            log.info(
                "serving",
                extra={
                    "listen": self._address,
                    "health": self._observer.health_port,
                    "admin": self._observer.admin_port,
                    "topics": len(self.catalog.topics),
                    "api_server": self._session.host,
                },
            )
            if ready is not None:
                ready(port)
            self._signals.install()
            self._reload.install(self._loop)
            async with asyncio.TaskGroup() as tasks:
                parts = [tasks.create_task(self.server.run()), tasks.create_task(self._publish_often())]
                parts.append(tasks.create_task(self._find_cluster()))
                parts.append(tasks.create_task(self._reload.run()))
                if self._warm is not None:
                    parts.append(tasks.create_task(self._warm.run()))
                parts.append(tasks.create_task(self._loop_lag.run(time.monotonic)))
                parts.extend(tasks.create_task(reflector.run()) for reflector in self.reflectors)
                if self._outside is not None:
                    outside = self._outside.run(
                        self._session,
                        self._load,
                        count_nodes=self._count_nodes,
                        connections=self.server.moves.movable,
                        shed=self.server.moves.shed,
                    )
                    parts.append(tasks.create_task(outside))
                if self._neighbours is not None:
                    parts.append(tasks.create_task(self._neighbours.run()))
                await self._signals.wait()
                if self._outside is not None:
                    parts.pop().cancel()
                pace = self._outside.drain_interval_s if self._outside is not None else None
                await self._signals.unless_now(self.server.drain(self._config.timing.drain_grace_s, pace))
                await self.server.close()
                if self._warm is not None:
                    await self._warm.write()
                for part in parts:
                    part.cancel()
        finally:
            if self._outside is not None:
                self._outside.stop()
            self._observer.stop()
        log.info("stopped")

    def _told_to_stop(self) -> None:
        self.server.is_draining = True
        self._publish()

    def _retune(self, config: Config, changed: frozenset[str]) -> None:
        """These settings are others from now on (`reload.LIVE`)."""
        self._config = config
        self._downstream_settings.take(downstream_settings(config, self._drop_in))
        self.server.fan_out.joiners.limit = config.limits.max_joiners
        self.catalog.stale_after_s = config.timing.stale_after_s
        self._memory.limit_bytes = config.limits.memory_mb << 20 or limit_of_cgroup()
        if "limits.max_connections" in changed:
            raise_file_limit(config.limits.max_connections)
        if changed & {"log.format", "log.level"}:
            configure_logging(config.log.format, config.log.level)

    # --- the cluster and its life

    async def _find_cluster(self) -> None:
        limits = self._upstream_settings
        backoff = Backoff(self._random.random, limits.backoff_first_s, limits.backoff_limit_s, limits.backoff_reset_s)
        while self._uid is None:
            try:
                self._uid = await read_cluster_uid(self._session, limits)
            except UpstreamError as error:
                log.warning("the cluster's identity is unknown; agents wait", extra={"error": str(error)})
                await asyncio.sleep(backoff.next_delay(time.monotonic()))
        if self.catalog.set_cluster(cluster_name(self._uid, self._life), time.monotonic()):
            log.warning("the files of the warm start are of another cluster; everything is listed")
            for reflector in self.reflectors:
                reflector.restart()

    def _restored(self, why: str) -> None:
        """etcd went back in time: a new life, and everything is read anew."""
        log.warning("the cluster has a new life", extra={"reason": why})
        self._lives += 1
        self._life = next_life(self._config.life, self._random.getrandbits(32))
        now = time.monotonic()
        if self._uid is not None:
            self.catalog.set_cluster(cluster_name(self._uid, self._life), now)
        else:
            for topic in self.catalog.topics.values():
                topic.restart(now)
        for reflector in self.reflectors:
            reflector.restart()

    def _restored_by_client(self, why: str) -> None:
        now = time.monotonic()
        if now - self._evidence_at >= _EVIDENCE_S:
            self._evidence_at = now
            self._restored(why)

    async def _probe(self, topic: str) -> int:
        for reflector in self.reflectors:
            if topic in reflector.statistics().topics:
                return await reflector.probe()
        raise LookupError(topic)

    def _count_nodes(self) -> int | None:
        """Nodes of the cluster, None while they are not in sync: what the size of a Typha's share follows from."""
        topic = self.catalog.topics.get("nodes")
        return None if topic is None or topic.state is not TopicState.IN_SYNC else topic.statistics().entries

    # --- what others may see

    async def _publish_often(self) -> None:
        heap = Heap(time.monotonic())
        quarantines = Quarantines()
        while True:
            self._publish()
            quarantines.tell(self.catalog.topics.values())
            self.server.connection_limits.joins_paused = self._memory.look(resident_bytes())
            heap.tick(time.monotonic())
            await asyncio.sleep(_PUBLISH_S if self.catalog.is_ready() else _PUBLISH_UNREADY_S)

    def _publish(self, subscribers: Sequence[SubscriberStatus] = ()) -> None:
        now = time.monotonic()
        stage = self.server.statistics()
        self._publish_figures(stage, now)
        self._board.publish(
            Status(
                build=self._build,
                uptime_s=now - self._started_at,
                loop_lag=picture.latency(self._loop_lag.histogram),
                topics=picture.topics(self.catalog, self._required, stage.subscribers_by_topic, now),
                server=picture.server(
                    stage,
                    address=self._address,
                    tls=self._config.tls.cert is not None,
                    max_connections=self._config.limits.max_connections,
                    share=self.server.share,
                    peers=self._neighbours.table.peers if self._neighbours is not None else (),
                    memory=(self._memory.limit_bytes, self.server.connection_limits.joins_paused),
                ),
                upstream=UpstreamStatus(
                    address=self._session.host,
                    cluster=self.catalog.cluster,
                    lives_total=self._lives,
                    reflectors=tuple(
                        picture.reflector(one, self._contact_at(one.topics), now)
                        for one in (reflector.statistics() for reflector in self.reflectors)
                    ),
                ),
                feeds=self._spec.feeds,
                identity=identity_of(self.server.tls, self.server.identifying.reviews),
                subscribers=tuple(subscribers),
            )
        )
        self._history.add(self._board.read())

    def _publish_figures(self, stage: ServerStatistics, now: float) -> None:
        if self._outside is not None:
            feeds, dropped = self.server.feeds(), self._outside.shedder.dropped
            self._outside.figures.publish(
                picture_of(stage, feeds, dropped=dropped, windows=self._outside.windows, now=now)
            )

    def _contact_at(self, topics: tuple[str, ...]) -> float | None:
        heard = [at for name in topics if (at := self.catalog.topics[name].contact_at) is not None]
        return max(heard, default=None)
