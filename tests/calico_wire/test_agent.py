"""The agent's side: following decoder restarts, and being done after the first error."""

from __future__ import annotations

import pytest

from tests.calico_wire.recordings import read_all
from typha.calico_wire.agent import ServerStream
from typha.calico_wire.errors import BadGobError, BadSnappyError, PeerError, UnexpectedMessageError
from typha.calico_wire.messages import DecoderRestart, Status, SyncStatus
from typha.calico_wire.preamble import PREAMBLE, SNAPPY_PREAMBLE
from typha.calico_wire.snappy import SnappyWriter
from typha.calico_wire.writer import encode_decoder_restart, encode_status

SNAPPY = SnappyWriter()
IN_SYNC = encode_status(SyncStatus.IN_SYNC)
TO_SNAPPY = PREAMBLE + encode_decoder_restart("", "snappy")


def dies(data: bytes, kind: type[PeerError], match: str) -> None:
    stream = ServerStream()
    with pytest.raises(kind, match=match) as first:
        read_all(stream, data)
    stream.receive_data(SNAPPY_PREAMBLE + SNAPPY.compress(IN_SYNC))
    with pytest.raises(kind) as again:
        stream.next_message()
    assert again.value is first.value


def test_a_new_stream_begins_behind_each_restart() -> None:
    restart = encode_decoder_restart("", "snappy")
    data = TO_SNAPPY + SNAPPY_PREAMBLE + SNAPPY.compress(IN_SYNC + restart) + SNAPPY_PREAMBLE + SNAPPY.compress(IN_SYNC)
    wanted = [DecoderRestart("", "snappy"), Status(2), DecoderRestart("", "snappy"), Status(2)]
    for piece_bytes in (None, 1, 50):
        assert read_all(ServerStream(), data, piece_bytes) == wanted


def test_an_error_is_the_last_word() -> None:
    dies(PREAMBLE + PREAMBLE, BadGobError, "defined twice")
    dies(TO_SNAPPY + PREAMBLE, BadSnappyError, "without its identifier")
    dies(TO_SNAPPY + SNAPPY_PREAMBLE + SNAPPY.compress(PREAMBLE), BadGobError, "defined twice")
    dies(PREAMBLE + IN_SYNC.replace(b"MsgSyncStatus", b"MsgSyncNothin"), UnexpectedMessageError, "MsgSyncNothin")


def test_nothing_may_stand_behind_a_restart_in_its_chunk() -> None:
    chunk = SNAPPY.compress(encode_decoder_restart("", "") + IN_SYNC)
    dies(TO_SNAPPY + SNAPPY_PREAMBLE + chunk, BadGobError, "behind a decoder restart")
