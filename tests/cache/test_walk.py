from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.cache.entries import entry, listed, log_of, value
from typha.cache.log import Entry, Log
from typha.cache.topic import Topic
from typha.cache.walk import Walk, Walks


class Lines:
    """An encoding that can be read: ``through|puts|deletes``."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode_changes(
        self,
        topic_id: int,
        start: int | None,
        through: int | None,
        puts: Sequence[Entry],
        deletes: Sequence[tuple[str, int]],
    ) -> bytes:
        self.encoded += 1
        named = ",".join(f"{put.key}@{put.rv}" for put in puts), ",".join(f"{key}@{rv}" for key, rv in deletes)
        return f"{through}|{named[0]}|{named[1]}".encode()


def frames(walk: Walk, lines: Lines) -> list[str]:
    found, number = [], 0
    while (found_slice := walk.read(number, lines)) is not None:
        found.append(found_slice.frames.decode())
        number = found_slice.end
    return found


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of two changes, each of them a slice."""
    monkeypatch.setattr("typha.cache.walk.FRAME_BYTES", 34)
    monkeypatch.setattr("typha.cache.walk.SLICE_BYTES", 1)


def test_walk_of_nothing_has_no_frame(lines: Lines) -> None:
    walk = Walk(0, Log(), None, 5, staged=True)
    assert (walk.is_empty, walk.is_large, frames(walk, lines)) == (True, False, [])


def test_one_frame_merges_puts_and_deletes_and_carries_through(lines: Lines) -> None:
    log = log_of(entry("a", 1), entry("b", 2))
    log.delete("b", 3)
    log.put(entry("a", 4))
    assert frames(Walk(0, log, 0, 9, staged=False), lines) == ["9|a@4|b@3"]
    assert frames(Walk(0, log, 0, 9, staged=True), lines) == ["None|a@4|b@3"]


def test_frames_of_a_range_of_rv_each(lines: Lines, small_frames: None) -> None:
    log = log_of(*(entry(f"k{number}", number) for number in range(1, 6)))
    log.delete("k2", 6)
    log.put(entry("k1", 7))
    walk = Walk(0, log, 0, 8, staged=False)
    assert walk.is_large
    assert frames(walk, lines) == ["None|k3@3,k4@4|", "None|k5@5|k2@6", "8|k1@7|"]


def test_border_never_falls_inside_an_rv(lines: Lines, small_frames: None) -> None:
    log = log_of(entry("a", 1), *(entry(f"k{number}", 2) for number in range(7)), entry("z", 3))
    found = frames(Walk(0, log, None, 3, staged=True), lines)
    assert [frame.count("@2") for frame in found if "@2" in frame] == [7]


def test_references_are_taken_when_the_walk_is_made(lines: Lines, small_frames: None) -> None:
    log = log_of(*(entry(f"k{number}", number) for number in range(1, 5)))
    walk = Walk(0, log, None, 4, staged=True)
    walk.read(0, lines)
    log.put(entry("k4", 5))
    log.delete("k3", 6)
    assert frames(walk, lines) == ["None|k1@1,k2@2|", "None|k3@3,k4@4|"]


def test_slice_is_built_for_the_first_reader_only(lines: Lines, small_frames: None) -> None:
    walk = Walk(0, log_of(*(entry(f"k{number}", number) for number in range(1, 9))), None, 9, staged=True)
    assert lines.encoded == 0
    first = frames(walk, lines)
    assert frames(walk, lines) == first
    assert lines.encoded == len(first) == 4
    other = Lines()
    assert frames(walk, other) == first
    assert other.encoded == 4


