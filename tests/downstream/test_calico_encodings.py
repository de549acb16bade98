"""Changes of a view as messages of Calico's wire, read back as an agent reads them."""

from __future__ import annotations

import pytest

from typha.cache.log import Entry
from typha.cache.topic import Topic
from typha.cache.walk import Walks
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.messages import DecoderRestart, KVs, SerializedUpdate, UpdateType
from typha.calico_wire.snappy import STREAM_IDENTIFIER
from typha.calico_wire.writer import encode_decoder_restart, encode_element
from typha.downstream import calico_encodings
from typha.downstream.calico_encodings import PLAIN, SNAPPY, CalicoEncoding

BOTH = pytest.mark.parametrize("encoding", [PLAIN, SNAPPY], ids=["plain", "snappy"])


def entry(number: int, kind: UpdateType = UpdateType.UPDATED, value: bytes = b"{}") -> Entry:
    key = f"/calico/v1/{number:05d}"
    return Entry(number, key, encode_element(key, value, str(number), "", kind), ())


def read(encoding: CalicoEncoding, data: bytes) -> list[KVs]:
    stream = ServerStream()
    if encoding is SNAPPY:
        stream.receive_data(PLAIN.preamble + encode_decoder_restart("", "snappy"))
        assert isinstance(stream.next_message(), DecoderRestart)
    stream.receive_data(encoding.preamble + data)
    found = []
    while (message := stream.next_message()) is not None:
        assert isinstance(message, KVs)
        found.append(message)
    return found


def updates(encoding: CalicoEncoding, data: bytes) -> list[SerializedUpdate]:
    return [update for message in read(encoding, data) for update in message.updates]


@BOTH
@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_100_kvs_a_message(encoding: CalicoEncoding, count: int, sizes: list[int]) -> None:
    data = encoding.encode_changes(3, None, None, [entry(number) for number in range(1, count + 1)], [])
    messages = read(encoding, data)
    assert [len(message.updates) for message in messages] == sizes
    numbers = [update.revision for message in messages for update in message.updates]
    assert numbers == [str(number) for number in range(1, count + 1)]
    assert bool(data) == bool(count)


@BOTH
def test_in_a_snapshot_everything_is_new(encoding: CalicoEncoding) -> None:
    entries = [entry(1, UpdateType.UPDATED), entry(2, UpdateType.NEW)]
    found = updates(encoding, encoding.encode_changes(3, None, None, entries, []))
    assert [update.update_type for update in found] == [UpdateType.NEW, UpdateType.NEW]
    assert [update.value for update in found] == [b"{}", b"{}"]


@BOTH
def test_deltas_say_what_happened_and_deletions_carry_no_revision(encoding: CalicoEncoding) -> None:
    entries = [entry(1, UpdateType.UPDATED), entry(2, UpdateType.NEW)]
    found = updates(encoding, encoding.encode_changes(3, 0, 9, entries, [("/gone", 8), ("/too", 9)]))
    assert found == [
        SerializedUpdate("/calico/v1/00001", b"{}", "1", "", 0, UpdateType.UPDATED),
        SerializedUpdate("/calico/v1/00002", b"{}", "2", "", 0, UpdateType.NEW),
        SerializedUpdate("/gone", None, "", "", 0, UpdateType.DELETED),
        SerializedUpdate("/too", None, "", "", 0, UpdateType.DELETED),
    ]


def test_snappy_chunks_carry_no_identifier_and_can_follow_each_other_in_any_number() -> None:
    frames = [SNAPPY.encode_changes(3, 0, number, [entry(number)], []) for number in range(1, 40)]
    assert not any(STREAM_IDENTIFIER in frame for frame in frames)
    assert SNAPPY.preamble.startswith(STREAM_IDENTIFIER)
    assert len(updates(SNAPPY, b"".join(frames))) == 39
    assert len(updates(SNAPPY, frames[7] + frames[7])) == 2  # whoever joins, wherever it joins


def test_a_message_of_many_snappy_chunks() -> None:
    large = entry(1, value=bytes(range(1, 256)) * 2000)
    assert updates(SNAPPY, SNAPPY.encode_changes(3, 0, 1, [large], []))[0].value == bytes(range(1, 256)) * 2000


def test_slices_are_built_once_for_all_who_share_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.cache.walk.FRAME_BYTES", 200)
    topic = Topic("felix (calico)", 3, form="calico")
    topic.load([entry(number) for number in range(1, 20)])
    topic.finish_list(20, 0.0, {})
    walks = Walks()
    first, again, plain = (walks.snapshot(topic, topic.log).read(0, encoding) for encoding in (SNAPPY, SNAPPY, PLAIN))
    assert first is not None
    assert plain is not None
    assert first is again
    assert first.frames != plain.frames


@BOTH
def test_no_word_for_a_bookmark_and_nothing_made_of_nothing(encoding: CalicoEncoding) -> None:
    topic = Topic("felix (calico)", 3, form="calico")
    assert encoding.encode_bookmark([(topic, 7)], 1.0) == b""
    assert encoding.encode_stream(b"") == b""
    assert len({PLAIN, SNAPPY, calico_encodings.PLAIN}) == 2
