"""The same results give the same bytes; what was not measured is not drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import plots
from bench.goal_rows import NATIVE_ZSTD, PER_CPU_S, TYPHA_RECORDED, deliveries
from bench.goals import Document

SHARE = "1000 sockets, single"


def result(
    bench: str, parameters: dict[str, Any], figures: dict[str, float], series: dict[str, Any] | None = None
) -> Document:
    named = [{"name": name, "value": value} for name, value in figures.items()]
    return {"bench": bench, "parameters": parameters, "figures": named, "series": series or {}}


SHAPES = {deliveries(who, *shape, 100, PER_CPU_S): 4e6 for shape in TYPHA_RECORDED for who in ("native", NATIVE_ZSTD)}
WHOLE = {
    "deliveries": result("deliveries", {}, SHAPES | {deliveries("nats", 500, 500, 100, PER_CPU_S): 1e6}),
    "fan_out": result(
        "fan_out", {"agents": 1000, "rate": 1000.0}, {}, {"latency_ms_by_share": [[0.0, 1], [0.5, 9], [0.99, 30]]}
    ),
    "growth": result(
        "growth",
        {"round_pause_ms": 100.0},
        {"a send costs": 9.0},
        {"cpu_percent_at_100": [[100, 1.0], [1000, 9.0]], "memory_mb_over_objects": [[1000, 70.0], [10_000, 80.0]]},
    ),
    "resume": result(
        "resume",
        {"pods": 100_000, "changed": 50, "deleted": 15},
        {},
        {"sent_to_each": [[1, 4e4], [2, 4e4]], "a_snapshot_instead": [[1, 1e7], [2, 1e7]]},
    ),
    "send_share": result(
        "send_share",
        {"sockets": [500, 1000], "kinds": ["single"]},
        {f"{name}, {SHARE}: CPU of a send": 9.0 for name in ("C", "uvloop")}
        | {f"uvloop, {SHARE}: share of the C loop": 0.9},
    ),
}


def test_every_plot_is_drawn_and_twice_the_same(tmp_path: Path) -> None:
    first, second = plots.draw(WHOLE, tmp_path / "first"), plots.draw(WHOLE, tmp_path / "second")
    assert {path.stem for path in first} == plots.DRAWN.keys()
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    assert plots.draw({"fan_out": result("fan_out", {}, {})}, tmp_path) == []
