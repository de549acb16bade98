"""One replica of the server: its cache fed from Truth by hand, its fan-out to in-memory outlets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgpack

from tests.kit.dictionaries import dictionary
from tests.kit.truth import ATTRIBUTES, CONVERTERS, Item, Life, State, Truth
from typha.cache.catalog import Catalog
from typha.cache.keeping import is_keepable, keep, restore
from typha.cache.topic import Topic
from typha.downstream.dictionaries import Dictionaries
from typha.downstream.fan_out import FanOut
from typha.downstream.feed_view import FeedViews
from typha.downstream.settings import DownstreamSettings
from typha.downstream.training import Trained
from typha.downstream.verification import verify
from typha.upstream.warmth import Warmth
from typha.warm_start.codec import KeptFile, decode, encode
from typha.wire.states import TopicState

WHOLE_ROUNDS = DownstreamSettings(round_budget_s=1e9, max_age_s=0)


class Clock:
    """Time moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def dress(form: str, value: bytes) -> bytes:
    """The value in that form of a converter."""
    return value if form == "1" else msgpack.packb([form, value])


def state_in_form(form: str, state: State) -> State:
    """The same state as a replica of that form holds it."""
    return state if form == "1" else {key: dress(form, value) for key, value in state.items()}


class Server:
    """See the module. ``form`` is that of all topics; another than "1" gives other values at the same rv."""

    def __init__(
        self,
        name: str,
        truth: Truth,
        clock: Clock,
        *,
        tombstones: int = 3,
        settings: DownstreamSettings = WHOLE_ROUNDS,
    ) -> None:
        self.name = name
        self.truth = truth
        self.clock = clock
        self.tombstones = tombstones
        self.settings = settings
        self.form = "1"
        self.file = b""
        self.starts = 0
        self.start()

    def start(self) -> None:
        """A fresh process: nothing is remembered but its name."""
        self.starts += 1
        self.catalog = Catalog(
            [
                Topic("pods", 0, form=self.form, attributes=ATTRIBUTES, tombstone_limit=self.tombstones),
                Topic("hosts", 1, form=self.form, attributes=ATTRIBUTES, keys_of=None, tombstone_limit=self.tombstones),
                Topic(
                    "pools",
                    2,
                    form=self.form,
                    attributes=ATTRIBUTES,
                    keys_of=None,
                    may_be_contested=lambda name, key: True,
                    tombstone_limit=self.tombstones,
                ),
            ],
            salt=bytes([ord(self.name[0]) % 256, self.starts % 256]) * 4,
        )
        self.watched = 0  # events up to this rv have been applied
        self.epoch = self.truth.epoch
        self.catalog.set_cluster(f"uid/{self.epoch}", self.clock.now)
        feeds = {"felix": tuple(self.catalog.topics), "bgp": ("pods",)}
        self.views = FeedViews(feeds, self.catalog.topics, clock=self.clock, wake=lambda: None)
        self.fan_out = FanOut(
            self.catalog, self.settings, clock=self.clock, wake=lambda: None, views=self.views, verify=verify
        )
        self.dictionaries = Dictionaries()
        self._numbers = itertools.count(1)
        self._running: Iterator[None] | None = None

    def keep(self) -> None:
        """The file of a warm start, as of now; the one of before stays where a topic is not complete."""
        if all(map(is_keepable, self.topics)):
            forms = {topic.name: topic.form for topic in self.topics}
            kept = KeptFile(self.catalog.cluster or "", 0.0, forms, [keep(topic) for topic in self.topics])
            self.file = b"".join(encode(kept, {}))

    def start_warm(self) -> bool:
        """A fresh process with the file; False where it is of no use."""
        self.start()
        kept = decode(self.file, {}) if self.file else None
        forms = {topic.name: topic.form for topic in self.topics}
        if kept is None or kept.cluster != self.catalog.cluster or kept.forms != forms or self.truth.is_absent:
            return False
        for topic in kept.topics:
            restore(self.catalog.topics[topic.name], topic, self.clock.now, "from a file")
            self.watched = topic.head
        return True

    @property
    def pods(self) -> Topic:
        return self.catalog.topics["pods"]

    @property
    def topics(self) -> list[Topic]:
        return list(self.catalog.topics.values())

    @property
    def life(self) -> Life:
        """The life of the cluster that this replica knows."""
        return self.truth.lives[self.epoch]

    @property
    def is_absent(self) -> bool:
        return self.pods.state is TopicState.ABSENT

    @property
    def has_listed(self) -> bool:
        return self.pods.has_state and not self.is_absent

    @property
    def is_of_this_life(self) -> bool:
        return self.epoch == self.truth.epoch

    def _dressed(self, items: Sequence[Item]) -> list[Item]:
        return [(key, dress(self.form, value), attributes) for key, value, attributes in items]

    # --- upstream

    def relist(self, at: int | None = None) -> None:
        """A list at revision ``at`` (a first one is a consistent read: the newest). Raises RestoredError."""
        if self.truth.is_absent:
            self.absent()
            return
        at = at if at is not None and self.pods.has_synced and not self.is_absent else self.truth.rv
        for topic in self.topics:
            loading = topic.begin_list()
            for name, (rv, body) in sorted(self.truth.life.states[at].items()):
                items = CONVERTERS[topic.name](name, body)
                if items is None:
                    loading.quarantine(name, rv, "bad value")
                else:
                    loading.put(name, rv, self._dressed(items))
            loading.commit(at, self.clock.now)
        self.watched = at

    def watch(self, count: int = 10**6, *, probed: int | None = None) -> None:
        """Apply the next events of an unbroken watch. ``probed``: what its probe showed (None: the newest)."""
        if not self.has_listed or not self.is_of_this_life:
            return
        Warmth(self.topics).probed(self.truth.rv if probed is None else probed, self.clock.now)
        pending = [event for event in self.truth.events if event.rv > self.watched]
        for event in pending[:count]:
            for topic in self.topics:
                if event.body is None:
                    topic.delete(event.name, event.rv, self.clock.now)
                elif (items := CONVERTERS[topic.name](event.name, event.body)) is None:
                    topic.quarantine(event.name, event.rv, "bad value", self.clock.now)
                else:
                    topic.put(event.name, event.rv, self._dressed(items), self.clock.now)
            self.watched = event.rv

    def bookmark(self, lag: int = 0) -> None:
        """The API server (``lag`` revisions behind) says that nothing else happened up to the next event."""
        if not self.has_listed or not self.is_of_this_life:
            return
        later = [event.rv for event in self.truth.events if event.rv > self.watched]
        rv = min(later[0] - 1 if later else self.truth.rv, self.truth.rv - lag)
        for topic in self.topics:
            topic.advance(rv, self.clock.now)

    def notice_restore(self) -> None:
        """The probe found the revision below the head: a new life."""
        self.epoch = self.truth.epoch
        self.watched = 0
        self.catalog.set_cluster(f"uid/{self.epoch}", self.clock.now)

    def absent(self) -> None:
        """The resource does not exist."""
        for topic in self.topics:
            topic.set_absent(self.clock.now, "no such resource")
        self.watched = 0

    # --- downstream

    def train(self, topic: str) -> None:
        """A new dictionary for this topic, better than the last."""
        number = next(self._numbers)
        home = self.dictionaries.of(self.catalog.topics[topic])
        home.trained(Trained(dictionary(number), 1000.0, None, 1000.0 - number))

    def round(self) -> None:
        """One whole round, or the rest of the one that is under way."""
        for _ in self._running or self.fan_out.round():
            pass
        self._running = None

    def step(self) -> bool:
        """A round up to its next yield; True where it is not over."""
        if self._running is None:
            self._running = self.fan_out.round()
        for _ in self._running:
            return True
        self._running = None
        return False

    def settle(self) -> None:
        """Rounds until nothing is left to do."""
        for _ in range(200):
            if self._running is None and not self.fan_out.has_work:
                return
            self.round()
        raise AssertionError(f"server {self.name} never comes to rest")