def test_kept_slices_are_bounded(lines: Lines, small_frames: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.cache.walk.KEPT_BYTES", 40)
    walk = Walk(0, log_of(*(entry(f"k{number}", number) for number in range(1, 9))), None, 9, staged=True)
    first = frames(walk, lines)
    assert walk._kept_bytes <= 40
    assert walk.read(0, lines) == (first[0].encode(), 1)  # built once more for who fell behind
    assert lines.encoded == 5


def test_slice_has_as_many_frames_as_make_a_send(
    lines: Lines, small_frames: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(0, log_of(*(entry(f"k{number}", number) for number in range(1, 9))), None, 9, staged=True)
    single = frames(walk, Lines())
    monkeypatch.setattr("typha.cache.walk.SLICE_BYTES", len(single[0]) * 2)
    first = walk.read(0, lines)
    assert first == ("".join(single[:2]).encode(), 2)
    assert walk.read(2, lines) == ("".join(single[2:]).encode(), 4)
    assert walk.read(4, lines) is None
    again = walk.read(0, lines)
    assert first is not None
    assert again is not None
    assert again.frames is first.frames  # one object for all sockets


def test_slice_is_built_frame_by_frame_where_it_is_late(
    lines: Lines, small_frames: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(0, log_of(*(entry(f"k{number}", number) for number in range(1, 9))), None, 9, staged=True)
    single = frames(walk, Lines())
    monkeypatch.setattr("typha.cache.walk.SLICE_BYTES", 1000)
    for built in range(1, 5):
        assert walk.read(0, lines, lambda: True) == (b"", 0)
        assert lines.encoded == built
    assert walk.read(0, lines, lambda: True) == ("".join(single).encode(), 4)
    assert walk.read(4, lines, lambda: True) is None
    assert lines.encoded == 4


def topic_of(count: int) -> Topic:
    return listed(
        Topic("pods", 0, form="1", tombstone_limit=0), count, **{f"k{n}": (n, n) for n in range(1, count + 1)}
    )


def test_snapshot_is_shared_until_an_eighth_has_changed() -> None:
    topic, walks = topic_of(16), Walks()
    first = walks.snapshot(topic, topic.log)
    for rv in (17, 18):
        topic.put("k1", rv, [("k1", value(rv), ())], 0.0)
        assert walks.snapshot(topic, topic.log) is first
    topic.put("k1", 19, [("k1", value(19), ())], 0.0)
    again = walks.snapshot(topic, topic.log)
    assert (again.start, again.through, again.staged) == (None, 19, True)
    assert walks.snapshots_built == 2


def test_snapshot_that_the_horizon_passed_is_built_anew() -> None:
    topic, walks = topic_of(16), Walks()
    first = walks.snapshot(topic, topic.log)
    topic.delete("k1", 20, 0.0)
    topic.trim(20)
    assert topic.history.horizon > first.through
    assert walks.snapshot(topic, topic.log) is not first


def test_snapshot_of_another_life_is_built_anew() -> None:
    topic, walks = topic_of(40), Walks()
    walks.snapshot(topic, topic.log)
    topic.restart(0.0)
    listed(topic, 39, **{f"k{n}": (n, n) for n in range(1, 40)})
    assert walks.snapshot(topic, topic.log).through == 39


def test_catch_ups_of_one_round_from_one_start_are_one_walk() -> None:
    topic, walks = topic_of(16), Walks()
    topic.put("k1", 17, [("k1", value(0), ())], 0.0)
    walk = walks.since(topic, topic.log, 16, staged=False)
    assert walks.since(topic, topic.log, 16, staged=False) is walk
    assert walks.since(topic, topic.log, 16, staged=True) is not walk
    assert walks.since(topic, topic.log, 15, staged=False) is not walk
    topic.put("k2", 18, [("k2", value(0), ())], 0.0)
    assert walks.since(topic, topic.log, 16, staged=False) is not walk
    walks.end_round()
    assert not walks._catch_ups


def test_snapshot_without_readers_is_dropped() -> None:
    topic, walks = topic_of(4), Walks()
    read = walks.snapshot(topic, topic.log)
    read.readers += 1
    walks.drop_unread_snapshots()
    assert walks.snapshot(topic, topic.log) is read
    read.readers -= 1
    walks.drop_unread_snapshots()
    assert walks.snapshot(topic, topic.log) is not read
