"""``NativeSession.receive_data`` on whatever bytes, cut however: it never raises, and what it holds is bounded."""

from __future__ import annotations

from itertools import islice
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.robustness.hostile import GREETING
from tests.robustness.inputs import Inputs
from typha.cache.catalog import Catalog
from typha.cache.topic import Topic
from typha.downstream.dialect import Load, SessionState
from typha.downstream.dictionaries import Dictionaries
from typha.downstream.session import NativeSession
from typha.downstream.settings import DownstreamSettings
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, SERVER_INBOUND_LIMIT_BYTES, FrameDecoder

# An answer to an input byte: a Ping of 8 bytes is answered by a Pong of 16; Welcome, Status and one Refused on top.
OUT_PER_IN = 4
OUT_BESIDE = 4096


def new_session() -> NativeSession:
    topic = Topic("pods", 0, form="form", attributes=("node",))
    catalog = Catalog([topic], salt=bytes(8))
    catalog.set_cluster("uid/", 0.0)
    loading = topic.begin_list()
    for number in range(20):
        loading.put(f"a/{number}", number + 1, ((f"a/{number}", b"\x80", (f"node-{number % 3}",)),))
    loading.commit(20, 0.0)
    settings, dictionaries = DownstreamSettings(), Dictionaries()
    return NativeSession(
        "1", catalog, {"all": ["pods"]}, settings, dictionaries=dictionaries, now=0.0, admit=lambda: Load(1, 10)
    )


def feed(session: NativeSession, data: bytes, cuts: Random) -> None:
    """In pieces; after each one every bound holds, and what it says is whole frames."""
    said = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True)
    received = sent = start = 0
    while start < len(data):
        end = start + cuts.choice((1, 7, 100, 5000, 100_000))
        piece = data[start:end]
        session.receive_data(piece, 1.0)
        received, start = received + len(piece), end
        frames = session.take_frames()
        sent += len(frames)
        said.receive_data(frames)
        while said.next_frame() is not None:
            pass
        assert said.buffered_bytes == 0
        assert sent <= OUT_BESIDE + OUT_PER_IN * received
        assert session._decoder.buffered_bytes <= SERVER_INBOUND_LIMIT_BYTES + 4 + len(piece)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000), st.booleans(), st.integers(0, 2**32))
def test_any_bytes(data: bytes, greet: bool, seed: int) -> None:
    feed(new_session(), (GREETING if greet else b"") + data, Random(seed))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_structure_aware_inputs(seed: int) -> None:
    for what in islice(Inputs(seed, "uid/", "form"), 5):
        session = new_session()
        feed(session, (GREETING if what.greet else b"") + what.data, Random(seed))
        if what.must_end and what.passes_length and what.manner.name == "WAIT":
            assert session.state is SessionState.CLOSED
            assert session.closed_by
