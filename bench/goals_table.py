"""``python -m bench goals``: the table of goals from the stored results, without measuring anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from bench import goals
from bench.goal_rows import ROWS
from bench.report import provenance, say

QUESTION: Final = "which goals do the stored results meet?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace) -> int:
    """0 where every goal is met, else 1."""
    judged = judge(goals.stored_documents())
    if options.output == "json":
        print(json.dumps([asdict(each) for each in judged], indent=1))
    else:
        goals.print_judged(judged)
    return 1 if goals.missed(judged) else 0


def judge(documents: Sequence[goals.Document]) -> list[goals.Judged]:
    """Every row of these results, kept in ``goals.json``. What is missed is named on stderr."""
    judged = goals.judge(ROWS, documents)
    say(f"goals: written to {goals.save(judged, provenance())}")
    missed = goals.missed(judged)
    say(f"goals: {len(judged) - len(missed)} of {len(judged)} met" + (", missed:" if missed else ""))
    for each in missed:
        say(f"    {each}")
    return judged
