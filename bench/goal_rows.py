"""The table of goals. The names of figures stand here and in the bench that gives them, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bench.goals import Recorded, Row, Source

# Real Typha, Go, on this kind of machine: agents, changes a second -> deliveries per CPU-second. Of 5,000 x 1,000
# nothing was recorded; its nearest stands in.
TYPHA_RECORDED: Final = {
    (500, 500): Recorded(246_000.0, "beside Typha as recorded"),
    (1000, 500): Recorded(484_000.0, "beside Typha as recorded"),
    (200, 4000): Recorded(666_000.0, "beside Typha as recorded"),
    (5000, 1000): Recorded(484_000.0, "beside Typha as recorded for 1,000 x 500"),
}
_PAUSES_MS: Final = {100: 8.0, 20: 2.5}


PER_CPU_S: Final = "deliveries per CPU-second, net"
# As ``typha_client`` connects where zstd is installed; "native" alone is the same frames as they are.
NATIVE_ZSTD: Final = "native-zstd"


def deliveries(who: str, agents: int, rate: int, pause_ms: int, figure: str) -> str:
    """How the bench ``deliveries`` names a figure of one shape."""
    return f"{who}, {agents:,} x {rate:,}, {pause_ms} ms: {figure}"


def _deliveries() -> Iterator[Row]:
    for agents, rate in TYPHA_RECORDED:
        for pause_ms, times in _PAUSES_MS.items():
            plain, packed = (
                Source("deliveries", deliveries(who, agents, rate, pause_ms, PER_CPU_S))
                for who in ("native", NATIVE_ZSTD)
            )
            typha = Source("deliveries", deliveries("typha-go", agents, rate, pause_ms, PER_CPU_S))
            nats = Source("deliveries", deliveries("nats*", agents, rate, pause_ms, PER_CPU_S))
            shape = f"deliveries per CPU-second, {agents:,} x {rate:,}, {pause_ms} ms"
            recorded = TYPHA_RECORDED[agents, rate]
            for kind, ours in (("plain", plain), ("zstd", packed)):
                name = f"{shape}, {kind}, beside Typha"
                yield Row(name, (ours,), "x", at_least=times, beside=typha, stand_in=recorded)
            yield Row(f"{shape}, plain, beside NATS", (plain,), "x", at_least=1.0, beside=nats)


def _shares() -> Iterator[Row]:
    for loop, share in (("asyncio", 0.80), ("uvloop", 0.85)):
        for kind in ("single", "coalesced"):
            figures = tuple(
                Source("send_share", f"{loop}, {count} sockets, {kind}: share of the C loop", {"runs": 5})
                for count in (500, 1000)
            )
            yield Row(f"share of a C send() loop, {loop}, {kind}", figures, "x", at_least=share)


def _at_most(measure: str, bench: str, figure: str, limit: float, unit: str, **shape: Any) -> Row:
    return Row(measure, (Source(bench, figure, shape),), unit, at_most=limit)


def _at_least(measure: str, bench: str, figure: str, limit: float, unit: str, **shape: Any) -> Row:
    return Row(measure, (Source(bench, figure, shape),), unit, at_least=limit)


_LATENCIES: Final = (
    _at_most(
        "API server event to the last of 1,000 agents, p99, 1,000 deltas/s",
        "deliveries",
        deliveries(NATIVE_ZSTD, 1000, 1000, 20, "latency p99 of the last agent"),
        50.0,
        "ms",
    ),
    _at_most(
        "API server event to the last of 5,000 agents, p99, 1,000 deltas/s",
        "deliveries",
        deliveries(NATIVE_ZSTD, 5000, 1000, 20, "latency p99 of the last agent"),
        150.0,
        "ms",
    ),
    _at_most("event loop lag, p99.9, every bench with subscribers", "*", "*event loop lag, p99.9*", 20.0, "ms"),
)

# So many whole pods are 100 MB of values.
_STORM: Final = {"agents": 5000, "pods": 60_000}
_SIZES: Final = (
    Row(
        "bytes of a 450 B delta with the dictionary, packed and live",
        (
            Source("deltas", "1 a frame, dictionary: a change"),
            Source("deltas", "live, dictionary: bytes received for a change"),
        ),
        "B",
        at_most=130.0,
    ),
    _at_most("join storm, 5,000 agents, 100 MB: all in sync", "join", "all in sync", 18.0, "s", **_STORM),
    _at_most("join storm: first in sync", "join", "first in sync", 1.0, "s", **_STORM),
    _at_most("join storm: extra memory", "join", "extra memory at its most", 64.0, "MB", **_STORM),
    _at_most("join storm: live agents' p99", "join", "live agents' p99, storm to quiet", 2.0, "x", **_STORM),
    _at_most(
        "restart of the only server, 2,000 agents: sent to each, of a compressed snapshot",
        "resume",
        "of a compressed snapshot",
        1.0,
        "%",
        agents=2000,
        pods=100_000,
    ),
    _at_most("100,000 pods as endpoints: whole process", "felix", "whole process", 170.0, "MB", pods=100_000),
    _at_most(
        "100,000 pods, compressed entries: whole process",
        "felix",
        "compressed entries: whole process",
        120.0,
        "MB",
        pods=100_000,
    ),
    _at_most("100,000 pods as endpoints: start to ready", "felix", "start to ready", 5.0, "s", pods=100_000),
    _at_least(
        "watch path, 100,000 pods",
        "felix",
        "events per core-second",
        25_000.0,
        "events/core-s",
        pods=100_000,
    ),
    _at_most("idle connection, asyncio", "idle", "asyncio: each connection", 5_000.0, "B", agents=5000),
    _at_most("idle connection, uvloop", "idle", "uvloop: each connection", 3_000.0, "B", agents=5000),
    _at_most("idle connection, asyncio, TLS", "idle", "asyncio, TLS: each connection", 45_000.0, "B"),
    _at_most("idle connection, uvloop, TLS", "idle", "uvloop, TLS: each connection", 30_000.0, "B"),
)

_OTHERS: Final = (
    _at_most(
        "API server's CPU, 500 agents through typha beside 500 direct watches",
        "apiserver",
        "API server's CPU, through typha to direct",
        1 / 50,
        "x",
        agents=500,
    ),
    _at_most("sets of watches at the API server", "apiserver", "through typha: sets of watches", 1.0, "", agents=500),
    _at_most(
        "agents' digests that differ from the server's under load, TYPHA_VERIFY=1",
        "verify",
        "digests that differ",
        0.0,
        "",
        agents=20,
        crowd=1000,
    ),
    _at_least(
        "client: changes to a handler per CPU-second",
        "client",
        "*: changes to a handler per CPU-second",
        50_000.0,
        "1/s",
    ),
    _at_most("client: join of 10,000 pods", "client", "join: connect to synced", 0.5, "s", pods=10_000),
    _at_most("soak: memory's growth for 1,000 changes", "soak", "growth for 1,000 changes", 10_000.0, "B", pods=20_000),
)

ROWS: Final[tuple[Row, ...]] = (*_deliveries(), *_shares(), *_LATENCIES, *_SIZES, *_OTHERS)
