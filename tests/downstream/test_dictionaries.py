"""When a dictionary is trained, who is handed it, and what is compressed with it. Time is a number."""

from __future__ import annotations

import itertools

import pytest

from tests.downstream.endpoints import change, topic_of
from tests.downstream.talk import decoded
from tests.kit.client import Client
from tests.kit.dictionaries import dictionary
from tests.kit.small_steps import small_steps
from tests.kit.world import World
from typha.cache.topic import Topic
from typha.downstream.dictionaries import (
    PAYS_WITHIN_S,
    RETRAIN_S,
    Dictionaries,
    Handed,
    LiveEncoding,
    Traffic,
)
from typha.downstream.training import DICTIONARY_TO_BYTES, MIN_ENTRIES, SAMPLES, Trained, Training
from typha.wire import messages as m
from typha.wire.dictionaries import MAX_DICTIONARIES
from typha.wire.states import ZSTD, ZSTD_DICT

TAKES = (ZSTD, ZSTD_DICT)


def publish(dictionaries: Dictionaries, topic: Topic, count: int, now: float = 0.0, every_s: float = 0.0) -> float:
    """So many rounds with one change each, to a taker; the time after them."""
    for number in range(count):
        change(topic, number)
        dictionaries.of(topic).current.published(topic.log, now)
        now += every_s
    return now


def trained(dictionaries: Dictionaries, topic: Topic, now: float = 0.0) -> LiveEncoding:
    training = dictionaries.next_training(now)
    assert training is not None
    dictionaries.trained(training, training.run())
    return dictionaries.of(topic).current


# --- when it is trained


def test_trained_once_as_many_bytes_went_out_as_it_costs() -> None:
    """12 frames of 350 B: before, it could not have saved the 4 KB of the smallest dictionary."""
    dictionaries, topic = Dictionaries(), topic_of(100)
    publish(dictionaries, topic, 10)
    assert dictionaries.next_training(0.0) is None
    publish(dictionaries, topic, 3)
    training = dictionaries.next_training(0.0)
    assert isinstance(training, Training)
    assert (training.topic_id, training.dictionary_id) == (topic.id, 1)
    assert dictionaries.next_training(0.0) is None, "one at a time"


def test_not_trained_where_nobody_takes_dictionaries() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    for number in range(100):
        change(topic, number)
        dictionaries.zstd.published(topic.log, 0.0)
    assert dictionaries.next_training(0.0) is None


def test_not_trained_on_a_few_entries() -> None:
    dictionaries, topic = Dictionaries(), topic_of(MIN_ENTRIES - 1)
    publish(dictionaries, topic, 100)
    assert dictionaries.next_training(0.0) is None


def test_not_trained_where_changes_are_rare() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    now = publish(dictionaries, topic, 200, every_s=60.0)
    assert dictionaries.next_training(now) is None


def test_what_failed_is_tried_again_later() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    publish(dictionaries, topic, 50)
    training = dictionaries.next_training(0.0)
    assert training is not None
    dictionaries.trained(training, Trained(None, 450.0, None, 450.0))
    assert dictionaries.of(topic).current is dictionaries.of(topic).first
    publish(dictionaries, topic, 50, RETRAIN_S - 1)
    assert dictionaries.next_training(RETRAIN_S - 1) is None
    assert dictionaries.next_training(RETRAIN_S) is not None


def test_trained_anew_after_many_changes_but_not_soon() -> None:
    dictionaries, topic = Dictionaries(), topic_of(400)
    publish(dictionaries, topic, 50)
    first = trained(dictionaries, topic)
    publish(dictionaries, topic, SAMPLES - 1, RETRAIN_S)
    assert dictionaries.next_training(RETRAIN_S) is None, "nothing to learn yet"
    publish(dictionaries, topic, 1, RETRAIN_S)
    assert dictionaries.next_training(RETRAIN_S - 1) is None, "too soon"
    training = dictionaries.next_training(RETRAIN_S)
    assert training is not None
    dictionaries.trained(training, training.run())
    assert dictionaries.of(topic).current is first, "values are of the same kind: it stays"
    assert dictionaries.counters.trainings == 2


def test_replaced_where_values_became_of_another_kind() -> None:
    dictionaries, topic = Dictionaries(), topic_of(400)
    publish(dictionaries, topic, 50)
    first = trained(dictionaries, topic)
    for number in range(SAMPLES):
        change(topic, number, "virtual-machine")
        first.published(topic.log, RETRAIN_S)
    second = trained(dictionaries, topic, RETRAIN_S)
    assert second is not first
    assert second.single_bytes < 0.75 * first.single_bytes, "what it gives now, not what it gave"
    assert first.successor(topic.log, RETRAIN_S) is second


