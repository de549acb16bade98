"""Kept topics through a file and back: everything, and nothing of a file that is not whole."""

from __future__ import annotations

import math

import msgpack
import pytest

from typha.cache.keeping import keep, restore
from typha.cache.topic import Topic, own_name
from typha.convert.calico import metadata, values
from typha.warm_start import codec
from typha.warm_start.codec import KeptFile, WarmFileError, decode, encode
from typha.warm_start.keeper import LABEL_READERS


def value_of(number: int) -> bytes:
    packed: bytes = msgpack.packb({"n": number})
    return packed


def topic_of(name: str = "pods", *, claimed: bool = False) -> Topic:
    keys_of = None if claimed else own_name
    topic = Topic(name, 0, form="f1", attributes=("node", "labels"), keys_of=keys_of)
    topic.digest_salt = b"12345678"
    return topic


def filled(*, claimed: bool = False) -> Topic:
    topic = topic_of(claimed=claimed)
    loading = topic.begin_list()
    for number in range(1500):
        item = (f"k{number}", value_of(number), (f"n{number % 3}", values.labels_of if number % 2 else {"app": "x"}))
        loading.put(f"o{number}", number + 1, [item])
    loading.commit(2000, 0.0)
    topic.delete("k7" if not claimed else "o7", 2001, 0.0)
    moved = ("k8", value_of(8), ("n9", None))
    topic.put("k8" if not claimed else "o8", 2002, [moved], 0.0)
    topic.quarantine("odd", 2003, "because", 0.0)
    topic.advance(2010, 0.0)
    return topic


def file_of(topic: Topic) -> bytes:
    kept = KeptFile("uid/life", 1234.5, {topic.name: topic.form}, [keep(topic)])
    return b"".join(encode(kept, LABEL_READERS))


@pytest.mark.parametrize("claimed", [False, True])
def test_everything_comes_back(claimed: bool) -> None:
    topic = filled(claimed=claimed)
    found = decode(file_of(topic), LABEL_READERS)
    assert (found.cluster, found.written_at, found.forms) == ("uid/life", 1234.5, {"pods": "f1"})
    again = topic_of(claimed=claimed)
    restore(again, found.topics[0], 0.0, "from a file")
    assert (again.is_warm, again.has_synced) == (True, False)
    assert again.head == 2010
    assert again.history.horizon == topic.history.horizon
    assert list(again.log.entries.values()) == list(topic.log.entries.values())
    assert list(again.log.tombstones.items()) == list(topic.log.tombstones.items())
    assert again.quarantined == topic.quarantined
    assert again.views.tombstones() == topic.views.tombstones()
    assert {str(wanted): list(log.entries) for wanted, log in again.views.logs() if log.entries} == {
        str(wanted): list(log.entries) for wanted, log in topic.views.logs() if log.entries
    }
    assert again.value_bytes == topic.value_bytes
    again.check_invariants()
    # Claims go on: an object that gives its keys up, and what becomes of them.
    again.confirm_at = 2010
    again.advance(2010, 0.0)
    assert (again.is_warm, again.has_synced) == (False, True)
    assert again.statistics().entries == topic.statistics().entries
    for each in (topic, again):
        each.delete("o20" if claimed else "k20", 2020, 0.0)
    assert list(again.log.entries) == list(topic.log.entries)
    assert "k20" not in again.log.entries


def test_a_watch_goes_on_where_it_was() -> None:
    topic = filled()
    again = topic_of()
    restore(again, decode(file_of(topic), LABEL_READERS).topics[0], 0.0, "")
    assert again.confirm_at == math.inf
    unchanged = ("k9", value_of(9), ("n0", values.labels_of))
    again.put("k9", 2011, [unchanged], 0.0)
    assert again.unchanged_total == 1
    assert again.log.entries["k9"].rv == 10
    assert again.is_warm


@pytest.mark.parametrize("place", [0, len(codec.MAGIC), 40, 1000, -1, -40])
def test_a_bit_that_turned_is_noticed(place: int) -> None:
    data = bytearray(file_of(filled()))
    data[place] ^= 1
    with pytest.raises(WarmFileError):
        decode(bytes(data), LABEL_READERS)


@pytest.mark.parametrize("length", [0, 5, 12, 20, 500, -1])
def test_a_file_that_was_cut_off_is_noticed(length: int) -> None:
    with pytest.raises(WarmFileError):
        decode(file_of(filled())[:length], LABEL_READERS)


def test_another_version_is_named() -> None:
    data = bytearray(file_of(filled()))
    data[len(codec.MAGIC)] = 9
    with pytest.raises(WarmFileError, match="version 09, this release reads 1"):
        decode(bytes(data), LABEL_READERS)


def test_a_reader_of_labels_that_is_not_known_is_refused() -> None:
    data = file_of(filled())
    with pytest.raises(WarmFileError, match="reader of labels"):
        decode(data, {"calico.metadata": metadata.labels_of})
    with pytest.raises(WarmFileError, match="which no file can hold"):
        list(encode(decode(data, LABEL_READERS), {}))
