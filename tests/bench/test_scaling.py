"""The model of docs/scaling.md, on figures that were chosen."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.scaling import BLOCKS, NotRun, costs_of


def result(bench: str, parameters: dict[str, Any], figures: dict[str, float]) -> dict[str, Any]:
    return {
        "bench": bench,
        "parameters": parameters,
        "figures": [{"name": name, "value": value, "unit": ""} for name, value in figures.items()],
    }


# 10 us a send, 0.1 us a delivery, 1,000 rounds in 100 s; 5 % of a core without agents; 60 MB, 4 KB, 500 B.
GROWTH = result(
    "growth",
    {"agents": [100, 1000], "rates": [100.0, 500.0], "objects": [1000, 100_000], "round_pause_ms": 100.0},
    {
        "a send costs": 10.0,
        "a delivery in it costs": 0.1,
        "an agent costs, memory": 4.0,
        "an object costs, memory": 500.0,
        "100 agents x 100: server's CPU": 5.0 + 100 * (100 * (10 * 10e-6 + 100 * 1e-7)),
        "100 agents x 500: server's CPU": 5.0 + 100 * (100 * (10 * 10e-6 + 500 * 1e-7)),
        "1,000 objects: memory": 60.5,
        "100,000 objects: keys and values": 18.0,
    },
)


def test_the_constants_are_those_of_growth() -> None:
    costs = costs_of([GROWTH])
    assert math.isclose(costs.base, 0.05)
    assert math.isclose(costs.memory_bytes(1000, 10_000), 60e6 + 4e6 + 5e6)
    assert math.isclose(costs.cores(1000, 500, 100), 0.05 + 1000 * (10 * 10e-6 + 500 * 1e-7))


def test_there_are_no_more_rounds_than_changes() -> None:
    costs = costs_of([GROWTH])
    assert math.isclose(costs.cores(1000, 2, 100), 0.05 + 1000 * (2 * 10e-6 + 2 * 1e-7))


def test_a_server_has_agents_for_half_a_core_and_one_replica_is_spare() -> None:
    costs = costs_of([GROWTH])
    assert costs.agents(500, 100) == 3000
    assert [costs.replicas(count, 500, 100) for count in (1, 3000, 3001, 50_000)] == [2, 2, 3, 18]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_page_without_results_says_what_is_missing(name: str) -> None:
    assert BLOCKS[name]([]).startswith("Not run: no result of ")


def test_a_figure_that_is_missing_is_named() -> None:
    with pytest.raises(NotRun, match="growth has no figure 'a send costs'"):
        costs_of([result("growth", {}, {})])


def test_the_formula_shows_the_constants() -> None:
    shown = BLOCKS["formula"]([GROWTH])
    assert "cores  = 0.050 + agents x (rounds/s x 10.00 us + changes/s x 0.100 us)" in shown
    assert "memory = 60 MB + agents x 4.0 KB + objects x (bytes of key and value + 320 B)" in shown