def test_ids_are_unique_among_topics() -> None:
    dictionaries, topics = Dictionaries(), [topic_of(100, number) for number in range(3)]
    for topic in topics:
        publish(dictionaries, topic, 50)
    found = [trained(dictionaries, topic) for topic in topics]
    assert [each.dictionary.dictionary_id for each in found if each.dictionary is not None] == [1, 2, 3]


# --- who is handed it


def given(dictionaries: Dictionaries, topic: Topic, *, content: int = 4096, saves: float = 300.0) -> LiveEncoding:
    """A dictionary of that size that saves so much of each frame."""
    home = dictionaries.of(topic)
    number = next(dictionaries._ids)
    home.trained(Trained(dictionary(number), 450.0, None, 450.0 - saves))
    home.current.introduction = bytes(content)
    return home.current


def test_handed_over_where_the_last_minutes_would_have_paid_for_it() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    first, current = dictionaries.of(topic).first, given(dictionaries, topic)
    for number in itertools.count(1):
        change(topic, number)
        if first.published(topic.log, 0.0) is current:
            break
    assert number == 14, "14 x 300 B are 4,200"
    assert first.successor(topic.log, 0.0) is current
    assert first.successor(topic.log, 2 * PAYS_WITHIN_S) is first, "quiet for long"


def test_not_handed_over_to_who_reads_a_quiet_filter() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    given(dictionaries, topic)
    publish(dictionaries, topic, 100)
    quiet = topic_of(1).log
    assert dictionaries.of(topic).first.successor(quiet, 0.0) is dictionaries.of(topic).first
    dictionaries.of(topic).first.published(quiet, 0.0)
    assert dictionaries.of(topic).first.successor(quiet, 0.0) is dictionaries.of(topic).first


def test_who_moves_because_it_pays_finds_that_it_still_does() -> None:
    """The last of thousands of readers moves a second after the round that decided it."""
    dictionaries, topic = Dictionaries(), topic_of(100)
    first, current = dictionaries.of(topic).first, given(dictionaries, topic, content=4200)
    publish(dictionaries, topic, 14)
    assert first.published(topic.log, 0.0) is current
    assert dictionaries.of(topic).best(topic.log, first, 1.0) is first
    assert first.successor(topic.log, 1.0) is current


def test_a_frame_in_two_encodings_counts_once() -> None:
    traffic = Traffic()
    for through in (5, 5, 6):
        traffic.observe(through, 0.0)
    assert traffic.frames(0.0) == 2
    assert traffic.frames(PAYS_WITHIN_S) == pytest.approx(2 / 2.71828, rel=1e-4)
    assert traffic.frames(-5.0) == 2, "a clock never runs backwards"


def test_a_fifth_topic_stays_in_plain_zstd() -> None:
    dictionaries = Dictionaries()
    topics = [topic_of(100, number) for number in range(MAX_DICTIONARIES + 1)]
    handed = Handed(dictionaries)
    for place, topic in enumerate(topics):
        current = given(dictionaries, topic)
        publish(dictionaries, topic, 20)
        frames = handed.choose(topic, topic.log, 0.0, MAX_DICTIONARIES)
        is_last = place == MAX_DICTIONARIES
        assert frames == ([] if is_last else [current.introduction])
        assert handed.of(topic) is (dictionaries.zstd if is_last else current)
        assert handed.choose(topic, topic.log, 0.0, MAX_DICTIONARIES) == []
    assert dictionaries.counters.handed_over == MAX_DICTIONARIES


def test_a_new_one_takes_the_place_of_the_old_one() -> None:
    """The end of the old one first: the peer never holds more than four."""
    dictionaries, topic = Dictionaries(), topic_of(100)
    handed = Handed(dictionaries)
    publish(dictionaries, topic, 100)
    old = given(dictionaries, topic)
    assert handed.choose(topic, topic.log, 0.0, 1) == [old.introduction]
    new = given(dictionaries, topic, saves=400.0)
    end, begin = handed.choose(topic, topic.log, 0.0, 1)
    assert decoded(end) == [m.Dictionary(1, b"")]
    assert begin == new.introduction
    assert handed.of(topic) is new


