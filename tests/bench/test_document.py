"""docs/benchmarks.md says what was stored; only its blocks are written."""

from __future__ import annotations

import re

import pytest

from bench import scaling
from bench.document import BLOCKS, PAGE, SCALING, UnknownBlock, figures, fill, origin
from bench.goals import stored_documents
from bench.plots import PLOTS

PAGE_TEXT = PAGE.read_text(encoding="utf-8")


def test_figures_of_a_run_are_as_they_were_stored() -> None:
    """A run that the page does not know yet is none of its business: running a bench breaks no test."""
    for document in stored_documents():
        if (run := origin(document)) in PAGE_TEXT and document["bench"] != "profile":
            assert f"{run}\n\n{figures(document)}" in PAGE_TEXT, "run: python -m bench report"


def test_every_block_is_in_its_page() -> None:
    for page, blocks in ((PAGE, BLOCKS), (SCALING, scaling.BLOCKS)):
        found = re.findall(r"<!-- figures: ([a-z-]+) -->", page.read_text(encoding="utf-8"))
        assert set(found) == blocks.keys(), page


def test_every_picture_is_there() -> None:
    shown = set(re.findall(r"\(plots/([a-z-]+\.svg)\)", PAGE_TEXT))
    assert {path.name for path in PLOTS.glob("*.svg")} <= shown


def test_text_by_hand_stays() -> None:
    page = "before\n<!-- figures: slopes -->\nold\n<!-- end -->\nafter\n"
    document = {"bench": "growth", "figures": [{"name": "an agent costs, memory", "value": 4.2, "unit": "KB"}]}
    filled = fill(page, [document])
    assert filled.startswith("before\n<!-- figures: slopes -->\n\n| what | costs |\n")
    assert "| an agent, memory | 4.2 KB |" in filled
    assert filled.endswith("\n\n<!-- end -->\nafter\n")
    assert fill(filled, [document]) == filled


def test_a_block_that_nobody_writes() -> None:
    with pytest.raises(UnknownBlock, match="no block 'lost'"):
        fill("<!-- figures: lost -->\n<!-- end -->", [])
