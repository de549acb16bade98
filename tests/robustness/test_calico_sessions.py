"""Malformed Calico agents: against sessions, and over sockets against a running server that healthy agents share."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import psutil

from tests.interop.simulated import Cluster, log_of, wait_equal
from tests.robustness.calico_sessions import malformed, run

_INPUTS = 400
_AT_ONCE = 50
_PATIENCE_S = 1.0


def test_malformed_agents_end_with_a_typed_error() -> None:
    report = run(1500, 20_261_123)
    assert report.breaches == []
    ends = {"bad_gob", "unexpected_message", "too_many", "open", "quiet"}
    ends |= {"refused_unknown_topic", "refused_protocol_version"}
    assert ends <= set(report.by_end) <= ends | {"too_large", "ack awaited"}


async def _send(port: int, data: bytes) -> None:
    """Until the server closes, or our patience is over: not all are malformed, or are so far."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(OSError):
        writer.write(data)
        async with asyncio.timeout(_PATIENCE_S):
            while await reader.read(65_536):
                pass
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def test_malformed_agents_leave_no_trace_in_a_running_server() -> None:
    random, places = Random(5), asyncio.Semaphore(_AT_ONCE)

    async def one(cluster: Cluster, data: bytes) -> None:
        async with places:
            with suppress(TimeoutError):
                await _send(cluster.server.port, data)

    with Cluster(pods=40) as cluster:
        async with cluster.agents("-quiet", "-snappy", "-agents", "3") as healthy:
            await healthy.wait_count("status", 3)
            await one(cluster, b"\x01")
            await asyncio.gather(*(one(cluster, malformed(random)) for _ in range(_INPUTS)))
            await asyncio.to_thread(cluster.change, 50)
            await wait_equal(healthy, 3, cluster.truth("felix"))
            status = await asyncio.to_thread(cluster.server.status)
            assert status["server"]["connections"] == 3
            sockets = psutil.Process(cluster.server.usage.pid).net_connections("tcp")
            assert sum(1 for each in sockets if each.raddr and each.laddr.port == cluster.server.port) == 3
            assert not healthy.of("end")
            assert set(status["server"]["protocol_errors_total"]) <= {
                "bad_gob",
                "too_large",
                "too_many",
                "unexpected_message",
                "unexpected_frame",
                "bad_payload",
                "frame_too_large",
            }
        assert "Traceback" not in log_of(cluster.server)
