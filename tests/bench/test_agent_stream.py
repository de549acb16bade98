"""The load reader counts what a decoder would, however the bytes are cut."""

from __future__ import annotations

import pytest

from bench.agent_stream import LARGE_BYTES, AgentStream
from bench.report import percentile, slope
from typha.wire import messages as m
from typha.wire.codec import encode_message


def entries(through: int | None, count: int, size: int) -> bytes:
    puts = [
        m.Put(f"a/{number}", number + 1, b"\xc5" + size.to_bytes(2, "big") + bytes(size)) for number in range(count)
    ]
    return encode_message(m.Entries(0, through, puts, [m.Delete("a/gone", count + 1)]))


@pytest.mark.parametrize("cut", [1, 7, 1000, 10_000_000])
def test_positions_changes_and_pings_whatever_the_cut(cut: int) -> None:
    data = entries(None, 300, 1000) + entries(900, 3, 10) + encode_message(m.Ping(5))
    data += entries(950, 1, 10) + encode_message(m.Bookmark((m.BookmarkTopic(0, 960, 0),)))
    assert len(entries(None, 300, 1000)) > LARGE_BYTES
    stream = AgentStream()
    stream.is_recording = True
    for start in range(0, len(data), cut):
        stream.receive_data(data[start : start + cut], start)
    assert (stream.bytes, stream.frames, stream.changes) == (len(data), 5, 4 + 2)
    assert (stream.position, stream.is_synced) == (960, True)
    assert list(stream.throughs) == [900, 950]
    assert stream.replies == [encode_message(m.Pong(5))]


def test_a_refusal_is_kept_for_the_error() -> None:
    stream = AgentStream()
    stream.receive_data(encode_message(m.Refused("draining", "stops")), 0)
    assert stream.refusal == "draining: stops"


def test_figures() -> None:
    assert slope([[0, 1], [1, 3], [2, 5]]) == 2
    assert slope([[0, 1]]) == 0
    assert percentile([1, 2, 3, 4], 0.99) == 4