def test_the_old_one_stays_where_the_new_one_does_not_pay() -> None:
    dictionaries, topic = Dictionaries(), topic_of(100)
    handed = Handed(dictionaries)
    publish(dictionaries, topic, 20)
    old = given(dictionaries, topic)
    handed.choose(topic, topic.log, 0.0, 4)
    given(dictionaries, topic, saves=301.0)
    assert handed.choose(topic, topic.log, 0.0, 4) == []
    assert handed.of(topic) is old


# --- what is compressed with it


def test_large_frames_go_without() -> None:
    dictionaries, topic = Dictionaries(), topic_of(400)
    publish(dictionaries, topic, 50)
    current = trained(dictionaries, topic)
    entries = list(topic.log.entries.values())
    current.encode_changes(0, 3, 5, entries[:1], [])
    assert (dictionaries.counters.dictionary.frames, dictionaries.counters.zstd.frames) == (1, 0)
    large = current.encode_changes(0, 3, 5, entries, [])
    assert (dictionaries.counters.dictionary.frames, dictionaries.counters.zstd.frames) == (1, 1)
    assert dictionaries.counters.zstd.bytes_before > DICTIONARY_TO_BYTES
    assert decoded(large) == decoded(dictionaries.zstd.encode_changes(0, 3, 5, entries, []))


def test_small_frames_shrink_where_zstd_alone_gains_nothing() -> None:
    dictionaries, topic = Dictionaries(), topic_of(400)
    publish(dictionaries, topic, 50)
    before = dictionaries.of(topic).first.encode_changes(0, 3, 5, [next(reversed(topic.log.entries.values()))], [])
    after = trained(dictionaries, topic).encode_changes(0, 3, 5, [next(reversed(topic.log.entries.values()))], [])
    assert len(after) < len(before) / 3


# --- with subscribers


def test_joiners_movers_and_old_clients_hold_the_same() -> None:
    """Two takers share each frame; who joins later, or takes no dictionary, is served beside them."""
    with small_steps(frame_bytes=1000):
        world = World()
        for number in range(6):
            world.put(f"p{number}")
        takers = [world.joined(world.a, "hosts", compression=TAKES) for _ in range(2)]
        others = [world.joined(world.a, "hosts", compression=offered) for offered in ((), (ZSTD,))]
        world.a.train("hosts")
        _write(world, 3)
        late = world.joined(world.a, "hosts", compression=TAKES)
        counted = world.a.dictionaries.counters.dictionary
        before = counted.frames
        _write(world, 5)
        assert counted.frames == before + 5, "once for all three"
        assert [_handed_over(client) for client in (*takers, late)] == [[1], [1], []]
        world.a.train("hosts")
        _write(world, 3)
        assert [_handed_over(client)[-2:] for client in (*takers, late)] == [[1, 2]] * 3, "its end, then the next"
        assert [_handed_over(client) for client in others] == [[], []]
        world.quiesce()
        copies = [client.held for client in world.clients]
        assert copies == [copies[0]] * 5


def test_who_comes_back_is_handed_it_again() -> None:
    with small_steps(frame_bytes=1000):
        world = World()
        world.put("a")
        client = world.joined(world.a, "hosts", compression=TAKES)
        world.a.train("hosts")
        _write(world, 2)
        client.take_frames()
        world.move(client, world.a)
        _write(world, 1)
        assert _handed_over(client) == [1]
        world.quiesce()


def test_who_lags_is_not_handed_it_again() -> None:
    with small_steps(frame_bytes=1000):
        world = World()
        world.put("a")
        client = world.joined(world.a, "hosts", compression=TAKES)
        world.a.train("hosts")
        _write(world, 2)
        assert _handed_over(client) == [1]
        client.pace(is_slow=True)
        for _ in range(3):
            world.put("a", 1)
            world.sync(world.a)
        client.pace(is_slow=False)
        _write(world, 2)
        assert _handed_over(client) == [1]
        world.quiesce()


def _write(world: World, count: int) -> None:
    """So many rounds of 8 changes."""
    for _ in range(count):
        for _ in range(4):
            world.put(f"p{world.truth.rv % 6}", world.truth.rv % 2, f"n{world.truth.rv % 5}", ("x", "y"))
        world.sync(world.a)
        world.deliver()


def _handed_over(client: Client) -> list[int]:
    return [frame.dictionary_id for frame in client.frames if isinstance(frame, m.Dictionary)]
