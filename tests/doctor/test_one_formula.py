"""The formula of memory is one: doctor's, the chart's, the documents'; and the stored results bear it out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.scaling import costs_of
from typha.doctor.memory import (
    CALICO_VALUE_BYTES,
    CONNECTION_BYTES,
    ENTRY_BYTES,
    HEADROOM,
    MB,
    PROCESS_BYTES,
    TLS_CONNECTION_BYTES,
)

ROOT = Path(__file__).parents[2]


def stored(bench: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / f"bench/results/{bench}.json").read_text())
    return document


def test_felix_is_what_the_formula_says() -> None:
    """A cluster of 100,000 pods with Calico's blocks of addresses at rest, and its pods alone under load."""
    figures = {figure["name"]: figure["value"] for figure in stored("felix")["figures"]}
    whole = {name: value for name, value in figures.items() if name.startswith("whole cluster: ")}
    entries = sum(value for name, value in whole.items() if name.endswith(": entries"))
    values = sum(value for name, value in whole.items() if name.endswith(": keys and values as held")) * MB
    at_rest = PROCESS_BYTES + values + ENTRY_BYTES * entries
    assert 0.75 * at_rest <= whole["whole cluster: whole process"] * MB <= 1.1 * at_rest
    assert figures["whole process under load"] <= figures["whole process"] * (1 + HEADROOM)
    assert values / entries == pytest.approx(CALICO_VALUE_BYTES, rel=0.15)


def test_growth_is_no_more_than_the_formula_says() -> None:
    growth = stored("growth")
    costs = costs_of([growth])
    most = max(growth["parameters"]["objects"])
    figures = {figure["name"]: figure["value"] for figure in growth["figures"]}
    values = figures[f"{most:,} objects: keys and values"] * MB / most
    assert costs.object_bytes - values <= ENTRY_BYTES
    assert costs.base_bytes == pytest.approx(PROCESS_BYTES, rel=0.1)
    assert costs.agent_bytes == pytest.approx(CONNECTION_BYTES, rel=0.15)


def test_the_chart_and_the_documents_have_its_numbers() -> None:
    process, tls = PROCESS_BYTES // MB, TLS_CONNECTION_BYTES // 1000
    chart = (ROOT / "deploy/chart/typha/templates/_sizes.tpl").read_text()
    assert f"add {PROCESS_BYTES} (mul {ENTRY_BYTES + CALICO_VALUE_BYTES} $objects)" in chart
    assert f"(mul {TLS_CONNECTION_BYTES} $agents)" in chart
    assert f"(mul {round(10 * (1 + HEADROOM))} $atRest) 10" in chart
    deployment = (ROOT / "docs/deployment.md").read_text()
    formula = f"({process} MB + ({ENTRY_BYTES} B + key and value) x objects + {tls} kB x agents) x {1 + HEADROOM:g}"
    assert formula in deployment
    assert f"key and value: {CALICO_VALUE_BYTES} B in the mean" in deployment
    for page in ("operations", "scaling"):
        assert f"{ENTRY_BYTES} B" in (ROOT / f"docs/{page}.md").read_text()
