"""Which of a topic's frames are compressed with a dictionary of its own, and when it is trained anew.

Place: subscribers who offered ``zstd-dict`` read the shared frames of a log in a ``LiveEncoding``. It has no dictionary
at first; when another one pays, the fan-out moves the readers of that stream into the stream of the other encoding, as
whoever joins comes into one. Everything that a subscriber reads by itself (snapshots, catch-ups) is plain zstd.

Invariants
1. An encoding names one dictionary for ever. Who is in a group of its streams was handed that one before.
2. ``now``, a log and its entries come in; a ``Training`` goes out, runs on a thread and comes back. Nothing here waits.
3. A dictionary is handed over where the last ``PAYS_WITHIN_S`` would have paid for it, and never because it exists: for
   an agent that reads the few pods of its node it would cost more than all that it saves.
4. Ids are unique within a server, and so within each of its connections.

Roads not taken: a ratio that is watched and calls for a training (it also moves with the number of changes in a frame;
a fresh dictionary, measured on the same entries, needs no guess), dictionaries per filter (they would share no bytes of
the memory that they take; the values of a topic are alike).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import exp
from typing import Final
from weakref import WeakKeyDictionary

from typha.cache.log import Log
from typha.cache.topic import Topic
from typha.downstream.encodings import NativeEncoding, ZstdEncoding
from typha.downstream.statistics import CompressionCounters
from typha.downstream.training import (
    DICTIONARY_TO_BYTES,
    MIN_ENTRIES,
    SAMPLES,
    SIZES_BYTES,
    Trained,
    Training,
    samples_of,
)
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.compression import Dictionary

# A connection moves on after 30 minutes (max_age_s): one of average age has three times this before it.
PAYS_WITHIN_S: Final = 300.0
# A stream whose readers move because it pays must not stop to pay before the last of them has moved.
HYSTERESIS: Final = 0.5
# 75 ms on a thread; values of a topic change their kind with rollouts and upgrades, not with seconds.
RETRAIN_S: Final = 600.0


class LiveEncoding(ZstdEncoding):
    """Shared frames of one topic for who takes dictionaries. ``introduction`` is the frame that hands its own over.

    ``single_bytes``: mean size of a frame of one change.
    """

    def __init__(self, home: TopicDictionaries, dictionary: Dictionary | None, single_bytes: float) -> None:
        super().__init__(home.counters.dictionary, dictionary)
        self.single_bytes = single_bytes
        self.introduction = b""
        if dictionary is not None:
            self.introduction = encode_message(m.Dictionary(dictionary.dictionary_id, dictionary.content))
        self._home = home

    def pack(self, frame: bytes) -> bytes:
        """With the dictionary up to the size where that pays."""
        if self.dictionary is None or len(frame) > DICTIONARY_TO_BYTES:
            return self._home.zstd.pack(frame)
        return super().pack(frame)

    def published(self, log: Log, now: float) -> LiveEncoding:
        """See Dialect."""
        self._home.observe(log, now)
        return self._home.best(log, self, now)

    def successor(self, log: Log, now: float) -> LiveEncoding:
        """See NativeEncoding."""
        return self._home.best(log, self, now, HYSTERESIS)


class Traffic:
    """Frames of one log in about the last ``PAYS_WITHIN_S``: each counts less the longer it is ago."""

    __slots__ = ("_at", "_frames", "_through")

    def __init__(self) -> None:
        self._at = 0.0
        self._frames = 0.0
        self._through = -1

    def observe(self, through: int, now: float) -> None:
        """A frame up to there; the same one in another encoding does not count again."""
        if through != self._through:
            self._frames, self._at, self._through = self.frames(now) + 1, now, through

    def frames(self, now: float) -> float:
        """How many they are by now."""
        return self._frames * exp(-max(0.0, now - self._at) / PAYS_WITHIN_S)


def repays(frames: float, saved_bytes: float, cost_bytes: float) -> bool:
    """Whether so much saved on each of these frames is worth the cost."""
    return frames * saved_bytes >= cost_bytes


class TopicDictionaries:
    """One topic: the encoding in which takers of dictionaries begin, and the one with the newest dictionary."""

    def __init__(self, topic: Topic, zstd: ZstdEncoding, counters: CompressionCounters) -> None:
        self.zstd = zstd
        self.counters = counters
        self.first = self.current = LiveEncoding(self, None, 0.0)
        self.is_training = False
        self._topic = topic
        self._traffic: WeakKeyDictionary[Log, Traffic] = WeakKeyDictionary()
        self._wants = False
        self._puts_trained = 0
        self._trained_at = -RETRAIN_S

    def observe(self, log: Log, now: float) -> None:
        """A frame of this log went to takers of dictionaries."""
        traffic = self._traffic.get(log)
        if traffic is None:
            traffic = self._traffic[log] = Traffic()
        topic = self._topic
        traffic.observe(topic.head, now)
        if self._wants or len(topic.log.entries) < MIN_ENTRIES:
            return
        if self.current is self.first:
            # No dictionary saves more than everything: before, none is worth a training.
            mean_bytes = topic.value_bytes / len(topic.log.entries)
            self._wants = repays(traffic.frames(now), mean_bytes, SIZES_BYTES[0])
        else:
            self._wants = topic.puts_total - self._puts_trained >= SAMPLES

    def best(self, log: Log, held: LiveEncoding, now: float, share: float = 1.0) -> LiveEncoding:
        """The encoding for a reader of this log who reads in ``held``: the newest dictionary's where the last
        ``PAYS_WITHIN_S`` pay for that share of it.
        """
        newest, traffic = self.current, self._traffic.get(log)
        if newest is held or traffic is None:
            return held
        saved = held.single_bytes - newest.single_bytes
        return newest if repays(traffic.frames(now), saved, share * len(newest.introduction)) else held

    def next_training(self, now: float, ids: Iterator[int]) -> Training | None:
        """Begin to train, where that is wanted and not too soon; give the answer to ``trained``."""
        if not self._wants or self.is_training or now - self._trained_at < RETRAIN_S:
            return None
        topic = self._topic
        self.is_training, self._trained_at, self._puts_trained = True, now, topic.puts_total
        return Training(topic.id, samples_of(topic.log), self.current.dictionary, next(ids))

    def trained(self, found: Trained) -> None:
        """Take it where it is better than what is in use."""
        self.is_training = self._wants = False
        self.first.single_bytes = found.without_bytes
        if found.current_bytes is not None:
            self.current.single_bytes = found.current_bytes
        if found.dictionary is not None:
            self.current = LiveEncoding(self, found.dictionary, found.single_bytes)


class Dictionaries:
    """Of all topics of one server, with what they share: plain zstd, counters, ids."""

    def __init__(self) -> None:
        self.counters = CompressionCounters()
        self.zstd = ZstdEncoding(self.counters.zstd)
        self._topics: dict[int, TopicDictionaries] = {}
        self._ids = count(1)

    def of(self, topic: Topic) -> TopicDictionaries:
        """Those of one topic."""
        found = self._topics.get(topic.id)
        if found is None:
            found = self._topics[topic.id] = TopicDictionaries(topic, self.zstd, self.counters)
        return found

    def next_training(self, now: float) -> Training | None:
        """What should run on a thread now; None for nothing. One at a time is enough."""
        for home in self._topics.values():
            training = home.next_training(now, self._ids)
            if training is not None:
                return training
        return None

    def trained(self, training: Training, found: Trained) -> None:
        """The thread's answer."""
        self.counters.trainings += 1
        self._topics[training.topic_id].trained(found)


class Handed:
    """Which encoding one session has of each topic, and so which dictionaries its peer holds."""

    __slots__ = ("_encodings", "_home")

    def __init__(self, home: Dictionaries) -> None:
        self._home = home
        self._encodings: dict[int, NativeEncoding] = {}

    def of(self, topic: Topic) -> NativeEncoding:
        """The encoding of this topic's shared frames."""
        return self._encodings.get(topic.id) or self._home.of(topic).first

    def choose(self, topic: Topic, log: Log, now: float, most: int) -> list[bytes]:
        """Settle the encoding of shared frames; gives the frames to send before the first of them."""
        held = self.of(topic)
        better = held.successor(log, now)
        if better is held:
            return []
        if held.dictionary is None and sum(each.dictionary is not None for each in self._encodings.values()) >= most:
            self._encodings[topic.id] = self._home.zstd  # for good: the others had reasons to come first
            return []
        self._encodings[topic.id] = better
        self._home.counters.handed_over += 1
        frames = [better.introduction] if isinstance(better, LiveEncoding) else []
        if held.dictionary is not None:
            frames.insert(0, encode_message(m.Dictionary(held.dictionary.dictionary_id, b"")))
        return frames
