"""Rows of the table: the worst figure counts, shapes must fit, a peer that is missing is said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import goals
from bench.goal_rows import ROWS
from bench.goals import Recorded, Row, Source, Verdict, judge, missed

AT_MOST = Row("late", (Source("fan_out", "p99"),), "ms", at_most=50.0)


def result(bench: str, parameters: dict[str, Any] | None = None, **figures: float) -> goals.Document:
    return {
        "bench": bench,
        "at": "2026-01-01",
        "parameters": parameters or {},
        "figures": [{"name": name, "value": value} for name, value in figures.items()],
    }


@pytest.mark.parametrize(("value", "verdict"), [(50.0, Verdict.MET), (50.1, Verdict.MISSED)])
def test_at_most(value: float, verdict: Verdict) -> None:
    (found,) = judge([AT_MOST], [result("fan_out", p99=value)])
    assert (found.verdict, found.value, found.goal) == (verdict, value, "<= 50 ms")


@pytest.mark.parametrize(("value", "verdict"), [(50.0, Verdict.MET), (49.9, Verdict.MISSED)])
def test_at_least(value: float, verdict: Verdict) -> None:
    row = Row("fast", (Source("fan_out", "rate"),), at_least=50.0)
    (found,) = judge([row], [result("fan_out", rate=value)])
    assert found.verdict is verdict


def test_what_was_not_measured_is_not_met() -> None:
    found = judge([AT_MOST], [result("idle", p99=1.0)])
    assert found[0].verdict is Verdict.NOT_RUN
    assert found[0].value is None
    assert found[0].note == "no result of fan_out"
    assert missed(found) == ["late (not run)"]
    assert judge([AT_MOST], [result("fan_out", p50=1.0)])[0].note == "no figure 'p99' of fan_out"


def test_the_worst_of_several_counts() -> None:
    row = Row("lag", (Source("*", "*loop lag*"),), "ms", at_most=20.0)
    documents = [result("a", loop_lag=1.0), result("b", {}, **{"x: loop lag": 5.0, "y: loop lag": 21.0}), result("c")]
    assert judge([row], documents)[0].value == 21.0
    either = Row("share", (Source("s", "one"), Source("s", "two")), at_least=0.8)
    assert judge([either], [result("s", one=0.9, two=0.7)])[0].value == 0.7


def test_one_of_several_sources_missing_is_not_run() -> None:
    row = Row("share", (Source("s", "one"), Source("s", "two")), at_least=0.8)
    assert judge([row], [result("s", one=0.9)])[0].verdict is Verdict.NOT_RUN


def test_a_run_of_a_smaller_shape_fills_no_row() -> None:
    row = Row("storm", (Source("join", "all", {"agents": 5000, "language": "native-zstd"}),), "s", at_most=18.0)
    small = result("join", {"agents": 200, "language": "native-zstd"}, all=1.0)
    other = result("join", {"agents": 5000, "language": "native"}, all=1.0)
    whole = result("join", {"agents": 6000, "language": "native-zstd"}, all=17.0)
    assert judge([row], [small])[0].note == "join was run with agents 200, not 5000"
    assert judge([row], [other])[0].note == "join was run with language native, not native-zstd"
    assert judge([row], [small, other, whole])[0].value == 17.0


def test_beside_a_peer_its_best_run_counts() -> None:
    row = Row("nats", (Source("d", "ours"),), "x", at_least=1.0, beside=Source("d", "nats*"))
    found = judge([row], [result("d", ours=100.0, nats_single=10.0, nats_joined=80.0)])
    assert found[0].value == pytest.approx(1.25)
    assert judge([row], [result("d", ours=100.0)])[0].verdict is Verdict.NOT_RUN


def test_a_recorded_figure_stands_in_and_is_marked() -> None:
    row = Row("typha", (Source("d", "ours"),), "x", at_least=8.0, beside=Source("d", "go"), stand_in=Recorded(10.0))
    assert judge([row], [result("d", ours=100.0)])[0].note == "recorded"
    measured = judge([row], [result("d", ours=100.0, go=50.0)])[0]
    assert (measured.value, measured.note, measured.verdict) == (2.0, "", Verdict.MISSED)


def test_kept_beside_the_results_and_not_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals, "RESULTS", tmp_path)
    (tmp_path / "fan_out.json").write_text(json.dumps(result("fan_out", p99=60.0)))
    (tmp_path / "idle.local.json").write_text(json.dumps(result("idle")))
    judged = judge([AT_MOST], goals.stored_documents(tmp_path))
    kept = json.loads(goals.save(judged, {"commit": "abc"}).read_text())
    assert (kept["commit"], kept["missed"]) == ("abc", ["late (missed)"])
    assert [each["bench"] for each in goals.stored_documents(tmp_path)] == ["fan_out"]


def test_every_row_has_one_goal_and_a_name_of_its_own() -> None:
    assert len({row.measure for row in ROWS}) == len(ROWS)
    assert all((row.at_least is None) != (row.at_most is None) for row in ROWS)
    assert all(row.of for row in ROWS)
