from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.wire.codec import decode_message, encode_message
from typha.wire.entries import encode_delete, encode_entries, encode_put, value_offset
from typha.wire.errors import BadPayloadError
from typha.wire.frames import HEADER, Frame, FrameType
from typha.wire.messages import Delete, Entries, Put

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
rvs = st.integers(0, 2**64 - 1)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=10)
puts = st.builds(lambda key, rv, value: Put(key, rv, msgpack.packb(value)), keys, rvs, values)
deletes = st.builds(Delete, keys, rvs)


@given(st.integers(0, 2**32 - 1), st.none() | rvs, st.lists(puts, max_size=20), st.lists(deletes, max_size=20))
def test_round_trip(topic_id: int, through: int | None, put: list[Put], gone: list[Delete]) -> None:
    message = Entries(topic_id, through, put, gone)
    frame = encode_message(message)
    assert decode_message(Frame(frame[4], frame[HEADER.size :])) == message
    assert frame == encode_entries(topic_id, through, [encode_put(*p) for p in put], [encode_delete(*d) for d in gone])


@given(keys, rvs, values)
def test_value_offset_points_at_the_value(key: str, rv: int, value: Any) -> None:
    assert encode_put(key, rv, b"VALUE")[value_offset(key) :] == b"VALUE"
    assert msgpack.unpackb(encode_put(key, rv, msgpack.packb(value)), strict_map_key=False) == [key, rv, value]


@pytest.mark.parametrize("key", ["", "k" * 31, "k" * 32, "k" * 255, "k" * 256, "k" * 65535, "k" * 65536, "ü" * 16])
def test_value_offset_at_the_borders_of_msgpack_headers(key: str) -> None:
    assert encode_put(key, 1, b"VALUE")[value_offset(key) :] == b"VALUE"


@pytest.mark.parametrize("count", [15, 16, 65535, 65536])
def test_array_headers_at_their_borders(count: int) -> None:
    frame = encode_entries(0, None, [], [encode_delete("k", 1)] * count)
    message = decode_message(Frame(FrameType.ENTRIES, frame[HEADER.size :]))
    assert isinstance(message, Entries)
    assert len(message.deletes) == count


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([0, None, []], "expected an array of 4"),
        ([-1, None, [], []], "topic id is not an unsigned integer"),
        ([0, "x", [], []], "through is not an unsigned integer"),
        ([0, None, [["k", 1]], []], "a put is an array of 3"),
        ([0, None, [[b"k", 1, {}]], []], "key is not a string"),
        ([0, None, [["k", True, {}]], []], "rv is not an unsigned integer"),
        ([0, None, [], [["k"]]], "a delete is an array of 2"),
        ({}, "not the array of an Entries frame"),
    ],
)
def test_errors_say_what_is_wrong(body: Any, says: str) -> None:
    with pytest.raises(BadPayloadError, match=says):
        decode_message(Frame(FrameType.ENTRIES, msgpack.packb(body)))


def test_trailing_bytes_are_an_error() -> None:
    with pytest.raises(BadPayloadError, match="trailing bytes"):
        decode_message(Frame(FrameType.ENTRIES, msgpack.packb([0, None, [], []]) + b"\x00"))
