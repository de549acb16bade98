"""Both directions of the wire for tests: messages to bytes, bytes to messages."""

from __future__ import annotations

from tests.kit.server import Clock, Server
from tests.kit.truth import Body, Truth
from typha.downstream.connection import Owner
from typha.downstream.dialect import Load
from typha.downstream.session import NativeSession
from typha.downstream.settings import DownstreamSettings
from typha.downstream.statistics import Traffic
from typha.wire import messages as m
from typha.wire.codec import decode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder


def decoded(data: bytes) -> list[m.Message]:
    """The messages of whole frames."""
    decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES, accept_compressed=True)
    decoder.receive_data(data)
    found = []
    while (frame := decoder.next_frame()) is not None:
        message = decode_message(frame)
        assert message is not None
        found.append(message)
    assert decoder.buffered_bytes == 0
    return found


def session_of(server: Server, settings: DownstreamSettings | None = None) -> NativeSession:
    return NativeSession(
        "s1",
        server.catalog,
        {"all": ("pods", "hosts")},
        settings or server.settings,
        dictionaries=server.dictionaries,
        now=server.clock.now,
        admit=lambda: Load(3, 10),
    )


def noting(calls: list[str]) -> Owner:
    """An owner that notes its callbacks."""
    return Owner(
        clock=lambda: 5.0,
        on_made=lambda _: calls.append("made"),
        on_received=lambda _: calls.append("received"),
        on_drained=lambda _: calls.append("drained"),
        on_lost=lambda _: calls.append("lost"),
        traffic=Traffic(),
    )


def synced_server() -> Server:
    """One replica with one pod ``a`` on n0."""

    truth = Truth()
    truth.write("a", Body(0, "n0", ("x",)))
    server = Server("a", truth, Clock())
    server.relist()
    server.settle()
    return server
