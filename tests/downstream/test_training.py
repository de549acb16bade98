from __future__ import annotations

import random

from tests.downstream.endpoints import change, items_of, topic_of, value_of
from typha.cache.log import Entry
from typha.downstream.training import MIN_ENTRIES, SAMPLES, SIZES_BYTES, Trained, Training, samples_of


def test_it_is_measured_on_what_it_was_not_trained_on() -> None:
    found = Training(0, samples_of(topic_of(400).log), None, 7).run()
    assert found.dictionary is not None
    assert found.dictionary.dictionary_id == 7
    assert found.current_bytes is None
    assert found.single_bytes < 130
    assert found.without_bytes > 380


def test_the_fewest_entries_suffice() -> None:
    found = Training(0, samples_of(topic_of(MIN_ENTRIES).log), None, 1).run()
    assert found.dictionary is not None
    assert found.single_bytes < 200


def test_the_smaller_one_where_the_larger_gains_little() -> None:
    found = Training(0, samples_of(topic_of(400).log), None, 1).run()
    assert found.dictionary is not None
    assert len(found.dictionary.content) <= SIZES_BYTES[0]


def test_the_larger_one_where_values_are_of_many_kinds() -> None:
    """41 kinds of value with 300 B of their own: 4 KB hold 13 of them."""
    kinds = [random.Random(kind).randbytes(300) for kind in range(41)]
    entries = [Entry(rv, f"{rv}", kinds[rv % len(kinds)] + value_of(rv), ()) for rv in range(1, 800)]
    found = Training(0, entries, None, 1).run()
    assert found.dictionary is not None
    assert len(found.dictionary.content) > SIZES_BYTES[0]


def test_noise_trains_nothing() -> None:
    chosen = random.Random(1)
    entries = [Entry(rv, f"{rv}", chosen.randbytes(400), ()) for rv in range(1, 300)]
    found = Training(0, entries, None, 1).run()
    assert found.dictionary is None
    assert found.single_bytes == found.without_bytes


def test_a_fresh_one_that_gains_nothing_is_not_taken() -> None:
    topic = topic_of(400)
    first = Training(0, samples_of(topic.log), None, 1).run()
    for number in range(200):
        change(topic, number)
    again = Training(0, samples_of(topic.log), first.dictionary, 2).run()
    assert again.dictionary is None
    assert again.current_bytes is not None
    assert again.single_bytes == again.current_bytes
    assert again.current_bytes < 130


def test_a_fresh_one_is_taken_where_values_became_of_another_kind() -> None:
    topic = topic_of(400)
    first = Training(0, samples_of(topic.log), None, 1).run()
    for number in range(300):
        change(topic, number, "virtual-machine")
    again = Training(0, samples_of(topic.log), first.dictionary, 2).run()
    assert again.dictionary is not None
    assert again.current_bytes is not None
    assert again.single_bytes < 0.75 * again.current_bytes


def test_samples_are_the_newest_and_some_from_everywhere() -> None:
    topic = topic_of(4 * SAMPLES)
    change(topic, 3)
    samples = samples_of(topic.log)
    assert SAMPLES <= len(samples) <= 2 * SAMPLES + 1
    places = {entry.key: place for place, entry in enumerate(topic.log.entries.values())}
    found = [places[entry.key] for entry in samples]
    assert set(range(len(places) - SAMPLES, len(places))) <= set(found)
    assert sum(place < 2 * SAMPLES for place in found) >= SAMPLES // 4
    assert items_of(3)[0][0] in {entry.key for entry in samples}


def test_no_more_than_a_megabyte_is_learnt() -> None:
    """A topic of large values must not train for seconds: the newest are enough."""
    entries = [Entry(rv, f"{rv}", value_of(rv) * 25, ()) for rv in range(1, 500)]
    fits = next(n for n in range(500) if sum(entry.size for entry in entries[: n + 1]) > 1024 * 1024)
    assert fits < 200
    found = Training(0, entries, None, 1).run()
    assert found.without_bytes == Training(0, entries[:fits], None, 1).run().without_bytes


def test_values_that_go_out_without_a_dictionary_teach_none() -> None:
    large = [Entry(rv, f"{rv}", value_of(rv) * 5000, ()) for rv in range(1, 40)]
    assert Training(0, large, None, 1).run() == Trained(None, 0.0, None, 0.0)
    small = [Entry(rv, f"{rv}", value_of(rv), ()) for rv in range(40, 200)]
    assert Training(0, large + small, None, 1).run().without_bytes < 500
